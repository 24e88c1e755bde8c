"""Machines of Docker by its command line, for what a Lab does not offer: options and volumes of one's own."""

import shlex
import subprocess
import time
import uuid

import pytest

from labrig.state.capture import capture, request
from labrig.state.explain import sentence

IMAGE = "labrig/debian-12:latest"
START_LIMIT = 60.0

# What a machine needs to boot, whatever it is called.
MACHINE = (
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
        docker("run", "--detach", f"--name={self.name}", "--hostname=m1", *MACHINE, IMAGE, "/lib/systemd/systemd")

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


def told(comparison, **sides):
    return [sentence(difference, **sides) for difference in comparison.differences]
