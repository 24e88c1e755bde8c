"""Whatever runs the commands of a plan: a connection to a lab host, or the lab host by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from labrig.experiments.command import Command
from labrig.experiments.protocol import Done

# Looks and small changes: a host that needs longer is no use.
USUAL_SECONDS = 120.0

Hear = Callable[[str, bool], None]
"""Is told output as it comes, and whether it is of standard error."""


class Runner(Protocol):
    """Runs commands on a lab host."""

    @property
    def host(self) -> str:
        """What the lab host is called."""

    def run(self, command: Command, *, seconds: float | None = USUAL_SECONDS, hear: Hear | None = None) -> Done:
        """Run a command to its end, whatever its exit code is.

        Args:
            command: The command.
            seconds: How long it may take; None is no limit.
            hear: Is told what it writes; the answer has all of it nevertheless.

        Raises:
            EnvironmentFailed: The connection broke.
        """

    def run_all(self, commands: Mapping[str, Command]) -> dict[str, Done]:
        """Run commands side by side, and return their answers by name.

        Raises:
            EnvironmentFailed: The connection broke.
        """
