"""Real machines: two that were deployed alike are the same, and every seeded defect is found on them."""

import re
import shlex
import subprocess
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from labrig.state.capture import capture, request
from labrig.state.compare import compare
from labrig.state.explain import sentence
from labrig.state.rules import ONE_MACHINE_RULES

IMAGE = "labrig/debian-12:latest"
PACKAGES = ("nginx", "redis-server", "openssh-server", "cron")
START_LIMIT = 60.0

MACHINE = (
    "--hostname=m1",
    "--cgroupns=host",
    "--volume=/sys/fs/cgroup:/sys/fs/cgroup:ro",
    "--tmpfs=/run:exec",
    "--tmpfs=/run/lock",
    "--tmpfs=/tmp:exec",
    "--env=container=docker",
    "--stop-signal=SIGRTMIN+3",
    "--cap-add=SYS_ADMIN",
    "--cap-add=SYS_PTRACE",
    "--label=org.labrig.kind=test",
)


class Container:
    """One machine in Docker."""

    def __init__(self):
        self.name = f"labrig-test-state-{uuid.uuid4().hex[:8]}"

    def start(self):
        docker("run", "--detach", f"--name={self.name}", *MACHINE, IMAGE, "/lib/systemd/systemd")

    def run(self, command):
        return docker("exec", "--env=DEBIAN_FRONTEND=noninteractive", self.name, "sh", "-ec", command)

    def wait(self):
        end = time.monotonic() + START_LIMIT
        said = ""
        while time.monotonic() < end:
            asked = ["docker", "exec", self.name, "systemctl", "is-system-running"]
            said = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
            if said in ("running", "degraded"):
                return self
            time.sleep(0.1)
        pytest.fail(f"{self.name} did not start within {START_LIMIT:.0f} s: systemd says {said!r}")

    def restart(self):
        docker("restart", self.name)
        return self.wait()

    def execute(self, argv, stdin):
        yield subprocess.run(
            ["docker", "exec", "-i", self.name, *argv], input=stdin, capture_output=True, check=True
        ).stdout

    def capture(self):
        return capture(self.execute, asked=request(key="of this test"))

    def remove(self):
        docker("rm", "--force", "--volumes", self.name)


def docker(*arguments):
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"docker {shlex.join(arguments)}: {done.stderr[-2000:]}"
    return done.stdout


def install(machine, packages):
    machine.wait().run("apt-get update -qq -o Acquire::Retries=5")
    for package in packages:
        machine.run(f"apt-get install -y -qq --no-install-recommends -o Acquire::Retries=5 {package}")


@pytest.fixture(scope="module")
def machines():
    with ExitStack() as cleaning, ThreadPoolExecutor() as pool:
        pair = []
        for _ in range(2):
            machine = Container()
            cleaning.callback(machine.remove)
            machine.start()
            pair.append(machine)
        for done in [pool.submit(install, *order) for order in zip(pair, (PACKAGES, PACKAGES[::-1]), strict=True)]:
            done.result()
        yield pair


@pytest.fixture(scope="module")
def before(machines):
    return machines[1].capture()


def told(comparison, **sides):
    return [sentence(difference, **sides) for difference in comparison.differences]


def test_the_same_packages_in_another_order_make_the_same_machine(machines, before):
    comparison = compare(machines[0].capture(), before)
    assert told(comparison) == []
    assert comparison.notes == ()
    assert comparison.compared > 10_000
    assert {"machine-id", "set-files", "id-numbers", "ssh-host-keys"} <= {
        applied.rule for applied in comparison.ignored
    }


def test_a_restarted_machine_is_what_it_was(machines):
    machine = machines[0]
    state = machine.capture()
    after = machine.restart().capture()
    assert told(compare(state, after, rules=ONE_MACHINE_RULES), left="before", right="after") == []


def test_looking_twice_sees_the_same(machines):
    states = [machines[0].capture() for _ in range(2)]
    assert told(compare(*states, rules=ONE_MACHINE_RULES), left="before", right="after") == []


DEFECTS = [
    ("one byte", "printf x >> /etc/nginx/scgi_params", "file", "/etc/nginx/scgi_params", {"sha256", "size"}),
    (
        "a byte changed in place",
        "sed -i s/daily/dailx/ /etc/logrotate.d/nginx",
        "file",
        "/etc/logrotate.d/nginx",
        {"sha256"},
    ),
    ("one mode bit", "chmod o+w /etc/nginx/nginx.conf", "file", "/etc/nginx/nginx.conf", {"mode"}),
    ("setuid", "chmod u+s /usr/bin/env", "file", "/usr/bin/env", {"mode"}),
    ("sticky bit", "chmod -t /var/tmp", "file", "/var/tmp", {"mode"}),
    ("an owner", "chown redis /etc/nginx/nginx.conf", "file", "/etc/nginx/nginx.conf", {"owner"}),
    ("a group", "chgrp www-data /etc/redis", "file", "/etc/redis", {"group"}),
    (
        "a link's target",
        "ln -sfn /usr/lib/os-release /etc/os-release",
        "file",
        "/etc/os-release",
        {"target"},
    ),
    ("a file too many", "touch '/etc/nginx/conf.d/old\n.conf'", "file", r"/etc/nginx/conf.d/old\x0a.conf", set()),
    ("a file too few", "rm /etc/logrotate.d/dpkg", "file", "/etc/logrotate.d/dpkg", set()),
    ("a log's mode", "chmod 0666 /var/log/dpkg.log", "file", "/var/log/dpkg.log", {"mode"}),
    ("a key's mode", "chmod 0644 /etc/ssh/ssh_host_rsa_key", "file", "/etc/ssh/ssh_host_rsa_key", {"mode"}),
    ("a cron line", "echo '* * * * * root true' > /etc/cron.d/more", "file", "/etc/cron.d/more", set()),
    ("a user", "useradd -M extra", "user", "extra", set()),
    ("a user in the file", "getent passwd extra", "file", "/etc/passwd", {"canonical"}),
    ("a shell", "usermod -s /bin/bash redis", "user", "redis", {"shell"}),
    ("a membership", "usermod -aG adm redis", "user", "redis", {"groups"}),
    ("a password", "echo 'redis:secret' | chpasswd", "user", "redis", {"password", "method", "fingerprint"}),
    ("a user with the rights of root", "usermod -o -u 0 games", "user", "games", {"superuser"}),
    ("a group too many", "groupadd more", "group", "more", set()),
    ("a unit disabled", "systemctl disable -q nginx", "unit", "nginx.service", {"enabled"}),
    ("a unit stopped", "systemctl stop redis-server", "unit", "redis-server.service", {"active", "sub"}),
    ("a unit masked", "systemctl mask -q fstrim.timer", "unit", "fstrim.timer", {"enabled"}),
    ("a port closed", "systemctl stop redis-server", "socket", "tcp 127.0.0.1:6379", set()),
    (
        "a port moved",
        "sed -i 's/listen 80 /listen 81 /' /etc/nginx/sites-available/default; systemctl restart nginx",
        "socket",
        "tcp 0.0.0.0:81",
        set(),
    ),
    ("a package held", "apt-mark hold nginx", "package", "nginx", {"wanted"}),
    ("a package marked automatic", "apt-mark auto redis-server", "package", "redis-server", {"automatic"}),
    (
        "a package removed, its settings kept",
        "apt-get remove -y -qq openssh-server",
        "package",
        "openssh-server",
        {"status", "wanted"},
    ),
    ("a package too few", "apt-get purge -y -qq cron", "package", "cron", set()),
]


@pytest.fixture(scope="module")
def seeded(machines, before):
    """What is found once every defect is on the second machine; the tests above must have run before."""
    for _, command, *_ in DEFECTS:
        machines[1].run(command)
    comparison = compare(before, machines[1].capture())
    return {(found.dimension, found.key): found for found in comparison.differences}


@pytest.mark.parametrize(
    ("defect", "command", "dimension", "key", "fields"), DEFECTS, ids=[defect[0] for defect in DEFECTS]
)
def test_a_defect_is_found(seeded, defect, command, dimension, key, fields):
    assert (dimension, key) in seeded, f"{defect} ({command}) was not found"
    assert fields <= set(seeded[dimension, key].fields)


def test_nothing_else_is_found_among_the_files(seeded):
    """Each file that differs was seeded, or follows from what was: account files, package database, units."""
    keys = {(dimension, key) for _, _, dimension, key, _ in DEFECTS}
    follows = re.compile(
        r"/etc/(passwd|group|shadow|gshadow|subuid|subgid|systemd/system/.+|rc\w\.d/.+|nginx/.+|runit/.+)"
        r"|/var/(lib/dpkg|lib/apt/extended_states|cache/debconf|lib/systemd/deb-systemd-helper).*"
    )
    others = [
        sentence(found, left="before", right="after")
        for place, found in seeded.items()
        if place not in keys
        and found.dimension == "file"
        and not follows.fullmatch(found.key)
        and found.package not in ("cron", "openssh-server")
    ]
    assert others == []
