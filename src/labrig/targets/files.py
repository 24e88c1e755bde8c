"""States in files: written whole or not at all, read line by line; ``.gz`` is compressed, ``-`` is a pipe."""

from __future__ import annotations

import contextlib
import gzip
import os
import stat
import sys
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from labrig.errors import EnvironmentFailed, UsageError
from labrig.state.model import TruncatedState

PIPE = "-"


def check_name(name: str) -> None:
    """Say before the work that its result can't be written there.

    Raises:
        UsageError: Its form is not known, or its folder is not there.
    """
    if name == PIPE:
        return
    _known(name)
    path = Path(name).resolve()
    if path.is_dir():
        raise UsageError(f"{name} cannot be written: it is a folder")
    if not path.parent.is_dir():
        raise UsageError(f"{name} cannot be written: {path.parent} is not a folder")


def write(name: str, lines: Iterable[str]) -> int:
    """Write lines to a file as they come, and return how many; the file is there only when it is whole.

    It is readable to its owner alone: a state tells much of a machine.

    Raises:
        EnvironmentFailed: It can't be written.
    """
    if name == PIPE:
        return _put(sys.stdout, lines)
    check_name(name)
    path = Path(name)
    path = path.resolve() if path.is_symlink() else path
    with _writing(name):
        if path.exists() and not stat.S_ISREG(path.stat().st_mode):
            with path.open("w", encoding="ascii") as stream:
                return _put(stream, lines)
        return _whole(path, lines, packed=name.endswith(".gz"))


def _whole(path: Path, lines: Iterable[str], *, packed: bool) -> int:
    descriptor, passing = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as raw:
            with _packing(raw, packed=packed) as stream:
                count = 0
                for line in lines:
                    stream.write(line.encode("ascii", "backslashreplace") + b"\n")
                    count += 1
            raw.flush()
            os.fsync(raw.fileno())
        Path(passing).replace(path)
    except BaseException:
        Path(passing).unlink(missing_ok=True)
        raise
    return count


def read(name: str) -> Iterator[str]:
    """Yield the lines of a state's file as they stand there.

    Raises:
        UsageError: It is not there or its form is not known.
        TruncatedState: Its compressed form ends early.
        EnvironmentFailed: It can't be read.
    """
    if name == PIPE:
        for line in sys.stdin.buffer:
            yield line.decode("utf-8", "replace").rstrip("\n")
        return
    _known(name)
    try:
        with open(name, "rb") as raw:  # noqa: PTH123  # a name may be anything that the system opens
            packed = raw.read(2) == b"\x1f\x8b" if raw.seekable() else name.endswith(".gz")
            if raw.seekable():
                raw.seek(0)
            with gzip.GzipFile(fileobj=raw) if packed else contextlib.nullcontext(raw) as stream:
                for line in stream:
                    yield line.decode("utf-8", "replace").rstrip("\n")
    except FileNotFoundError:
        raise UsageError(f"there is no file {name}") from None
    except IsADirectoryError:
        raise UsageError(f"{name} is a folder, expected a file of `labrig state capture`") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TruncatedState(f"{name} is not whole: {error}", hint="Capture it again.") from error
    except OSError as error:
        raise EnvironmentFailed(f"{name} cannot be read: {error.strerror}") from error


def _known(name: str) -> None:
    if name.endswith((".zst", ".xz", ".bz2")):
        raise UsageError(f"{name}: of the compressed forms only .gz is known")


def _put(stream: IO[str], lines: Iterable[str]) -> int:
    count = 0
    for line in lines:
        stream.write(line + "\n")
        count += 1
    stream.flush()
    return count


@contextlib.contextmanager
def _packing(raw: IO[bytes], *, packed: bool) -> Iterator[IO[bytes]]:
    if not packed:
        yield raw
        return
    # Without name and time: equal states give equal files.
    with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as stream:
        yield stream  # type: ignore[misc]  # it writes bytes


@contextlib.contextmanager
def _writing(name: str) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise EnvironmentFailed(f"{name} cannot be written: {error.strerror}") from error
