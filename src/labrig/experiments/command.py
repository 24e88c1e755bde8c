"""A command for a lab host as an argument vector, and those that lock an experiment and write a file."""

from __future__ import annotations

from dataclasses import dataclass, field

from labrig.experiments.naming import Names
from labrig.remote.ssh import quoted

# What flock answers where somebody else has the lock: sysexits' EX_TEMPFAIL.
LOCKED = 75


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        argv: Its arguments; values that are secret never stand here.
        stdin: What it reads; shown nowhere.
        may_fail: Its failure means that there was nothing to do.
    """

    argv: tuple[str, ...]
    stdin: str = field(default="", repr=False)
    may_fail: bool = False

    def __str__(self) -> str:
        return quoted(self.argv)


def locked(names: Names, holder: str, *, wait: float = 0) -> Command:
    """Return the command that holds the lock of an experiment for as long as its standard input stays open.

    It prints the holder when it has the lock, and ends with ``LOCKED`` where another one has it, who then stands in
    ``holder_file(names)``. A connection that breaks closes its input, and with that gives the lock back.

    Args:
        names: The experiment.
        holder: Who it is and since when, one line.
        wait: Seconds to wait for it.
    """
    flock = ("flock", "--exclusive", f"--timeout={wait:g}", f"--conflict-exit-code={LOCKED}", names.lock)
    return Command((*flock, "tee", holder_file(names)), stdin=f"{holder}\n")


def holder_file(names: Names) -> str:
    """Return the file that tells who holds the lock of an experiment."""
    return f"{names.lock}.holder"


def written(path: str, text: str, mode: int = 0o600) -> tuple[Command, ...]:
    """Return the commands that write a file so that it is there as a whole or not at all."""
    new = f"{path}.new"
    return (
        Command(("install", f"--mode={mode:04o}", "/dev/stdin", new), stdin=text),
        Command(("mv", "--force", "--no-target-directory", new, path)),
    )
