"""Machines to try the captured state on: booted, prepared once, kept as an image, captured as a proof does it.

>>> with Lab() as lab:
...     machine = lab.start()
...     run(machine, "touch /etc/left")
...     state = lab.state(machine)
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Sequence
from typing import Self

from labrig.engine.machines import PRIVILEGED_CAPABILITIES, Machine, MachineSpec
from labrig.prove.run import Run
from labrig.state.capture import FINGERPRINT_KEY, capture, request
from labrig.state.compare import Comparison
from labrig.state.explain import sentence
from labrig.state.model import State

IMAGE = "labrig/debian-12:latest"

# All machines of a lab have the identity that the machines of one proof share.
HOSTNAME = "m1"

ENVIRONMENT = "export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8\n"
QUIETLY = "-qq -o Acquire::Retries=5 --no-install-recommends"

# A mirror that is away for a moment is no finding. apt-get update succeeds where indexes are missing, too.
FETCH = """
for pause in 1 5 20 60; do
  apt-get update -qq -o Acquire::Retries=5 -o APT::Update::Error-Mode=any && {install} && exit 0
  sleep "$pause"
done
exit 1
"""


class Lab:
    """A place for machines; a context manager that leaves neither machines nor images behind."""

    def __init__(self) -> None:
        self._exits = contextlib.ExitStack()
        self._numbers = itertools.count(1)

    def __enter__(self) -> Self:
        self._run = self._exits.enter_context(Run("detection"))
        return self

    def __exit__(self, *ended: object) -> None:
        self._run.remove_machines()
        self._exits.close()

    def start(self, image: str = IMAGE, *, engine: bool = False) -> Machine:
        """Return a machine that has booted; ``engine``: a Docker Engine of its own may run there."""
        # Firewall rules and kernel settings of its own are what a machine in a scenario may have, too.
        spec = MachineSpec(name=HOSTNAME, image=image, hostname=HOSTNAME, capabilities=PRIVILEGED_CAPABILITIES)
        if engine:
            spec = dataclasses.replace(
                spec,
                capabilities=(*PRIVILEGED_CAPABILITIES, "SYSLOG", "SYS_MODULE"),
                volumes=("/var/lib/docker",),
                extra={"security_opt": ["seccomp=unconfined", "apparmor=unconfined"]},
            )
        return self._run.start_machine(spec, str(next(self._numbers)))

    def keep(self, machine: Machine) -> str:
        """Shut a machine down, keep its files as an image, remove it, and return the image's name."""
        machine.stop()
        tag = machine.container
        machine.commit("labrig/detection", tag, self._run.labels("snapshot"))
        machine.remove()
        name = f"labrig/detection:{tag}"
        self._exits.callback(self._run.client.images.remove, name, force=True)
        return name

    def prepared(self, packages: Sequence[str], script: str = "", *, engine: bool = False) -> str:
        """Return an image with packages installed and a script run."""
        machine = self.start(engine=engine)
        run(machine, fetch(f"apt-get install -y {QUIETLY} {' '.join(packages)}"))
        run(machine, f"apt-get clean\n{script}")
        return self.keep(machine)

    def fetched(self, packages: Sequence[str]) -> str:
        """Return an image that has packages and all they need in apt's archive, and none of them installed."""
        machine = self.start()
        run(machine, fetch(f"apt-get install -y --download-only {QUIETLY} {' '.join(packages)}"))
        return self.keep(machine)

    def state(self, machine: Machine) -> State:
        """Return what a machine is once it has come to rest, its own addresses as ``<self>``."""
        machine.settle()
        asked = request(own_addresses=machine.addresses(), key=FINGERPRINT_KEY)
        return capture(machine.stream, asked=asked, python=machine.python(), source="a state")


def told(comparison: Comparison, **sides: str) -> list[str]:
    """Return what differs as sentences; ``left`` and ``right`` name the sides."""
    return [sentence(difference, **sides) for difference in comparison.differences]


def fetch(install: str) -> str:
    """Return a script that asks the mirrors and runs a command, again if they do not answer."""
    return FETCH.format(install=install)


def run(machine: Machine, script: str) -> str:
    """Run a shell script in a machine and return what it printed.

    Raises:
        RuntimeError: A command of it failed; the message has its last words.
    """
    done = machine.execute(["/bin/sh", "-ec", ENVIRONMENT + script])
    if done.code != 0:
        said = (done.stdout + done.stderr).decode(errors="replace")[-1500:]
        told = f"in machine {machine.container}, code {done.code} of\n{script}\n{said}"
        raise RuntimeError(told)
    return done.stdout.decode(errors="replace")
