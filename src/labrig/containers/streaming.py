"""What a container prints, written to two files while it prints it."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import Any

import requests
from docker import DockerClient
from docker.errors import DockerException

from labrig.engine.client import engine_errors

DRAIN_SECONDS = 5.0


class LiveLogs:
    """Writes standard output to ``PREFIX.out`` and standard error to ``PREFIX.err``, as the container prints them.

    Attributes:
        out: The file of standard output.
        err: The file of standard error; empty for a container with a terminal, which has one stream only.
    """

    def __init__(self, client: DockerClient, label: str, prefix: Path) -> None:
        self.out, self.err = (prefix.with_name(prefix.name + ending) for ending in (".out", ".err"))
        self._client = client
        self._label = label
        self._threads: list[threading.Thread] = []
        self._streams: list[Any] = []
        self._began = (0, 0)
        prefix.parent.mkdir(parents=True, exist_ok=True)
        for path in (self.out, self.err):
            path.write_bytes(b"")

    def follow(self, container: str) -> None:
        """Write what a container has printed and is not here yet, and what comes, until it exits."""
        self.stop()
        self._began = (self.out.stat().st_size, self.err.stat().st_size)
        with engine_errors(f"read what container {self._label} prints"):
            api = self._client.api
            for path, here in zip((self.out, self.err), self._began, strict=True):
                wanted = {"stdout": path == self.out, "stderr": path == self.err}
                stream = api.logs(container, stream=True, follow=True, **wanted)
                thread = threading.Thread(target=_write, args=(stream, path, here), daemon=True)
                thread.start()
                self._streams.append(stream)
                self._threads.append(thread)

    def since_start(self, out: int = 0, err: int = 0) -> tuple[bytes, bytes]:
        """Return what was printed since the container was last started, from these places on: output, errors."""
        texts = []
        for path, place in ((self.out, self._began[0] + out), (self.err, self._began[1] + err)):
            with path.open("rb") as file:
                file.seek(place)
                texts.append(file.read())
        return texts[0], texts[1]

    def drain(self) -> None:
        """Wait until the last words of a container that has exited are written."""
        for thread in self._threads:
            thread.join(DRAIN_SECONDS)

    def stop(self) -> None:
        """Write no more."""
        for stream, thread in zip(self._streams, self._threads, strict=True):
            if thread.is_alive():
                with contextlib.suppress(OSError, DockerException):
                    stream.close()
                thread.join(DRAIN_SECONDS)
        self._streams, self._threads = [], []


def _write(stream: Any, path: Path, here: int) -> None:
    # The engine gives all of it after each start. Times do not tell what is new: a line may be noted after the exit.
    # The stream ends with the container, with the engine, or when it is cut off by stop().
    with (
        path.open("ab", buffering=0) as file,
        contextlib.suppress(OSError, ValueError, DockerException, requests.RequestException),
    ):
        for piece in stream:
            file.write(piece[here:])
            here = max(0, here - len(piece))
