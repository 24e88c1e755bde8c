"""Where the machines of one scenario are: what they are called, whose they are, how Ansible reaches them. Pure.

All of it follows from the folder where Molecule keeps the scenario's state, so that whoever knows that folder finds
the machines: each command of Molecule is a process of its own, and a worker has no more than that either.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labrig.ansible import workspace
from labrig.engine import ownership

# What marks a run as one of Molecule's. Its machines outlive the processes that made them.
PREFIX = "molecule-"


@dataclass(frozen=True)
class Place:
    """The machines of one scenario.

    Attributes:
        run: What their labels say as their run; the same whenever it is asked for on this seat.
    """

    run: str

    @classmethod
    def of(cls, ephemeral_directory: str | Path) -> Place:
        """Return the place whose state Molecule keeps in this folder."""
        known = f"{ownership.here()}:{ephemeral_directory}"
        return cls(PREFIX + hashlib.sha256(known.encode()).hexdigest()[:10])

    def container(self, machine: str) -> str:
        """Return what the container of a machine is called."""
        return f"labrig-{self.run}-{machine}"

    @property
    def socket(self) -> Path:
        """Where sessions in the machines are to be had."""
        return ownership.cache_directory() / "sessions" / f"{self.run}.sock"

    def connection(self, machine: str, environment: Mapping[str, str], *, sessions: bool = True) -> dict[str, Any]:
        """Return the variables with which Ansible reaches a machine the fastest way.

        ``ansible_host`` stays what it is without them, the machine's name: roles use it as an address.
        """
        found = workspace.session_socket(self.socket, environment) if sessions else None
        if found:
            return {
                "ansible_connection": "labrig.core.session",
                "ansible_labrig_container": self.container(machine),
                "ansible_labrig_sessions": str(found),
                "ansible_labrig_start": True,
            }
        return {**workspace.connection(None, environment), "ansible_docker_host": self.container(machine)}

    def test_connection(self, machine: str) -> dict[str, str]:
        """Return the variables with which Testinfra reaches a machine: it knows one connection only."""
        return {"ansible_connection": workspace.CLI_CONNECTION, "ansible_host": self.container(machine)}
