"""Answers as Docker 28, grep and find give them, and what they say."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from labrig.experiments import looking
from labrig.experiments.edge import VirtualHost
from labrig.experiments.looking import Looks
from labrig.experiments.naming import Names
from labrig.experiments.record import Record
from labrig.experiments.standing import Container, Service, Standing

NAMES = Names("shop", "login")
LOOKS = Looks(NAMES, "shop-login.lab.example")
FOLDER = NAMES.folder
RECORD = Record("feature/login", "git@git.example:shop.git", "anna@desk", "2027-01-01", "2027-01-01")
MADE_OF = {"kind": "postgresql", "image": "postgres:15", "command": "'it\\'s, \"x\"'"}
CONNECTED = {"provision": "shared", "server": "lab--x", "record": {"kind": "mariadb"}}
NOTHING = dict.fromkeys(LOOKS.questions, "")


def lines(*rows: object) -> str:
    return "".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows)


ANSWERS = {
    **NOTHING,
    "containers": lines(
        ["shop--login--v2", "created", "Created", "feature/login", "v2", "1", "", ""],
        ["shop--login--v1", "running", "Up 3 hours", "feature/login", "v1", "0", "", ""],
        ["shop--login--before", "exited", "Exited (0) 2 minutes ago", "feature/login", "v2", "", "", ""],
        ["shop--login--s-db", "running", "Up 3 hours", "feature/login", "", "", "db", json.dumps(MADE_OF)],
    ),
    "volumes": lines(["shop--login--s-db", "db", '{"kind": "postgresql"}'], ["shop--login--s-old", "old", "{}"]),
    "networks": lines(["shop--login"]),
    "images": lines(["b1"], ["b2"]),
    "files": lines(
        f"{FOLDER}/experiment.json:{RECORD.text().strip()}",
        f"{FOLDER}/built:b2",
        f"{FOLDER}/hooked-db:yes",
        f'{FOLDER}/account-main-db:{{"kind": "mariadb"}}',
        f'{FOLDER}/connected-main-db:{json.dumps(CONNECTED)}',
        f"{FOLDER}/hooked-gone.new:yes",
    ),
    "environments": lines("environment-v1", "environment-v2", "environment-v3.new"),
    "folder": "login\n",
    "code": f"{'2' * 40}\n",
    "enabled": lines("labrig-container@shop--login--v1.service", "labrig-container@shop--login--s-db.service"),
    "edge": VirtualHost(NAMES, "shop-login.lab.example", "v1").awake("10.0.0.2:80"),
    "same_host": "/etc/nginx/edge.d/shop--login.conf\n",
}  # fmt: skip


def test_where_there_is_nothing_nothing_is_found() -> None:
    assert LOOKS.read(NOTHING) == Standing()


def test_all_that_there_is_is_found() -> None:
    assert LOOKS.read(ANSWERS, healthy=frozenset({"v1", "v2"})) == Standing(
        branch="feature/login",
        folder=True,
        code="2" * 40,
        built="b2",
        images=frozenset({"b1", "b2"}),
        network=True,
        services={
            "db": Service(
                made_of=MADE_OF, has_server=True, filled_with={"kind": "postgresql"}, enabled=True, hooked=True
            ),
            "main-db": Service(
                provision="shared", made_of={"kind": "mariadb"}, has_server=True, filled_with={"kind": "mariadb"}
            ),
            "old": Service(filled_with={}),
        },
        environments=frozenset({"v1", "v2"}),
        prepared="v2",
        jobs=True,
        containers={"v2": Container(slot=1), "v1": Container(slot=0, running=True, healthy=True, enabled=True)},
        routed="v1",
    )
    assert looking.connected(ANSWERS, NAMES) == {"main-db": "lab--x"}


@pytest.mark.parametrize("status", ["Exited (1) 2 minutes ago", "Up 2 seconds", "Exited (137) 1 second ago", "Created"])
def test_a_command_before_the_start_that_did_not_end_well_has_prepared_nothing(status: str) -> None:
    answers = {**ANSWERS, "containers": lines(["shop--login--before", "exited", status, "b", "v2", "", "", ""])}
    assert LOOKS.read(answers).prepared == ""


def test_without_a_record_the_labels_tell_the_branch() -> None:
    assert LOOKS.read({**ANSWERS, "files": f"{FOLDER}/experiment.json:rubbish\n"}).branch == "feature/login"


def test_a_service_whose_record_cannot_be_read_is_known_to_be_so() -> None:
    answers = {**NOTHING, "containers": lines(["shop--login--s-db", "exited", "Exited (0)", "b", "", "", "db", "{"])}
    found = LOOKS.read(answers).services["db"]
    assert found.has_server
    assert found.made_of is None
    assert not found.enabled


def test_the_host_name_of_another_experiment_is_told() -> None:
    both = "/etc/nginx/edge.d/shop--login.conf\n/etc/nginx/edge.d/shop-log--in.conf\n"
    assert LOOKS.read({**ANSWERS, "same_host": both}).host_taken_by == "shop-log--in"


def test_the_same_host_name_is_found_and_no_longer_one(tmp_path: Path) -> None:
    """With a real grep, on real files of the edge."""
    for names, host in ((NAMES, LOOKS.host), (Names("a", "b"), LOOKS.host), (Names("a", "c"), f"x{LOOKS.host}")):
        virtual_host = VirtualHost(names, host, "v1")
        (tmp_path / virtual_host.file).write_text(virtual_host.awake("10.0.0.2:80"))
    # What a labrig-edge has left that was killed is no experiment's: nobody could remove it.
    for left in (".b--c.conf.k3x9", ".b--c.conf", "b--c.users"):
        (tmp_path / left).write_text(VirtualHost(NAMES, LOOKS.host, "v1").awake("10.0.0.2:80"))
    argv = [word.replace("/etc/nginx/edge.d", str(tmp_path)) for word in LOOKS.questions["same_host"].argv]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    assert sorted(Path(line).name for line in said.splitlines()) == ["a--b.conf", "shop--login.conf"]


def test_files_are_read_but_for_environments_and_what_is_in_the_work_tree(tmp_path: Path) -> None:
    """With a real grep and a real find."""
    (tmp_path / "code").mkdir()
    for name in ("experiment.json", "built", "hooked-db", "environment-v1", "service-db", "code/built"):
        (tmp_path / name).write_text(f"content of {name}\n")
    said = {}
    for name in ("files", "environments", "folder"):
        argv = [word.replace(FOLDER, str(tmp_path)) for word in LOOKS.questions[name].argv]
        said[name] = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    expected = {f"{tmp_path}/{name}:content of {name}" for name in ("experiment.json", "built", "hooked-db")}
    assert set(said["files"].splitlines()) == expected
    assert said["environments"] == "environment-v1\n"
    assert said["folder"] == f"{tmp_path.name}\n"


def test_the_edges_file_is_read_and_that_there_is_none_is_an_answer(tmp_path: Path) -> None:
    """With a real find: what serves is never taken for a leftover because a file could not be read."""

    def asked(folder: Path) -> subprocess.CompletedProcess[str]:
        argv = [word.replace("/etc/nginx/edge.d", str(folder)) for word in LOOKS.questions["edge"].argv]
        return subprocess.run(argv, capture_output=True, text=True, check=False)

    (tmp_path / "shop--login--x.conf").write_text("of another\n")
    assert (asked(tmp_path).returncode, asked(tmp_path).stdout) == (0, "")
    (tmp_path / "shop--login.conf").write_text(ANSWERS["edge"])
    assert (asked(tmp_path).returncode, asked(tmp_path).stdout) == (0, ANSWERS["edge"])
    assert asked(tmp_path / "missing").returncode != 0


def test_what_must_not_be_taken_for_absent_may_not_fail() -> None:
    sure = {name for name, one in LOOKS.questions.items() if not one.may_fail}
    assert sure == {"containers", "volumes", "networks", "images", "edge"}


def test_only_objects_of_exactly_this_experiment_are_asked_for() -> None:
    for name in ("containers", "volumes", "networks"):
        argv = LOOKS.questions[name].argv
        assert {f"--filter=label={one}" for one in NAMES.selectors} <= set(argv)
    assert "--filter=reference=labrig-lab/shop/login" in LOOKS.questions["images"].argv
