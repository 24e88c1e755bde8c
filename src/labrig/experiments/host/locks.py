"""The locks of experiments: held by an open file, so that none is left over when its holder dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Self

from labrig import clock
from labrig.errors import EnvironmentFailed
from labrig.experiments.naming import Names

BETWEEN_ATTEMPTS = 0.1
# What the host does by itself takes moments, so it is waited for, and nobody is refused since it happened to be at it.
HOST = "the lab host itself"
HOST_SECONDS = 60.0


class Lock:
    """The lock of one experiment."""

    def __init__(self, names: Names) -> None:
        self._path = Path(names.lock)
        self._file: IO[str] | None = None

    def take(self, holder: str) -> bool:
        """Take it, if nobody else has it, and tell others who has it.

        Args:
            holder: Whom others are told.

        Raises:
            EnvironmentFailed: The folder of locks is not this user's.
        """
        try:
            # The file stays: who removed it would hand the same lock to two others.
            file = os.fdopen(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+", encoding="utf-8")
        except OSError as error:
            raise EnvironmentFailed(f"{self._path} cannot be locked: {error.strerror}") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        file.truncate(0)
        file.write(f"{holder}, since {clock.now().isoformat(timespec='seconds')}\n")
        file.flush()
        self._file = file
        return True

    def attempts(self, holder: str, seconds: float) -> Iterator[bool]:
        """Try to take it until that succeeds, or the time is over; yield after each attempt whether it did.

        Args:
            holder: Whom others are told.
            seconds: How long anybody is waited for; for what the host does by itself, at least ``HOST_SECONDS``.

        Raises:
            EnvironmentFailed: The folder of locks is not this user's.
        """
        began = clock.monotonic()
        while True:
            is_taken = self.take(holder)
            yield is_taken
            waited = clock.monotonic() - began
            limit = max(seconds, HOST_SECONDS) if self.holder().startswith(HOST) else seconds
            if is_taken or waited >= limit:
                return

    def wait(self, holder: str) -> bool:
        """Take it, waiting for nothing but what the host does by itself; return whether that succeeded."""
        for is_taken in self.attempts(holder, 0):
            if is_taken:
                return True
            clock.sleep(BETWEEN_ATTEMPTS)
        return False

    def holder(self) -> str:
        """Return who took it last, and when."""
        try:
            return self._path.read_text(encoding="utf-8").strip() or "somebody"
        except OSError:
            return "somebody"

    def release(self) -> None:
        """Give it back, if it is held."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *ended: object) -> None:
        self.release()
