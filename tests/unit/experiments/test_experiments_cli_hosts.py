"""`labrig experiment` towards lab hosts: what it asks them for, and what it makes of their answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from local_ssh import LocalSsh

from labrig.cli.experiment import experiment
from labrig.errors import EnvironmentFailed, UsageError
from labrig.experiments.listing import Listed
from labrig.experiments.protocol import Hello

COLLECTIONS = Path(__file__).parents[3] / "collections"
SETTINGS = """\
experiment:
  host: [lab1, lab2]
  domain: lab.invalid
  app: shop
  repository: git@git.example:shop.git
"""
LOGIN = Listed(
    "shop", "login", "serves", "feature/login", "1" * 40, "http://shop-login.lab.invalid/",
    expires="2027-01-08T00:00:00+00:00", busy="ben@desk",
)  # fmt: skip
OTHER = Listed("core", "main", "was never ready", pinned=True)


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalSsh:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "labrig.yml").write_text(SETTINGS)
    found = LocalSsh(tmp_path, monkeypatch)
    lists = {"lab1": [LOGIN.object(), OTHER.object()], "lab2": []}
    for host, one in lists.items():
        (tmp_path / host).write_text(json.dumps({"experiments": one}))
    # What `labrig-lab` of each host answers to a list; all else prints its arguments.
    found.program(
        "labrig-lab",
        f"""#!/bin/sh
        [ "$HOST" != gone ] || {{ echo 'ssh: no route to gone' >&2; exit 255; }}
        [ "$1" != list ] || exec cat {tmp_path}/"$HOST"
        echo "$HOST $*"; exit 7
        """,
    )
    return found


def labrig(*words: str) -> Result:
    return CliRunner().invoke(experiment, words, catch_exceptions=False)


@pytest.mark.usefixtures("ssh")
def test_all_hosts_are_listed_in_one_table() -> None:
    lines = [line.split("  ") for line in labrig("list").stdout.splitlines()]
    words = [[word.strip() for word in line if word.strip()] for line in lines]
    assert words[0] == ["host", "app", "name", "state", "branch", "commit", "stays until", "url"]
    assert words[1][:6] == ["lab1", "shop", "login", "serves (being changed)", "feature/login", "1" * 12]
    assert words[2] == ["lab1", "core", "main", "was never ready", "pinned"]


@pytest.mark.usefixtures("ssh")
def test_a_list_as_json_is_of_one_application_where_one_is_named() -> None:
    done = labrig("list", "shop", "--json", "-")
    (only,) = json.loads(done.stdout)["experiments"]
    assert (only["host"], only["name"], only["busy"]) == ("lab1", "login", "ben@desk")
    assert done.exit_code == 0


def test_a_host_that_cannot_be_asked_keeps_none_of_the_others_from_telling(ssh: LocalSsh) -> None:
    (ssh.folder / "labrig.yml").write_text(SETTINGS.replace("lab2", "gone"))
    done = CliRunner().invoke(experiment, ["list", "--json", "-"], standalone_mode=False)
    assert len(json.loads(done.stdout)["experiments"]) == 2
    assert "no route to gone" in json.loads(done.stdout)["troubles"]["gone"]
    assert done.return_value == 3


def test_a_host_can_be_named_where_there_are_no_settings(ssh: LocalSsh) -> None:
    (ssh.folder / "labrig.yml").unlink()
    assert "login" in labrig("list", "--host", "lab1").stdout
    with pytest.raises(UsageError, match="there are no settings"):
        labrig("list")


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (["exec", "login", "ls", "-l", "--host"], "enter shop login -- ls -l --host"),
        (["exec", "login", "--", "ls"], "enter shop login -- ls"),
        (["exec", "--service", "db", "login", "--", "psql"], "enter --service=db shop login -- psql"),
        (["shell", "login"], "enter shop login"),
        (["logs", "-f", "--tail", "3", "--since", "10m", "login"], "logs --follow --tail=3 --since=10m shop login"),
    ],
)
def test_what_goes_into_a_container_is_a_command_of_the_host_and_its_exit_code_is_ours(
    ssh: LocalSsh, words: list[str], asked: str
) -> None:
    done = CliRunner().invoke(experiment, [words[0], "--host", "lab1", *words[1:]], standalone_mode=False)
    assert done.return_value == 7
    assert ssh.arguments[-2:] == ["lab1", f"labrig-lab {asked}"]


@pytest.mark.usefixtures("ssh")
def test_words_with_marks_that_a_shell_knows_arrive_as_they_are(capfd: pytest.CaptureFixture[str]) -> None:
    labrig("exec", "--host", "lab1", "login", "echo", "a  b; $(reboot) 'c'")
    assert capfd.readouterr().out == "lab1 enter shop login -- echo a  b; $(reboot) 'c'\n"


@pytest.mark.usefixtures("ssh")
def test_a_connection_that_is_not_made_is_an_error_of_the_environment() -> None:
    with pytest.raises(UsageError, match="the settings have no such lab host"):
        labrig("shell", "--host", "gone", "login")
    Path("labrig.yml").write_text(SETTINGS.replace("[lab1, lab2]", "gone"))
    with pytest.raises(EnvironmentFailed, match="no connection to gone") as caught:
        labrig("shell", "login")
    assert caught.value.exit_code == 3


def test_a_host_without_labrigs_programs_is_an_error_of_the_environment(ssh: LocalSsh) -> None:
    (ssh.folder / "labrig-lab").unlink()
    (ssh.folder / "labrig.yml").write_text(SETTINGS.replace("[lab1, lab2]", "lab1"))
    with pytest.raises(EnvironmentFailed, match="lab1 has not labrig's programs") as caught:
        labrig("logs", "login")
    assert "labrig.core.lab" in caught.value.hint
    assert CliRunner().invoke(experiment, ["sweep"], standalone_mode=False).return_value == 3


@pytest.mark.parametrize(
    ("words", "is_read"), [(["logs", "login"], ""), (["sweep"], ""), (["exec", "login", "cat"], "x")]
)
def test_only_what_goes_into_a_container_reads_the_callers_input(
    ssh: LocalSsh, words: list[str], is_read: str, tmp_path: Path
) -> None:
    ssh.program("labrig-lab", "#!/bin/sh\necho read: $(cat)\n")
    (ssh.folder / "labrig.yml").write_text(SETTINGS.replace("[lab1, lab2]", "lab1"))
    command = [sys.executable, "-c", "from labrig.cli import main; main()", "experiment", *words]
    done = subprocess.run(command, cwd=tmp_path, input="x", capture_output=True, text=True, check=False)
    assert done.stdout.strip() == f"read: {is_read}".strip(), done.stderr


HOSTILE = "\x1b]0;title\x07\x1b[2Jben\r\x1bc"


LABRIG = (sys.executable, "-c", "from labrig.cli import main; main()", "experiment")
ANSIBLE = (sys.executable, "-m", "ansible", "adhoc", "localhost", "-m")


@pytest.mark.parametrize(
    "command",
    [
        (*LABRIG, "list"),
        (*LABRIG, "delete", "--host", "lab1", "login"),
        (*ANSIBLE, "labrig.core.experiment", "-a", "name=login host=lab1 state=absent"),
        (sys.executable, "-m", "ansible", "inventory", "-i", "lab.yml", "--list"),
    ],
    ids=["list", "delete", "module", "inventory"],
)
def test_nothing_that_a_host_says_of_others_is_an_order_to_the_terminal(
    ssh: LocalSsh, tmp_path: Path, command: tuple[str, ...]
) -> None:
    one = {**LOGIN.object(), "branch": HOSTILE}
    (ssh.folder / "lab1").write_text(json.dumps({"experiments": [one]}))
    (ssh.folder / "lab.yml").write_text("{plugin: labrig.core.lab, hosts: [lab1, lab3]}\n")
    hello = Hello("1", "", "9:9", "lab", "", "10.0.0.0/8", (), engine="", trouble=HOSTILE, memory=0, disk=0, time="")
    (ssh.folder / "hello").write_bytes(hello.line())
    (ssh.folder / "words").write_text(HOSTILE)
    ssh.program(
        "labrig-lab",
        f"""#!/bin/sh
        [ $1 = list ] || exec cat {tmp_path}/hello
        cat {tmp_path}/"$HOST" || {{ cat {tmp_path}/words >&2; exit 3; }}
        """,
    )
    env = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS), "ANSIBLE_FORCE_COLOR": "0"}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    told = done.stdout + done.stderr
    assert "ben" in told
    assert not {*told} & {"\x1b", "\x07", "\r"}


@pytest.mark.usefixtures("ssh")
def test_a_sweep_asks_each_host_and_tells_what_each_did() -> None:
    Path("labrig.yml").write_text(SETTINGS)
    done = CliRunner().invoke(experiment, ["sweep", "--dry-run", "--json", "-"], standalone_mode=False)
    assert json.loads(done.stdout) == {"hosts": {"lab1": None, "lab2": None}}
    assert done.return_value == 7


@pytest.mark.parametrize(
    ("words", "said", "hint"),
    [
        (["create", "a b"], "'a b' is no name of a branch", "git branch --all"),
        (
            ["create", "main", "--name", "Feature/Login"],
            "--name 'Feature/Login' cannot be part of a host",
            "feature-login",
        ),
        (["update", "feature/login"], "the name of an experiment 'feature/login' cannot be", "feature-login would do"),
        (["create", "main", "--wait", "soon"], "--wait: expected a time", ""),
        (["create", "main", "--host", "lab3"], "--host lab3: the settings have no such lab host", "did you mean lab"),
    ],
)
@pytest.mark.usefixtures("ssh")
def test_a_wrong_call_is_refused_before_anybody_is_asked(words: list[str], said: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        labrig(*words)
    assert said in caught.value.message
    assert hint in caught.value.hint
    assert not Path("arguments").exists(), "ssh was called"
