"""Sessions of a process that waits for each command itself, such as a test: no thread, and no socket to listen at.

A session runs one command at a time. Who finds none that is idle starts another one, so that commands of several
threads run side by side.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import threading
from collections.abc import Sequence
from typing import IO, NamedTuple

from labrig import clock
from labrig.session.agent import END_OF_INPUT, ERRORS, EXIT, HEADER, OPEN, OUTPUT, READY
from labrig.session.start import START_SECONDS, agent_command, agent_source, opening

PIECE = 1 << 16
END_SECONDS = 5.0
# How long a place where no agent could begin is left alone.
AGAIN_AFTER_SECONDS = 10.0


class Result(NamedTuple):
    """What a command returned."""

    code: int
    out: bytes
    errors: bytes


class Broken(Exception):
    """A session ended while a command ran in it.

    Attributes:
        result: What the command had said, with the exit code of the process that held the session.
    """

    def __init__(self, result: Result) -> None:
        super().__init__("the session in the machine broke off")
        self.result = result


class Pool:
    """The sessions of one user in one machine.

    Args:
        command: How to run a command there with its input, up to where the command's own words follow:
            ``docker exec -i web``.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._lock = threading.Lock()
        self._idle: list[_Session] = []
        self._owner = os.getpid()
        self._not_before = 0.0

    def run(self, arguments: Sequence[str]) -> Result | None:
        """Run a command without input; return None, and do nothing, where no session can be had.

        Raises:
            Broken: The session ended meanwhile.
        """
        session = self._take()
        if session is None:
            return None
        try:
            result = session.run(arguments)
        except BaseException:
            # What still runs there ends with it, whether it broke off or somebody does not want to wait any more.
            session.close()
            raise
        with self._lock:
            self._idle.append(session)
        return result

    def close(self) -> None:
        """End all sessions, and wait until they have ended."""
        with self._lock:
            sessions, self._idle = self._idle, []
        if self._owner == os.getpid():
            for session in sessions:
                session.close()

    def _take(self) -> _Session | None:
        with self._lock:
            if self._owner != os.getpid():
                # After a fork they are still the parent's.
                self._idle, self._owner = [], os.getpid()
            while self._idle:
                session = self._idle.pop()
                if session.is_alive():
                    return session
                session.close()
            if clock.monotonic() < self._not_before:
                return None
        begun = _Session.begin(self._command)
        if begun is None:
            self._not_before = clock.monotonic() + AGAIN_AFTER_SECONDS
        return begun


class _Session:
    """One agent, at the other end of a process that holds its input and output."""

    def __init__(self, process: subprocess.Popen[bytes], writing: IO[bytes], reading: IO[bytes]) -> None:
        self._process = process
        self._writing = writing
        self._reading = reading
        self._received = bytearray()
        self._channel = 0

    @classmethod
    def begin(cls, command: Sequence[str]) -> _Session | None:
        """Start an agent; return None where there is no Python for it, or no machine."""
        try:
            process = subprocess.Popen(
                [*command, *agent_command()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
            )
        except (FileNotFoundError, PermissionError):
            return None
        assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018  # both are pipes
        session = cls(process, process.stdin, process.stdout)
        try:
            session._write(agent_source())
            if session._is_answering() and session._frame()[0] == READY:
                return session
        except (BrokenPipeError, EOFError):
            # And no other error: a time limit of the test's own is one of the operating system's as well.
            pass
        except BaseException:
            session.close()
            raise
        session.close()
        return None

    def is_alive(self) -> bool:
        """Tell whether it was not ended between two commands: it has nothing to say there but that it is over."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._reading, selectors.EVENT_READ)
            return not selector.select(0)

    def run(self, arguments: Sequence[str]) -> Result:
        """Run a command."""
        told = {kind: bytearray() for kind in (OUTPUT, ERRORS)}
        self._channel += 1
        payload = opening(arguments, has_input=False)
        try:
            self._write(
                HEADER.pack(OPEN, self._channel, len(payload)) + payload + HEADER.pack(END_OF_INPUT, self._channel, 0)
            )
            while True:
                kind, said = self._frame()
                if kind == EXIT:
                    return Result(int(said.split()[0]), *map(bytes, told.values()))
                told[kind] += said
        except (BrokenPipeError, EOFError):
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(END_SECONDS)
            code = self._process.returncode
            raise Broken(Result(-1 if code is None else code, *map(bytes, told.values()))) from None

    def close(self) -> None:
        """End the agent with what it runs; it is gone when this returns, unless it does not answer any more."""
        for stream in (self._writing, self._reading):
            stream.close()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _is_answering(self) -> bool:
        with selectors.DefaultSelector() as selector:
            selector.register(self._reading, selectors.EVENT_READ)
            return bool(selector.select(START_SECONDS))

    def _write(self, content: bytes) -> None:
        rest = memoryview(content)
        while rest:
            rest = rest[self._writing.write(rest) :]

    def _frame(self) -> tuple[int, bytes]:
        """Return kind and payload of what comes next.

        Raises:
            EOFError: Nothing will come any more.
        """
        while True:
            if len(self._received) >= HEADER.size:
                kind, _, length = HEADER.unpack_from(self._received)
                end = HEADER.size + length
                if len(self._received) >= end:
                    payload = bytes(self._received[HEADER.size : end])
                    del self._received[:end]
                    return kind, payload
            piece = self._reading.read(PIECE)
            if not piece:
                raise EOFError
            self._received += piece
