"""The sessions of one playbook run: a socket for Ansible's connection plugin, an agent in each machine it asks for."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from docker import DockerClient
from docker.errors import APIError, DockerException

from labrig import clock
from labrig.engine.client import close_stream
from labrig.engine.executing import frames
from labrig.session.agent import CLOSE, END_OF_INPUT, ERRORS, EXIT, HEADER, INPUT, OPEN, OUTPUT, READY
from labrig.session.served import Served
from labrig.session.start import START_SECONDS, agent_command, agent_source, opening

FAILED = 9
PIECE = 1 << 16
STDOUT = 1


class _Place(NamedTuple):
    """What has one session: a user in a container, and the process that asked for it."""

    container: str
    user: str
    owner: int


class Broker:
    """Listens on a socket for as long as the context lasts; ends its agents with it.

    Attributes:
        path: Where it listens.
        served: The commands that have ended, in that order.
        heard: Called with the process that a command is for, where whoever asks tells which; 0 where not.
    """

    def __init__(self, client: DockerClient, path: Path) -> None:
        self.path = path
        self.served: list[Served] = []
        self.heard: Callable[[int], None] = lambda _: None
        self._client = client
        self._listener = socket.socket(socket.AF_UNIX)
        self._is_found = False
        self._sessions: dict[_Place, _Session] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._listener.bind(str(self.path))
        self._is_found = True
        self._listener.listen(128)
        threading.Thread(target=self._accept, name="sessions", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Closing alone would leave the thread waiting in accept().
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hide()
        with self._lock:
            for session in self._sessions.values():
                session.close()
            self._sessions.clear()

    def hide(self) -> None:
        """Be found by nobody any more; who has found it is served."""
        if self._is_found:
            self._is_found = False
            self.path.unlink(missing_ok=True)

    def forget(self, owner: int) -> None:
        """End the sessions that were opened for a process."""
        with self._lock:
            over = [self._sessions.pop(place) for place in list(self._sessions) if place.owner == owner]
        for session in over:
            session.close()

    def _accept(self) -> None:
        while True:
            try:
                worker, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(worker,), name="session command", daemon=True).start()

    def _serve(self, worker: socket.socket) -> None:
        with worker, contextlib.suppress(OSError, EOFError):
            _, payload = receive(worker)
            asked = json.loads(payload)
            place = _Place(str(asked["container"]), str(asked["user"]), int(asked.get("owner", 0)))
            self.heard(place.owner)
            if asked.get("reset"):
                self._reset(place)
                return
            try:
                session = self._session(place)
                if session is None:
                    began = clock.now().timestamp()
                    _run_directly(self._client, place.container, place.user, asked["arguments"], worker)
                    self.served.append(Served(place.container, began, clock.now().timestamp()))
                else:
                    session.carry(worker, opening(asked["arguments"], has_input=asked["input"]))
            except DockerException as problem:
                said = problem.explanation if isinstance(problem, APIError) else problem
                send(worker, FAILED, 0, str(said).encode())

    def _session(self, place: _Place) -> _Session | None:
        """Return the session of a user in a container; None where no agent can run there, as before Python is there."""
        with self._lock:
            session = self._sessions.get(place)
            if session is None or session.is_over:
                session = self._sessions[place] = _Session(self._client, place.container, place.user, self.served)
            return None if session.is_over else session

    def _reset(self, place: _Place) -> None:
        with self._lock:
            session = self._sessions.pop(place, None)
        if session is not None:
            session.close()


class _Session:
    """An agent in a container, and the commands that it runs.

    Attributes:
        is_over: It has ended, or could not even begin.
    """

    def __init__(self, client: DockerClient, container: str, user: str, served: list[Served]) -> None:
        self._container = container
        self._served = served
        _, self._stream, self._socket = _exec(client, container, user, agent_command())
        self._writing = threading.Lock()
        self._workers: dict[int, socket.socket] = {}
        self._numbers = itertools.count(1)
        self._said = b""
        self._ready = threading.Event()
        self.is_over = False
        self._reader = threading.Thread(target=self._read, name="session", daemon=True)
        self._reader.start()
        with contextlib.suppress(OSError):
            self._socket.sendall(agent_source())
        if not self._ready.wait(START_SECONDS):
            # A machine that is frozen: what is tried there next fails by itself.
            self.is_over = True
            self.close()

    def carry(self, worker: socket.socket, arguments: bytes) -> None:
        """Run one command for a worker, until the worker has got its end or is gone."""
        channel = next(self._numbers)
        self._workers[channel] = worker
        try:
            self._write(OPEN, channel, arguments)
            while True:
                kind, payload = receive(worker)
                self._write(kind, channel, payload)
        except (OSError, EOFError):
            # The worker is gone, as it is once it has the exit code.
            if self._workers.pop(channel, None) is not None:
                with contextlib.suppress(OSError):
                    self._write(CLOSE, channel, b"")

    def close(self) -> None:
        """End the agent and what it runs."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        # The reader closes it, once it has seen the end.
        self._reader.join(timeout=5)

    def _write(self, kind: int, channel: int, payload: bytes) -> None:
        if self.is_over:
            raise EOFError
        with self._writing:
            send(self._socket, kind, channel, payload)

    def _read(self) -> None:
        received = bytearray()
        with contextlib.suppress(OSError):
            for number, piece in frames(self._socket, lambda: None):
                if number != STDOUT:
                    self._said = (self._said + piece)[-4000:]
                    continue
                received += piece
                while len(received) >= HEADER.size:
                    kind, channel, length = HEADER.unpack_from(received)
                    end = HEADER.size + length
                    if len(received) < end:
                        break
                    if kind == READY:
                        self._ready.set()
                    self._pass_on(kind, channel, bytes(received[HEADER.size : end]))
                    del received[:end]
        self.is_over = True
        self._ready.set()
        close_stream(self._stream)
        reason = self._said.decode(errors="replace").strip() or "the session in the machine has ended"
        for channel in list(self._workers):
            self._pass_on(FAILED, channel, reason.encode())

    def _pass_on(self, kind: int, channel: int, payload: bytes) -> None:
        worker = self._workers.get(channel)
        if worker is None:
            return
        if kind in (EXIT, FAILED):
            self._workers.pop(channel, None)
        if kind == EXIT:
            payload, _, seconds = payload.partition(b" ")
            now = clock.now().timestamp()
            self._served.append(Served(self._container, now - float(seconds), now))
        with contextlib.suppress(OSError):
            send(worker, kind, channel, payload)


def _exec(client: DockerClient, container: str, user: str, command: list[str]) -> tuple[str, Any, Any]:
    """Start a process; return its handle, its stream and the socket below that."""
    handle = client.api.exec_create(container, command, stdin=True, user=user)["Id"]
    stream = client.api.exec_start(handle, socket=True)
    raw: Any = getattr(stream, "_sock", stream)
    raw.settimeout(None)
    return handle, stream, raw


def _run_directly(client: DockerClient, container: str, user: str, arguments: list[str], worker: socket.socket) -> None:
    """Run one command as a process of the engine's own."""
    handle, stream, raw = _exec(client, container, user, arguments)

    def feed() -> None:
        with contextlib.suppress(OSError, EOFError):
            while True:
                kind, payload = receive(worker)
                if kind == END_OF_INPUT:
                    raw.shutdown(socket.SHUT_WR)
                elif kind == INPUT:
                    raw.sendall(payload)

    threading.Thread(target=feed, name="session input", daemon=True).start()
    try:
        for number, piece in frames(raw, lambda: None):
            send(worker, OUTPUT if number == STDOUT else ERRORS, 0, piece)
    finally:
        close_stream(stream)
    code = client.api.exec_inspect(handle)["ExitCode"]
    send(worker, EXIT, 0, str(code).encode())


def send(end: Any, kind: int, channel: int, payload: bytes) -> None:
    """Write a frame."""
    end.sendall(HEADER.pack(kind, channel, len(payload)) + payload)


def receive(end: socket.socket) -> tuple[int, bytes]:
    """Return kind and payload of the next frame.

    Raises:
        EOFError: The other end is closed.
    """
    kind, _, length = HEADER.unpack(_exactly(end, HEADER.size))
    return kind, _exactly(end, length)


def _exactly(end: socket.socket, length: int) -> bytes:
    pieces = bytearray()
    while len(pieces) < length:
        piece = end.recv(min(PIECE, length - len(pieces)))
        if not piece:
            raise EOFError
        pieces += piece
    return bytes(pieces)
