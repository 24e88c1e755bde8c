"""Running a command in a container, with input, a time limit, and both of its outputs apart."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from docker import DockerClient
from docker.utils.socket import STDERR

from labrig import clock
from labrig.engine.client import close_stream

HEAD = struct.Struct(">BxxxL")


@dataclass(frozen=True)
class Result:
    """What a command came to; bytes that are no UTF-8 read as replacement characters."""

    code: int
    stdout: str
    stderr: str

    def tail(self, lines: int = 15) -> str:
        """Return the last lines of both outputs."""
        return "\n".join((self.stdout + self.stderr).strip().splitlines()[-lines:])


def execute(
    client: DockerClient,
    container: str,
    words: Sequence[str],
    *,
    user: str = "",
    env: Mapping[str, str] | None = None,
    folder: str = "",
    stdin: bytes | None = None,
    seconds: float,
) -> Result:
    """Run a command in a running container and return what it came to.

    Raises:
        TimeoutError: It has not ended within ``seconds``; it goes on in the container.
        APIError: The container does not run.
    """
    api = client.api
    handle = api.exec_create(
        container,
        list(words),
        stdin=stdin is not None,
        user=user,
        environment=dict(env or {}),
        workdir=folder or None,
    )["Id"]
    view = api.exec_start(handle, socket=True)
    pieces: tuple[list[bytes], list[bytes]] = ([], [])
    end = clock.monotonic() + seconds
    try:
        raw: Any = getattr(view, "_sock", view)
        raw.settimeout(seconds)
        if stdin is not None:
            raw.sendall(stdin)
            raw.shutdown(socket.SHUT_WR)
        for stream, piece in frames(raw, lambda: max(0.001, end - clock.monotonic())):
            pieces[stream == STDERR].append(piece)
    finally:
        close_stream(view)
    code = api.exec_inspect(handle)["ExitCode"]
    out, err = (b"".join(part).decode(errors="replace") for part in pieces)
    return Result(int(code if code is not None else 255), out, err)


def frames(raw: socket.socket, limit: Callable[[], float | None]) -> Iterator[tuple[int, bytes]]:
    """Yield the pieces of both streams as they come: a head of eight bytes with stream and length before each.

    Docker's own reader waits without a limit, whatever limit the socket has.

    Args:
        raw: The socket below the stream of a command.
        limit: Tells, each time, how many seconds to wait for the next bytes; None for as long as it takes.

    Raises:
        TimeoutError: Nothing came within that.
    """
    while head := _read(raw, HEAD.size, limit):
        stream, length = HEAD.unpack(head)
        yield stream, _read(raw, length, limit)


def _read(raw: socket.socket, size: int, limit: Callable[[], float | None]) -> bytes:
    """Return exactly so many bytes, or none at the end of the stream."""
    found = bytearray()
    while len(found) < size:
        raw.settimeout(limit())
        piece = raw.recv(size - len(found))
        if not piece:
            return b""
        found += piece
    return bytes(found)
