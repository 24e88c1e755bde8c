"""What goes wrong between a developer and a lab host: it is told clearly, and nothing is changed by it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from trials.desk import Desk, Readers, Said, host_name, released, until
from trials.lab_hosts import LabHost, Laboratory
from trials.lab_image import DOMAIN, SHOP

# What a shell would make something of; each of it would leave a file on the lab host.
NASTY = "$(touch /tmp/taken) `touch /tmp/taken` ; touch /tmp/taken & | > /tmp/taken ' \" \\ * ~ ${HOME} #"
NASTY_BRANCH = "fix/$(touch${IFS}/tmp/taken);`id`&'a\"b|c>d"
FILLED = (
    "fallocate --length 4G /var/lib/docker/filled 2>/dev/null || dd if=/dev/zero of=/var/lib/docker/filled bs=1M || :"
)


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    with Laboratory(tmp_path_factory.mktemp("laboratory")) as made:
        yield made


@pytest.fixture(scope="module")
def host(laboratory: Laboratory) -> LabHost:
    return laboratory.start("lab-1", disk="1500m")


@pytest.fixture(scope="module")
def shop(laboratory: Laboratory, host: LabHost) -> Desk:
    """The shop, of which ``main`` is deployed."""
    desk = Desk(laboratory, laboratory.repository("shop", SHOP))
    desk.settings()
    desk.labrig("create", "main")
    return desk


@pytest.fixture
def desk(shop: Desk, host: LabHost) -> Iterator[Desk]:
    """The shop with its own settings, on a lab host that a test has to leave as it was."""
    shop.settings()
    before = everything(host)
    yield shop
    assert everything(host) == before
    assert host.root("ls -A /tmp | grep taken || :") == ""


def everything(host: LabHost) -> dict[str, str]:
    """Return what is on the lab host of experiments, by kind and name."""
    files = host.root("find /srv/labrig /etc/nginx/edge.d -type f -not -path '*/git/*' -exec sha256sum {} +")
    return host.objects() | {line.split()[1]: line.split()[0] for line in files.splitlines()}


def refused(desk: Desk, *words: str, code: int, says: tuple[str, ...]) -> Said:
    said = desk.labrig(*words, code=code)
    for one in says:
        assert one in said.err, said.err
    return said


def test_a_branch_that_does_not_exist(desk: Desk) -> None:
    refused(desk, "create", "feature/mian", code=2, says=("feature/mian",))


def test_a_name_that_no_host_can_have(desk: Desk) -> None:
    refused(desk, "create", "main", "--name", "Feature/Login", code=2, says=("Feature/Login", "feature-login would do"))


def test_an_unknown_option_and_those_that_are_missing(desk: Desk) -> None:
    desk.settings(domain=None, repository=None, prot=8000)
    refused(desk, "create", "main", code=2, says=("did you mean port", "domain", "repository", "labrig.yml"))


def test_a_host_that_is_not_reached(desk: Desk) -> None:
    desk.settings(host="lab-9.invalid")
    refused(desk, "create", "main", code=3, says=("lab-9.invalid",))


def test_a_domain_that_does_not_resolve_is_told_with_the_record_that_is_missing(desk: Desk) -> None:
    """A warning where something is deployed, since others may reach it; an error where it shall be looked at here."""
    told = f"{host_name('main')} does not resolve here", f"*.{DOMAIN}", "lab-1"
    refused(desk, "update", "main", "--dry-run", code=0, says=told)
    refused(desk, "open", "main", code=3, says=told)


def test_a_host_whose_key_has_changed(desk: Desk, laboratory: Laboratory, tmp_path: Path) -> None:
    known = laboratory.folder / "anna" / "known_hosts"
    before = known.read_text()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other"], check=True)
    known.write_text(f"lab-1 {(tmp_path / 'other.pub').read_text()}")
    try:
        refused(desk, "create", "main", code=3, says=("lab-1", "another machine answers there"))
    finally:
        known.write_text(before)


def test_a_developer_whose_key_the_host_does_not_have(desk: Desk, laboratory: Laboratory, tmp_path: Path) -> None:
    key = laboratory.folder / "anna" / "key"
    before = key.read_bytes()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other"], check=True)
    key.write_bytes((tmp_path / "other").read_bytes())
    try:
        refused(desk, "create", "main", code=3, says=("lab-1", "Permission denied"))
    finally:
        key.write_bytes(before)


def test_a_host_without_docker(desk: Desk, host: LabHost) -> None:
    host.root("systemctl stop docker.socket docker.service")
    try:
        refused(desk, "create", "main", code=3, says=("Docker", "lab-1"))
    finally:
        host.root("systemctl start docker.socket docker.service")
    # The units of the experiment's containers start them again.
    until(lambda: host.ask(host_name("main"), "/health").status == 200)


def test_a_service_that_never_answers_leaves_the_old_version_serving(shop: Desk, host: LabHost) -> None:
    service = {"service": "postgresql", "command": ["-c", "port=5433"], "wait_timeout": "4s"}
    shop.settings(services={"more": service, "db": {"service": "postgresql"}})
    before = released(host, "main")
    refused(shop, "update", "main", code=1, says=("service more",))
    assert released(host, "main") == before
    shop.settings()
    shop.labrig("update", "main")


def test_an_image_that_there_is_not_takes_no_database_away(shop: Desk, host: LabHost) -> None:
    database = host.root("docker inspect --format '{{.Id}}' shop--main--s-db")
    shop.settings(services={"db": {"service": "postgresql", "image": "localhost:1/no-such:1"}})
    refused(shop, "update", "main", code=3, says=("failed to fetch image localhost:1/no-such:1 for service db",))
    assert host.root("docker inspect --format '{{.Id}}' shop--main--s-db") == database
    assert host.ask(host_name("main"), "/health").status == 200
    shop.settings()
    shop.labrig("update", "main")


def test_one_that_hangs_is_started_anew_by_an_update(shop: Desk, host: LabHost) -> None:
    shop.settings()
    shop.labrig("update", "main")
    container = host.root("docker ps --quiet --filter label=org.labrig.experiment=main --filter label=org.labrig.slot")
    host.root(f"kill -STOP $(docker inspect --format '{{{{.State.Pid}}}}' {container})")
    shop.labrig("update", "main")
    assert host.ask(host_name("main"), "/health").status == 200
    assert "serves" in shop.labrig("status", "main").out


def test_a_sealed_value_that_this_developer_cannot_open(desk: Desk, tmp_path: Path) -> None:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "eve@desk", "-f", tmp_path / "eve"], check=True
    )
    public = (tmp_path / "eve.pub").read_text().strip()
    desk.settings(secrets=[public])
    with desk.start("encrypt", "TOKEN", stdin=subprocess.PIPE) as process:
        sealed = process.communicate("hunter2\n", timeout=60)[0].strip().partition("=")[2]
    desk.settings(secrets=[public], environment={"TOKEN": sealed})
    said = refused(desk, "update", "main", code=2, says=("TOKEN", "eve@desk"))
    assert "hunter2" not in said.out + said.err


def test_what_a_shell_would_take_for_commands_is_only_text(desk: Desk, host: LabHost) -> None:
    desk.repository.branch(NASTY_BRANCH)
    desk.settings(environment={"WORDS": NASTY}, health={"path": "/health?a=$(touch%20/tmp/taken)&b='`id`'"})
    desk.labrig("create", NASTY_BRANCH, "--name", "nasty")
    try:
        assert desk.labrig("exec", "nasty", "printenv", "WORDS").out == f"{NASTY}\n"
        assert desk.labrig("exec", "nasty", "printenv", "BRANCH_NAME").out == f"{NASTY_BRANCH}\n"
        assert desk.labrig("exec", "nasty", "echo", NASTY).out == f"{NASTY}\n"
        assert desk.labrig("test", "nasty", "echo", NASTY).out == f"{NASTY}\n"
        for name in ("nasty", "main"):
            assert (
                host.root(f"docker exec $(docker ps -q -f label=org.labrig.experiment={name} | head -1) ls /tmp") == ""
            )
    finally:
        desk.labrig("delete", "nasty")


def test_a_full_disk_is_called_that_and_the_old_version_serves_on(shop: Desk, host: LabHost) -> None:
    shop.settings()
    before = released(host, "main")
    after = shop.repository.commit(
        "main", {"migrations/0003-cups.sql": "INSERT INTO goods (title, price) VALUES ('Cups', 1)"}
    )
    with Readers(host, host_name("main")) as readers:
        host.root(FILLED)
        said = shop.labrig("update", "main", code=3)
        assert "a disk of the lab host is full" in said.err
        assert released(host, "main") == before
        host.root("rm /var/lib/docker/filled")
        shop.labrig("update", "main")
        assert released(host, "main") == after
    assert readers.failed == []
    assert readers.count > 10


@pytest.fixture
def second(laboratory: Laboratory) -> LabHost:
    return laboratory.start("lab-2", disk="1500m")


def test_of_two_hosts_an_experiment_stays_where_it_is_also_while_the_other_is_away(
    shop: Desk, host: LabHost, second: LabHost
) -> None:
    shop.repository.branch("feature/mugs")
    shop.settings(host=["lab-1", "lab-2"])
    shop.labrig("create", "feature/mugs", "--host", "lab-2")
    again = shop.repository.commit("feature/mugs")
    shop.labrig("update", "feature-mugs")
    assert released(second, "feature-mugs") == again
    assert {name: one["host"] for name, one in shop.list().items()} == {"main": "lab-1", "feature-mugs": "lab-2"}

    host.root("systemctl stop ssh.socket ssh.service; pkill -KILL -u labrig -x sshd || :")
    try:
        shop.labrig("update", "feature-mugs")
        # It may be on the host that does not answer: two of one name are worse than none.
        shop.repository.branch("feature/jugs")
        refused(shop, "create", "feature/jugs", code=3, says=("lab-1", "--host lab-2"))
        assert "feature-mugs" in refused(shop, "list", code=3, says=("lab-1",)).out
    finally:
        host.root("systemctl start ssh.service")
    shop.labrig("delete", "feature-mugs")
    assert set(shop.list()) == {"main"}
    assert not [key for key in second.objects() if "feature-mugs" in key]
