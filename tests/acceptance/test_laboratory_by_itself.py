"""What a lab host does by itself: it lets experiments sleep and wakes them, sweeps, and knows who did what."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from labrig.experiments.edge import VirtualHost
from labrig.experiments.naming import Names
from trials.desk import Desk, host_name, until
from trials.lab_hosts import LabHost, Laboratory
from trials.lab_image import SHOP

MAIN = host_name("main")
AS_LABRIG = "sudo -u labrig sudo -n"


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    with Laboratory(tmp_path_factory.mktemp("laboratory")) as made:
        yield made


@pytest.fixture(scope="module")
def host(laboratory: Laboratory) -> LabHost:
    return laboratory.start("lab-1")


@pytest.fixture(scope="module")
def anna(laboratory: Laboratory, host: LabHost) -> Desk:
    shop = laboratory.repository("shop", SHOP)
    shop.branch("feature/cups")
    desk = Desk(laboratory, shop)
    desk.settings(sleeps="1s", services={"db": {"service": "postgresql", "on_delete": "echo bye; exit 3"}})
    desk.labrig("create", "main")
    return desk


def ssh(desk: Desk, host: LabHost, *words: str) -> subprocess.CompletedProcess[str]:
    """Ask the host's account for developers for something, as whoever has a key can."""
    config = desk.laboratory.folder / desk.developer / "config"
    return subprocess.run(
        ["ssh", "-F", config, host.name, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def state(desk: Desk, host: LabHost) -> dict[str, str]:
    told = json.loads(ssh(desk, host, "labrig-lab", "list").stdout)
    return {one["name"]: one["state"] for one in told["experiments"]}


def test_one_that_nobody_asks_for_sleeps_until_somebody_does(anna: Desk, host: LabHost) -> None:
    until(lambda: state(anna, host) == {"main": "sleeps"}, seconds=60)
    # Its services run on.
    until(lambda: host.root("docker ps --format '{{.Names}}'").split() == ["shop--main--s-db"])
    host.root("systemctl stop labrig-wake.socket labrig-wake.service")
    asleep = host.ask(MAIN, "/health")
    assert (asleep.status, "waking up" in asleep.text) == (503, True)
    # The request that wakes it was answered although nobody was there to wake it.
    assert state(anna, host) == {"main": "sleeps"}
    host.root("systemctl start labrig-wake.socket labrig-wake.service")
    assert host.ask(MAIN).status == 503
    until(lambda: host.ask(MAIN, "/health").status == 200, seconds=60)
    assert json.loads(host.ask(MAIN, "/health").text)["branch"] == "main"


def test_the_sweep_removes_what_is_over_also_where_its_hook_fails(anna: Desk, host: LabHost) -> None:
    anna.labrig("create", "feature/cups")
    before = {key for key in host.objects() if "feature-cups" not in key}
    anna.repository.drop("feature/cups")
    told = ssh(anna, host, "labrig-lab", "sweep", "--json")
    (swept,) = json.loads(told.stdout)["swept"]
    assert (swept["name"], swept["result"]) == ("feature-cups", "removed")
    assert swept["reason"] == "branch feature/cups is gone"
    assert "on_delete of db" in swept["error"]
    # What it wrote may hold passwords, and this goes into the journal.
    assert "bye" not in told.stdout
    assert set(host.objects()) == before
    assert set(state(anna, host)) == {"main"}


def test_how_long_one_stays_is_told_by_the_hosts_clock_whatever_that_of_the_desk_says(
    anna: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    early = "from datetime import *\nfrom labrig import clock\nclock.now = lambda: datetime(2000, 1, 1, tzinfo=UTC)\n"
    (tmp_path / "sitecustomize.py").write_text(early)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    began = datetime.now(tz=UTC)
    # It may just be falling asleep.
    anna.labrig("update", "main", "--wait", "1m")
    deployed = datetime.fromisoformat(anna.list()["main"]["deployed"])
    assert abs(deployed - began) < timedelta(minutes=5)


@pytest.mark.parametrize(
    "asked", [[], ["bash", "-i"], ["cat", "/etc/passwd"], ["labrig-lab", "wake"], ["edge", "put", "a.conf"]]
)
def test_a_developers_key_opens_nothing_else(anna: Desk, host: LabHost, asked: list[str]) -> None:
    refused = ssh(anna, host, *asked)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "there are serve, list" in refused.stderr


def test_the_journal_tells_who_did_what(anna: Desk, host: LabHost) -> None:
    assert ssh(anna, host, "labrig-lab", "enter", "shop", "main", "--", "true").returncode in {0, 3}
    journal = host.root("journalctl --identifier labrig-lab --output cat")
    assert 'anna: ["labrig-lab", "enter", "shop", "main", "--", "true"]' in journal
    assert 'anna: ["docker", "create", "--name=shop--main--' in journal
    key = host.root("cat /srv/labrig/experiments/shop/main/key").strip()
    assert key
    assert key not in journal
    # What only looks is told as well, once for a whole deployment.
    looks = [line for line in journal.splitlines() if line.startswith('anna: ["find", "/etc/nginx/edge.d"')]
    assert 0 < len(looks) <= journal.count('anna: ["labrig-lab", "serve"]')


def put(name: str, text: str) -> str:
    """Return what writes a file of the edge."""
    return f"{AS_LABRIG} labrig-edge put shop--{name}.conf <<'END'\n{text}END\n"


def answering(name: str, answer: str) -> str:
    """Return a file of the edge that answers by itself."""
    asked = VirtualHost(Names("shop", name), host_name(name), "v1").awake("127.0.0.1:9")
    return asked.replace("proxy_pass http://127.0.0.1:9", f"return 200 {answer}")


def tried(host: LabHost, script: str) -> str:
    """Return what a script says that may fail, and at the end its exit code."""
    return host.root(f"exec 2>&1\nset +e\n{script}\necho ended with $?")


def test_what_nginx_refuses_never_takes_its_place_and_many_files_at_once_all_do(host: LabHost) -> None:
    names = [f"n{number}" for number in range(8)]
    texts = {one: answering(one, one) for one in names}
    host.root("\n".join(f"({put(one, text)}) &" for one, text in texts.items()) + "\nwait")
    assert [host.ask(host_name(one)).text for one in names] == names
    said = tried(host, put("n0", "server { listn 80; }\n"))
    assert "unknown directive" in said
    assert "ended with 2" in said
    host.root("nginx -t")
    assert host.ask(host_name("n0")).text == "n0"
    host.root("\n".join(f"{AS_LABRIG} labrig-edge remove shop--{one}.conf &" for one in names) + "\nwait")
    assert {host.ask(host_name(one)).text == one for one in names} == {False}
    refused = host.root(f"{AS_LABRIG} labrig-edge remove ../nginx.conf 2>&1 || echo refused")
    assert "refused" in refused


def test_a_host_name_is_one_experiments_also_of_two_that_come_at_once(host: LabHost) -> None:
    first = put("n0", answering("n0", "n0"))
    second = put("n1", answering("n1", "n0").replace(host_name("n1"), host_name("n0")))
    said = tried(
        host, f"({first}) & one=$!\n({second}) & two=$!\nwait $one; first=$?; wait $two; (exit $((first + $?)))"
    )
    assert "ended with 2" in said
    assert f"{host_name('n0')} is" in said
    files = host.root("ls /etc/nginx/edge.d/shop--n?.conf").split()
    assert len(files) == 1
    host.root(f"{AS_LABRIG} labrig-edge remove {files[0].rpartition('/')[2]}")


def test_https_for_a_host_that_nobody_has_shows_no_other_experiment(host: LabHost) -> None:
    host.root("openssl req -x509 -newkey rsa:2048 -noenc -subj /CN=shop -keyout /etc/shop.key -out /etc/shop.crt")
    secure = VirtualHost(Names("shop", "n0"), host_name("n0"), "v1", certificate="/etc/shop.crt", key="/etc/shop.key")
    host.root(put("n0", secure.awake("127.0.0.1:9").replace("proxy_pass http://127.0.0.1:9", "return 200 n0")))
    unverified = ssl.create_default_context()
    unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE

    def asked(name: str) -> str:
        with (
            socket.create_connection((host.address, 443), timeout=10) as connection,
            unverified.wrap_socket(connection, server_hostname=name) as secured,
        ):
            secured.sendall(f"GET / HTTP/1.0\r\nHost: {name}\r\n\r\n".encode())
            return secured.makefile("r").read().rpartition("\n")[2]

    assert asked(host_name("n0")) == "n0"
    with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
        asked(host_name("nobody"))
    host.root(f"{AS_LABRIG} labrig-edge remove shop--n0.conf")


def test_where_nginx_refuses_the_whole_what_was_there_stays(host: LabHost) -> None:
    files, broken = "/etc/nginx/edge.d/shop--n?.conf", "/etc/nginx/edge.d/broken.conf"
    host.root(put("n0", answering("n0", "before")))
    content = host.root(f"grep '' {files} /dev/null")
    # The certificate of another experiment is gone.
    host.root(f"echo 'server {{ listen 80; server_name b.example; ssl_certificate /gone.pem; }}' > {broken}")
    removal = f"{AS_LABRIG} labrig-edge remove shop--n0.conf"
    for change in (put("n0", answering("n0", "after")), put("n1", answering("n1", "after")), removal):
        said = tried(host, change)
        assert "ended with 3" in said
        assert "/gone.pem" in said
        assert host.root(f"grep '' {files} /dev/null") == content
    assert host.ask(host_name("n0")).text == "before"
    host.root(f"rm {broken}")
    host.root(put("n0", answering("n0", "after")))
    assert host.ask(host_name("n0")).text == "after"
    host.root(removal)
    assert host.root("find /etc/nginx/edge.d -name '*shop--n*'") == ""
