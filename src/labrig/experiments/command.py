"""A command for a lab host as an argument vector, and the one place where it is quoted for its shell."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from labrig.errors import UsageError
from labrig.experiments.naming import Names

# What flock answers where somebody else has the lock: sysexits' EX_TEMPFAIL.
LOCKED = 75
# What ssh answers where it is ssh that failed.
TRANSPORT_FAILED = 255


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


def quoted(argv: Sequence[str]) -> str:
    """Return the text that a POSIX shell, or ``shlex.split``, takes for exactly these arguments.

    >>> quoted(["git", "fetch", "a b; rm -r ~"])
    "git fetch 'a b; rm -r ~'"

    Raises:
        UsageError: An argument has a NUL, which no command can be given.
    """
    for one in argv:
        if "\0" in one:
            raise UsageError(f"an argument has a NUL byte: {one!r}")
    return shlex.join(argv)


def over_ssh(host: str, command: Command, *, control: PurePosixPath, reads_configuration: bool = True) -> list[str]:
    """Return the arguments that carry a command out on a lab host.

    Args:
        host: As ssh has it.
        command: What to carry out; its standard input is ssh's.
        control: The socket by which all commands share one connection; short, as sockets are.
        reads_configuration: Whether ssh reads its configuration files.
    """
    options = [
        "-T",
        *([] if reads_configuration else ["-F", "none"]),
        *("-o", "ControlMaster=auto", "-o", "ControlPersist=60", "-o", f"ControlPath={_no_tokens(str(control))}"),
        # Nobody is forwarded to a host that strangers' branches run on.
        *("-o", "ForwardAgent=no", "-o", "ForwardX11=no", "-o", "ClearAllForwardings=yes"),
        # A connection that broke is told within a minute, not when TCP gives up.
        *("-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=4"),
    ]
    return ["ssh", *options, "--", host, quoted(command.argv)]


def _no_tokens(path: str) -> str:
    return path.replace("%", "%%")


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
