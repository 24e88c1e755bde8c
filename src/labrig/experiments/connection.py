"""A connection to a lab host: one ssh process here, one program there, and as many commands at once as are wanted."""

from __future__ import annotations

import contextlib
import getpass
import itertools
import json
import os
import queue
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO

from labrig import __version__, clock
from labrig.errors import EnvironmentFailed, UsageError
from labrig.experiments import protocol
from labrig.experiments.command import Command
from labrig.experiments.naming import Names
from labrig.experiments.protocol import Done, Hello, Piece
from labrig.experiments.running import USUAL_SECONDS, Hear
from labrig.remote import ssh

PROGRAM = "labrig-lab"
# Whom developers log in as where the settings name nobody: the role makes this user.
USER = "labrig"
INSTALL = "`ansible-playbook -i hosts labrig.core.lab` installs them"
_HELLO_SECONDS = 60.0
_END_SECONDS = 5.0


class Busy(UsageError):
    """Somebody else has the lock of the experiment."""


@contextlib.contextmanager
def reached(host: str, *, config: Path | None = None) -> Iterator[ssh.Ssh]:
    """Hold a connection to a lab host over which its programs can be run; it is closed at the end.

    Args:
        host: As ssh knows it; without a user, the one that the lab's role makes.
        config: Another file than ~/.ssh/config.
    """
    with ssh.connection(host, user="" if "@" in host else USER, config=config) as over:
        yield over


@contextlib.contextmanager
def lab(host: str, *, config: Path | None = None) -> Iterator[Lab]:
    """Hold a connection to a lab host; what runs there is ended, and locks are given back, with it.

    Args:
        host: As ssh knows it; without a user, the one that the lab's role makes.
        config: Another file than ~/.ssh/config.

    Raises:
        EnvironmentFailed: The host is not reached, has not labrig's programs or those of another version, or no engine.
    """
    with reached(host, config=config) as over, tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(
                over.argv([PROGRAM, "serve"]),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                # Ctrl-C is for labrig alone: it decides what is ended, and when.
                start_new_session=True,
            )
        except OSError as error:
            raise EnvironmentFailed(f"ssh cannot be started: {error.strerror}", hint="install OpenSSH") from error
        made = Lab(host, process, over, errors)
        try:
            made.greet()
            yield made
        finally:
            made.close()


class Lab:
    """A lab host at the other end of a connection.

    Attributes:
        host: As ssh knows it.
        hello: What it said of itself.
    """

    hello: Hello

    def __init__(self, host: str, process: subprocess.Popen[bytes], over: ssh.Ssh, errors: IO[bytes]) -> None:
        assert process.stdin is not None  # noqa: S101
        assert process.stdout is not None  # noqa: S101
        self.host = host
        self._process = process
        self._over = over
        self._errors = errors
        self._stdin = process.stdin
        self._stdout = process.stdout
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._open: dict[int, queue.SimpleQueue[Piece | Done | None]] = {}
        self._is_over = False
        self._first: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        threading.Thread(target=self._read, name=f"answers of {host}", daemon=True).start()

    def greet(self) -> None:
        """Read what the host says first.

        Raises:
            EnvironmentFailed: It is none that labrig of this version can work with.
        """
        try:
            line = self._first.get(timeout=_HELLO_SECONDS)
        except queue.Empty:
            raise EnvironmentFailed(
                f"{PROGRAM} on {self.host} says nothing for {_HELLO_SECONDS:.0f} s", hint="is the host overloaded?"
            ) from None
        if not line:
            raise self._broken()
        self.hello = hello(self.host, line)
        self._greeted = clock.monotonic()

    def run(self, command: Command, *, seconds: float | None = USUAL_SECONDS, hear: Hear | None = None) -> Done:
        """Run a command to its end, whatever its exit code is.

        Args:
            command: The command.
            seconds: How long it may take; None is no limit.
            hear: Is told what it writes as it comes; the answer has all of it nevertheless.

        Raises:
            EnvironmentFailed: The connection broke.
        """
        return self._answer(self._ask(self._request(command, seconds, is_heard=hear is not None)), hear)

    def run_all(self, commands: Mapping[str, Command]) -> dict[str, Done]:
        """Run commands side by side, and return their answers by name.

        Raises:
            EnvironmentFailed: The connection broke.
        """
        asked = {
            name: self._ask(self._request(command, USUAL_SECONDS, is_heard=False)) for name, command in commands.items()
        }
        return {name: self._answer(number, None) for name, number in asked.items()}

    def lock(self, names: Names, *, wait: float = 0) -> None:
        """Take the lock of an experiment; it is held until the connection ends.

        Args:
            names: The experiment.
            wait: Seconds to wait for it.

        Raises:
            Busy: Somebody else has it.
            EnvironmentFailed: The connection broke, or the host cannot lock.
        """
        number = next(self._numbers)
        done = self._answer(self._ask(protocol.Lock(number, names.app, names.name, who(), wait)), None)
        if done.code == protocol.LOCKED:
            raise Busy(
                f"experiment {names.app}/{names.name} is being changed: {done.err.strip()}",
                hint="--wait 10m waits for it" if not wait else "",
            )
        if done.code:
            raise EnvironmentFailed(f"{self.host} cannot lock {names.app}/{names.name}: {done.err.strip()}")

    def close(self) -> None:
        """End the connection: what runs on the host is ended, then its locks are given back."""
        with contextlib.suppress(OSError):
            self._stdin.close()
        for end in (None, self._process.terminate, self._process.kill):
            if end is not None:
                end()
            try:
                self._process.wait(_END_SECONDS)
                break
            except subprocess.TimeoutExpired:
                continue
        self._stdout.close()

    @property
    def now(self) -> datetime:
        """The time by the host's clock, which its sweep judges by: that of this machine may be another."""
        return datetime.fromisoformat(self.hello.time) + timedelta(seconds=clock.monotonic() - self._greeted)

    @property
    def is_over(self) -> bool:
        """Whether the connection has ended, so that nothing more can be asked."""
        return self._is_over

    def _request(self, command: Command, seconds: float | None, *, is_heard: bool) -> protocol.Run:
        return protocol.Run(next(self._numbers), command.argv, command.stdin, seconds, stream=is_heard)

    def _ask(self, request: protocol.Run | protocol.Lock) -> int:
        with self._lock:
            if self._is_over:
                raise self._broken()
            self._open[request.id] = queue.SimpleQueue()
            try:
                self._stdin.write(request.line())
                self._stdin.flush()
            except (OSError, ValueError) as error:
                raise self._broken() from error
        return request.id

    def _answer(self, number: int, hear: Hear | None) -> Done:
        said: dict[bool, list[str]] = {False: [], True: []}
        pieces = self._open[number]
        try:
            while True:
                one = pieces.get()
                if one is None:
                    raise self._broken()
                if isinstance(one, Done):
                    out, err = ("".join(said[is_error]) for is_error in (False, True))
                    return Done(one.id, one.code, out + one.out, err + one.err)
                said[one.is_error].append(one.text)
                if hear is not None:
                    hear(one.text, one.is_error)
        except KeyboardInterrupt:
            self._end(number)
            raise
        finally:
            self._open.pop(number, None)

    def _end(self, number: int) -> None:
        """End a command, so that what follows an interruption finds it ended."""
        with contextlib.suppress(OSError, ValueError, queue.Empty):
            with self._lock:
                self._stdin.write(protocol.End(number).line())
                self._stdin.flush()
            while isinstance(self._open[number].get(timeout=_END_SECONDS), Piece):
                pass

    def _read(self) -> None:
        """Hand each answer to whom it is for, until there are none any more."""
        try:
            self._first.put(self._stdout.readline())
            for line in self._stdout:
                answer = protocol.answer(line)
                if isinstance(answer, Piece | Done) and (asked := self._open.get(answer.id)) is not None:
                    asked.put(answer)
        except (OSError, ValueError):
            # What is no answer is the end as well: nothing that follows could be trusted.
            pass
        with self._lock:
            self._is_over = True
            for asked in self._open.values():
                asked.put(None)

    def _broken(self) -> EnvironmentFailed:
        """Return why there are no more answers."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS)
        code = self._process.poll()
        self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, self._errors.tell() - 4000))
        said = self._errors.read().decode(errors="replace").strip()
        if code == protocol.NOT_FOUND:
            return EnvironmentFailed(f"{self.host} has not labrig's programs: it is no lab host yet", hint=INSTALL)
        # Where sshd is gone without a word, so is what ssh could say.
        if code is None or code <= 0 or (code == ssh.BROKEN and not said):
            return EnvironmentFailed(
                f"the connection to {self.host} broke", hint="what was running there is ended; try again"
            )
        return self._over.failure(PROGRAM, code, said)


def hello(host: str, line: bytes) -> Hello:
    """Return what a lab host says first.

    Raises:
        EnvironmentFailed: It is none that labrig of this version can work with.
    """
    try:
        told = json.loads(line)["hello"]
        number = told["protocol"]
    except (ValueError, TypeError, KeyError):
        start = line.decode(errors="replace").strip()[:80]
        raise EnvironmentFailed(
            f"something else than {PROGRAM} answers on {host}: {start!r}",
            hint=f"is {USER} the user there, with this key? {INSTALL}",
        ) from None
    if number != protocol.NUMBER:
        older = f"labrig {told.get('version', 'of another version')}"
        hint = INSTALL if isinstance(number, int) and number < protocol.NUMBER else "pip install --upgrade labrig"
        raise EnvironmentFailed(
            f"{host} has the programs of {older}, which speak protocol {number}; labrig {__version__} speaks"
            f" {protocol.NUMBER}",
            hint=hint,
        )
    found = protocol.answer(line)
    assert isinstance(found, Hello)  # noqa: S101
    if not found.engine:
        raise EnvironmentFailed(
            f"{host} has no Docker Engine to be had: {found.trouble}",
            hint="`systemctl status docker` there tells more; is the user in group docker?",
        )
    return found


def who() -> str:
    """Return ``user@host`` of this machine, by which others know who has a lock and who made an experiment."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
