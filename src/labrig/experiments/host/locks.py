"""The locks of experiments: held by an open file, so that none is left over when its holder dies."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO, Self

from labrig import clock
from labrig.errors import EnvironmentFailed
from labrig.experiments.naming import Names

BETWEEN_ATTEMPTS = 0.1


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

    def wait(self, holder: str, seconds: float) -> bool:
        """Take it as soon as nobody else has it; return whether that was within some seconds."""
        end = clock.monotonic() + seconds
        while not self.take(holder):
            if clock.monotonic() >= end:
                return False
            clock.sleep(BETWEEN_ATTEMPTS)
        return True

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
