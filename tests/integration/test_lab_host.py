"""A lab host with an engine of its own: its containers are told as somebody decided them."""

import uuid

import pytest
from trials.containers import IMAGE, MACHINE, Container, docker, told

from labrig.state.compare import compare
from labrig.state.rules import ONE_MACHINE_RULES

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


class LabHost(Container):
    """A machine that containers run on."""

    def __init__(self):
        super().__init__()
        self.volume = f"labrig-test-engine-{uuid.uuid4().hex[:8]}"

    def start(self):
        docker("volume", "create", "--label=org.labrig.kind=test", self.volume)
        options = ("--hostname=m1", *MACHINE, *OWN_ENGINE, f"--volume={self.volume}:/var/lib/docker")
        docker("run", "--detach", f"--name={self.name}", *options, IMAGE, "/lib/systemd/systemd")

    def remove(self):
        super().remove()
        docker("volume", "rm", "--force", self.volume)


@pytest.fixture(scope="module")
def host():
    machine = LabHost()
    try:
        machine.start()
        machine.wait().run("apt-get update -qq -o Acquire::Retries=5")
        machine.run(f"apt-get install -y -qq --no-install-recommends -o Acquire::Retries=5 {PACKAGES}")
        machine.run(IMPORT.format(version=1))
        machine.run(CONTAINERS)
        yield machine
    finally:
        machine.remove()


def containers(state):
    return {key: value for (dimension, key), value in state.entries.items() if dimension == "container"}


def test_containers_are_told_and_survive_a_restart(host):
    before = host.capture()
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
    after = host.restart().capture()
    comparison = compare(before, after, rules=ONE_MACHINE_RULES)
    assert [text for text in told(comparison, left="before", right="after") if "container" in text.lower()] == []


def test_what_is_done_to_containers_is_found(host):
    before = host.capture()
    host.run(
        IMPORT.format(version=1) + "docker network create more; docker stop -t 0 web; docker rm -f $(docker ps -q)"
    )
    found = {(one.dimension, one.key): one for one in compare(before, host.capture()).differences}
    assert found["container", "container web"].fields == ("exit_code", "image_outdated", "state")
    assert found["container", "container without a name, of app:1"].right is None
    assert found["container", "network more"].left is None


def test_an_engine_that_does_not_run_is_not_started_by_looking(host):
    host.run("systemctl stop docker.service")
    assert containers(host.capture()) == {}
    host.run("! systemctl is-active docker.service")
