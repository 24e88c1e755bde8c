"""Commands on a host over SSH: OpenSSH as a subprocess, so ~/.ssh/config, agents and jump hosts just work.

One connection is kept for all commands (ControlPersist). Nothing is asked: a host key that is not known or a
password that is wanted is an error.
"""

from __future__ import annotations

import contextlib
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from labrig.errors import EnvironmentFailed
from labrig.remote import processes

# A host that is gone is noticed after three unanswered questions; one that never answers, after the first limit.
OPTIONS = (
    "BatchMode=yes",
    "ConnectTimeout=15",
    "ServerAliveInterval=5",
    "ServerAliveCountMax=3",
    "ControlMaster=auto",
    "ControlPersist=30",
    "RemoteCommand=none",
    "ClearAllForwardings=yes",
    "ForwardAgent=no",
)
# ssh's own exit code, as against that of the command.
BROKEN = 255

# What to do about what ssh says; its own words are always shown.
HINTS = (
    (
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
        "another machine answers there, or it was installed anew; if that is so, `ssh-keygen -R HOST`",
    ),
    ("Host key verification failed", "connect once with ssh, or put its key into ~/.ssh/known_hosts"),
    ("Permission denied", "no password is asked for: use a key, an agent or ~/.ssh/config"),
    ("Could not resolve hostname", "check the name, or give the host a section in ~/.ssh/config"),
    ("Connection refused", "does sshd run there, on this port?"),
    ("timed out", "does the host run, and does a firewall let ssh pass?"),
    ("No route to host", "does the host run, and does a firewall let ssh pass?"),
    ("closed by remote host", "the connection broke while it was in use; try again"),
)


def quoted(command: Sequence[str]) -> str:
    """Return the text that a POSIX shell, or ``shlex.split``, takes for exactly these arguments.

    >>> quoted(["git", "fetch", "a b; rm -r ~"])
    "git fetch 'a b; rm -r ~'"

    Raises:
        ValueError: An argument has a NUL, which no command can be given.
    """
    if any("\0" in one for one in command):
        raise ValueError(f"an argument of {command[0]} has a NUL byte")
    return shlex.join(command)


@contextlib.contextmanager
def connection(host: str, *, user: str = "", port: int | None = None, config: Path | None = None) -> Iterator[Ssh]:
    """Hold a connection to a host; it is closed at the end.

    Args:
        host: As in ~/.ssh/config, a name or an address.
        user: Whom to log in as; empty for what the configuration says.
        port: None likewise.
        config: Another file than ~/.ssh/config, as ``vagrant ssh-config`` prints it for example.
    """
    # A path of a socket may have 108 characters, so it is made where paths are short.
    folder = tempfile.mkdtemp(prefix="labrig-ssh-")
    argv = ["ssh", *(["-F", str(config)] if config else []), "-T"]
    for option in (*OPTIONS, f"ControlPath={folder}/c"):
        argv += ["-o", option]
    argv += [*(["-l", user] if user else []), *(["-p", str(port)] if port else [])]
    try:
        yield Ssh(argv, host)
    finally:
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(
                [*argv, "-O", "exit", "--", host],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=5,
                check=False,
            )
        shutil.rmtree(folder, ignore_errors=True)


class Ssh:
    """A connection that commands are run over."""

    def __init__(self, argv: Sequence[str], host: str) -> None:
        self._argv = list(argv)
        self._host = host

    def execute(self, command: Sequence[str], stdin: bytes = b"") -> Iterator[bytes]:
        """Run a command with bytes on its standard input; yield its output in pieces as it comes.

        Raises:
            EnvironmentFailed: The host is not reached, the connection breaks, or the command does not end with 0.
        """
        return processes.stream(
            self.argv(command), stdin, failure=lambda code, said: self.failure(command[0], code, said)
        )

    def argv(self, command: Sequence[str], *, terminal: bool = False) -> list[str]:
        """Return the command of this machine that runs a command there.

        Args:
            command: The command.
            terminal: It has a terminal there, which has to be one here too.
        """
        return [*self._argv, *(["-t"] if terminal else []), "--", self._host, quoted(command)]

    def failure(self, command: str, code: int, said: str) -> EnvironmentFailed:
        """Return the error that a command's exit code stands for, and what was said on standard error."""
        last = said.splitlines()[-1].strip() if said else "nothing on standard error"
        if code != BROKEN:
            return EnvironmentFailed(f"{command} on {self._host} ended with exit code {code}: {last}")
        hint = next((advice for words, advice in HINTS if words in said), "")
        return EnvironmentFailed(f"no connection to {self._host}: ssh says {last!r}", hint=hint)
