"""Testinfra's connection to containers through sessions: a test's question costs no process of the engine's.

``labrig://CONTAINER`` is such a connection. ``in_place_of_docker`` makes one of ``docker://CONTAINER``, which is also
what Testinfra's ``ansible://`` turns a host of an inventory into whose connection is Docker.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from testinfra.backend.base import CommandResult
from testinfra.backend.docker import DockerBackend

from labrig.session.pool import Broken, Pool
from testinfra import backend

# The sessions of each user in each container, for as long as the process lives or until they are closed.
_POOLS: dict[tuple[str, str | None], Pool] = {}


class SessionEnded(RuntimeError):
    """Something in the machine ended the session while a command ran, so that nobody knows what became of it."""


class SessionBackend(DockerBackend):  # type: ignore[misc]  # Testinfra is not typed for others
    """Docker's backend, with a session where one can be had."""

    def run(self, command: str, *args: str, **kwargs: Any) -> CommandResult:
        """Run a command in the container, as Docker's backend does."""
        text = self.get_command(command, *args)
        words = self.encode(text)
        if b"\0" in words:
            # No command can hold it, and the plain backend says so.
            return super().run(command, *args, **kwargs)
        pool = _POOLS.setdefault((self.name, self.user), Pool(self._entering()))
        try:
            done = pool.run(["/bin/sh", "-c", words.decode("utf-8", "surrogateescape")])
        except Broken as broken:
            if super().run("true").rc == 0:
                raise SessionEnded(
                    f"the session in container {self.name} was ended while this ran: {text}; a test that ends all"
                    " processes there needs --docker-through=exec"
                ) from None
            # The container stopped, and with it every command in it.
            done = broken.result
        if done is None:
            return super().run(command, *args, **kwargs)
        return self.result(done.code, words, done.out, done.errors)

    def _entering(self) -> list[str]:
        return ["docker", "exec", "-i", *(["-u", self.user] if self.user is not None else []), self.name]


class LabrigBackend(SessionBackend):
    """The same under a name of its own."""

    NAME = "labrig"


def register() -> None:
    """Make ``labrig://`` known to Testinfra."""
    backend.BACKENDS["labrig"] = f"{__name__}.{LabrigBackend.__name__}"


@contextlib.contextmanager
def in_place_of_docker() -> Iterator[None]:
    """Let Testinfra reach containers through sessions, for as long as the context lasts."""
    plain = backend.BACKENDS["docker"]
    backend.BACKENDS["docker"] = f"{__name__}.{SessionBackend.__name__}"
    try:
        yield
    finally:
        backend.BACKENDS["docker"] = plain


def close() -> None:
    """End all sessions of this process; a test that asks again begins a new one."""
    while _POOLS:
        _POOLS.popitem()[1].close()
