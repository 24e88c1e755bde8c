"""The access log as it grows, also over its rotations."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import IO


class Growth:
    """What is written to a log from now on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None
        self._open()
        if self._file is not None:
            self._file.seek(0, os.SEEK_END)

    def lines(self) -> list[str]:
        """Return the lines since the last time; one that is half written is returned when it is whole."""
        is_another = self._is_another()
        found = self._rest()
        if is_another:
            self._open()
            found += self._rest()
        return found

    def close(self) -> None:
        """Read no more."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _rest(self) -> list[str]:
        found: list[str] = []
        while self._file is not None:
            place = self._file.tell()
            line = self._file.readline()
            if not line.endswith("\n"):
                self._file.seek(place)
                break
            found.append(line)
        return found

    def _is_another(self) -> bool:
        try:
            there = self._path.stat()
        except OSError:
            return False
        if self._file is None:
            return True
        mine = os.fstat(self._file.fileno())
        return (mine.st_dev, mine.st_ino) != (there.st_dev, there.st_ino) or there.st_size < self._file.tell()

    def _open(self) -> None:
        self.close()
        # There is none before the first request.
        with contextlib.suppress(OSError):
            self._file = self._path.open(encoding="utf-8", errors="replace")
