"""A command for a lab host as an argument vector, and those that write a file."""

from __future__ import annotations

from dataclasses import dataclass, field

from labrig.remote.ssh import quoted


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


def written(path: str, text: str, mode: int = 0o600) -> tuple[Command, ...]:
    """Return the commands that write a file so that it is there as a whole or not at all."""
    new = f"{path}.new"
    return (
        Command(("install", f"--mode={mode:04o}", "/dev/stdin", new), stdin=text),
        Command(("mv", "--force", "--no-target-directory", new, path)),
    )
