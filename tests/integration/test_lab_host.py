"""A lab host with an engine of its own: its containers are told as somebody decided them."""

import pytest

from labrig.state.compare import compare
from labrig.state.rules import ONE_MACHINE_RULES
from trials.lab import QUIETLY, Lab, fetch, run, told

OWN_ENGINE = (
    *("--cap-add=NET_ADMIN", "--cap-add=SYSLOG", "--cap-add=SYS_MODULE"),
    *("--security-opt=seccomp=unconfined", "--security-opt=apparmor=unconfined"),
)

# Docker's first network asks for rules of a firewall, which its package only recommends.
PACKAGES = "docker.io iptables busybox-static"

IMPORT = """
mkdir -p /srv/image/bin
cp /bin/busybox /srv/image/bin/
ln -sf busybox /srv/image/bin/sleep
tar -C /srv/image -c . | docker import - app:{version}
"""
CONTAINERS = """
docker network create lab
docker volume create files
docker run -d --name web --network lab --restart unless-stopped -e DB_PASSWORD=geheim-5317 -e MODE=x \
  -v files:/data -p 8080:80 --label role=front app:1 sleep 1000000
docker run -d --restart always app:1 sleep 1000001
"""


@pytest.fixture(scope="module")
def lab():
    with Lab() as made:
        yield made


@pytest.fixture(scope="module")
def host(lab):
    machine = lab.start(engine=True)
    run(machine, fetch(f"apt-get install -y {QUIETLY} {PACKAGES}"))
    run(machine, IMPORT.format(version=1))
    run(machine, CONTAINERS)
    return machine


def containers(state):
    return {key: value for (dimension, key), value in state.entries.items() if dimension == "container"}


def test_containers_are_told_and_survive_a_restart(lab, host):
    before = lab.state(host)
    assert before.unreadable == {}
    found = containers(before)
    assert set(found) == {
        "container web",
        "container without a name, of app:1",
        "image app:1",
        "network bridge",
        "network lab",
        "volume files",
    }
    web = found["container web"]
    assert web["state"] == "running"
    assert web["mounts"] == ["files at /data"]
    assert web["ports"] == ["0.0.0.0:8080 to 80/tcp"]
    assert web["environment"]["MODE"] == "x"
    assert "geheim" not in str(found)
    host.restart()
    after = lab.state(host)
    comparison = compare(before, after, rules=ONE_MACHINE_RULES)
    assert [text for text in told(comparison, left="before", right="after") if "container" in text.lower()] == []


def test_what_is_done_to_containers_is_found(lab, host):
    before = lab.state(host)
    run(
        host,
        IMPORT.format(version=1) + "docker network create more; docker stop -t 0 web; docker rm -f $(docker ps -q)",
    )
    found = {(one.dimension, one.key): one for one in compare(before, lab.state(host)).differences}
    assert found["container", "container web"].fields == ("exit_code", "image_outdated", "state")
    assert found["container", "container without a name, of app:1"].right is None
    assert found["container", "network more"].left is None


def test_an_engine_that_does_not_run_is_not_started_by_looking(lab, host):
    run(host, "systemctl stop docker.service")
    assert containers(lab.state(host)) == {}
    run(host, "! systemctl is-active docker.service")
