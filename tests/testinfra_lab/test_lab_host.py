"""A lab host: what developers, experiments and strangers notice. The same on every machine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testinfra.host import Host

UNITS = (
    "docker.service",
    "nginx.service",
    "ssh.service",
    "labrig-firewall.service",
    "labrig-sweep.timer",
    "labrig-wake.socket",
    "labrig-wake.service",
)
CONTAINER = "shop--login--1"
UNIT = f"labrig-container@{CONTAINER}.service"
NETWORK = "10.213.0.0/27"
ADDRESS = "10.213.0.2"

# An image that has nothing of its own: /usr is the machine's.
MAKE_IMAGE = """
set -e
folder=$(mktemp --directory)
for one in bin lib lib64; do ln -s usr/$one "$folder/$one"; done
tar --directory "$folder" --create . | docker import - ground:1
rm -r "$folder"
"""
SERVE_PAGES = "python3 -m http.server --directory /usr/share/common-licenses"
# Somebody outside, who sees the machine as 192.0.2.1.
MAKE_OUTSIDE = """
set -e
ip netns add outside
ip link add lab-out type veth peer name eth0 netns outside
ip address add 192.0.2.1/30 dev lab-out
ip link set lab-out up
ip -n outside address add 192.0.2.2/30 dev eth0
ip -n outside link set eth0 up
ip -n outside route add default via 192.0.2.1
"""


def as_service_user(host: Host, command: str) -> int:
    """Return how a command of the service user ends."""
    return int(host.run("runuser --user labrig -- sh -c %s", command).rc)


def awaited(command: str) -> str:
    """Return a script that runs a command until it succeeds, for ten seconds at most."""
    return f"for n in $(seq 50); do {command} && exit; sleep 0.2; done; exit 1"


def is_open(host: Host, address: str, port: int, *, before: str = "") -> bool:
    """Whether something at an address lets a connection in within two seconds, asked by python3 after ``before``."""
    asked = f"import socket; socket.create_connection(({address!r}, {port}), 2)"
    return bool(host.run(f"{before} python3 -c %s", asked).rc == 0)


@pytest.fixture
def outside(host: Host) -> Iterator[str]:
    """Make a neighbour of the machine; return what runs a command there."""
    host.check_output("sh -c %s", MAKE_OUTSIDE)
    yield "ip netns exec outside"
    host.check_output("ip link delete lab-out; ip netns delete outside")


@pytest.fixture
def experiment(host: Host) -> Iterator[str]:
    """Make a container as an experiment has it: it serves pages at port 8000, also published as 8080."""
    host.check_output("sh -c %s", MAKE_IMAGE)
    host.check_output("docker network create --subnet %s shop--login", NETWORK)
    host.check_output(
        "docker create --name %s --network shop--login --ip %s --publish 8080:8000 --volume /usr:/usr:ro ground:1 "
        + SERVE_PAGES,
        CONTAINER,
        ADDRESS,
    )
    yield CONTAINER
    host.run("systemctl disable --now --quiet %s", UNIT)
    host.check_output(
        "docker rm --force --volumes %s && docker network rm shop--login && docker rmi ground:1", CONTAINER
    )


@pytest.mark.parametrize("name", UNITS)
def test_unit_runs_now_and_after_a_restart(host: Host, name: str) -> None:
    unit = host.service(name)
    assert unit.is_running
    assert unit.is_enabled


def test_no_unit_has_failed(host: Host) -> None:
    assert host.check_output("systemctl list-units --failed --plain --no-legend") == ""


def test_logs_of_containers_are_bounded(host: Host, experiment: str) -> None:
    told = json.loads(host.check_output("docker inspect --format '{{json .HostConfig.LogConfig}}' %s", experiment))
    assert told == {"Type": "json-file", "Config": {"max-file": "3", "max-size": "10m"}}


def test_each_key_of_a_developer_starts_the_programs_and_nothing_else(host: Host) -> None:
    lines = host.file("/etc/labrig/authorized_keys").content_string.splitlines()[1:]
    assert [line.split(" ssh-ed25519 ")[0] for line in lines] == [
        'restrict,pty,command="/usr/local/bin/labrig-lab session anna"',
        'restrict,pty,command="/usr/local/bin/labrig-lab session anna"',
        'restrict,pty,command="/usr/local/bin/labrig-lab session ben.b"',
    ]


def test_sshd_lets_the_service_user_forward_nothing(host: Host) -> None:
    told = host.check_output("sshd -T -C user=labrig,host=desk,addr=192.0.2.9").splitlines()
    assert {
        "authorizedkeysfile /etc/labrig/authorized_keys",
        "authenticationmethods publickey",
        "allowagentforwarding no",
        "allowstreamlocalforwarding no",
        "allowtcpforwarding no",
        "x11forwarding no",
        "permittunnel no",
        "clientaliveinterval 15",
    } <= set(told)


def test_sshd_treats_others_as_before(host: Host) -> None:
    told = host.check_output("sshd -T -C user=root,host=desk,addr=192.0.2.9").splitlines()
    assert "authorizedkeysfile .ssh/authorized_keys .ssh/authorized_keys2" in told


@pytest.mark.parametrize(
    ("path", "user", "mode"),
    [
        ("/etc/labrig/authorized_keys", "root", 0o644),
        ("/srv/labrig/experiments", "labrig", 0o700),
        ("/run/lock/labrig", "labrig", 0o700),
        ("/var/lib/labrig/.ssh", "labrig", 0o700),
        ("/run/labrig/wake.sock", "labrig", 0o660),
    ],
)
def test_files_belong_to_whom_they_should(host: Host, path: str, user: str, mode: int) -> None:
    file = host.file(path)
    assert (file.user, file.mode) == (user, mode)


def test_the_edge_may_wake_experiments(host: Host) -> None:
    assert host.file("/run/labrig/wake.sock").group == "www-data"


def test_the_programs_answer_the_service_user(host: Host) -> None:
    assert as_service_user(host, "labrig-lab version") == 0


@pytest.mark.parametrize(
    "command",
    [
        "systemctl enable --now --quiet ssh.service",
        f"systemctl enable --now --quiet {UNIT} ssh.service",
        "systemctl stop nginx.service",
        "systemctl enable --now --quiet labrig-container@../ssh.service",
        "labrig-edge put ../nginx.conf",
        "labrig-edge put a.conf b.conf",
        "labrig-edge show a.conf",
        "sh",
    ],
)
def test_the_service_user_may_do_no_more_as_root(host: Host, command: str) -> None:
    told = host.run(f"runuser --user labrig -- sudo --non-interactive {command}")
    assert told.rc == 1
    assert "a password is required" in told.stderr


def test_an_experiment_is_started_again_and_forgotten(host: Host, experiment: str) -> None:
    asked = awaited(f"docker exec {experiment} true")
    assert as_service_user(host, f"sudo --non-interactive systemctl enable --now --quiet {UNIT}") == 0
    host.check_output("sh -c %s", asked)
    assert host.service(UNIT).is_enabled
    # As a server that crashes; the engine itself would not start it again.
    host.check_output("docker kill %s", experiment)
    host.check_output("sh -c %s", asked)
    assert as_service_user(host, f"sudo --non-interactive systemctl disable --now --quiet {UNIT}") == 0
    assert host.check_output("docker inspect --format '{{.State.Running}}' %s", experiment) == "false"
    assert host.check_output("systemctl list-units --all --plain --no-legend 'labrig-container@shop*'") == ""


@pytest.mark.parametrize("port", [22, 80])
def test_a_stranger_gets_to_ssh_and_edge(host: Host, outside: str, port: int) -> None:
    assert is_open(host, "192.0.2.1", port, before=outside)


@pytest.fixture
def listener(host: Host) -> Iterator[int]:
    """Have something of the machine itself listen on all addresses; return its port."""
    host.check_output("systemd-run --quiet --unit=listener " + SERVE_PAGES + " 8001")
    host.check_output(
        "sh -c 'for n in $(seq 50); do ss -Hltn sport = 8001 | grep -q . && exit; sleep 0.1; done; exit 1'"
    )
    yield 8001
    host.check_output("systemctl stop listener.service")


def test_a_stranger_gets_nowhere_else(host: Host, outside: str, experiment: str, listener: int) -> None:
    host.check_output("docker start %s", experiment)
    assert is_open(host, "127.0.0.1", 8080)
    assert not is_open(host, "192.0.2.1", 8080, before=outside)
    assert not is_open(host, ADDRESS, 8000, before=outside)
    assert is_open(host, "127.0.0.1", listener)
    assert not is_open(host, "192.0.2.1", listener, before=outside)


def test_an_experiment_gets_to_the_edge_and_to_nothing_else_of_the_host(
    host: Host, experiment: str, listener: int
) -> None:
    host.check_output("docker start %s", experiment)
    inside = f"docker exec {experiment}"
    assert is_open(host, "10.213.0.1", 80, before=inside)
    assert not is_open(host, "10.213.0.1", listener, before=inside)
