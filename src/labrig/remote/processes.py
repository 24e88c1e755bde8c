"""Running a program of this machine whose output is streamed: it can't hang, and it does not outlive its reader."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence

from labrig.errors import EnvironmentFailed, LabrigError

# A program that says nothing for so long hangs; hashing a large disk takes minutes at most between two entries.
SILENCE_SECONDS = 300.0
END_SECONDS = 10.0
PIECE = 1 << 16

Failure = Callable[[int, str], LabrigError]
"""Makes an error of an exit code and of what was written to standard error."""


def stream(
    argv: Sequence[str], stdin: bytes = b"", *, failure: Failure, silence: float = SILENCE_SECONDS
) -> Iterator[bytes]:
    """Run a program with bytes on its standard input; yield its output in pieces as it comes.

    Args:
        argv: Program and arguments.
        stdin: What it reads.
        failure: Makes the error where it does not end with 0.
        silence: Seconds without output after which it is ended.

    Raises:
        EnvironmentFailed: It can't be started, or says nothing for too long.
    """
    # Files, not pipes: however much is written at either end, neither waits for the other.
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as errors:
        given.write(stdin)
        given.seek(0)
        try:
            process = subprocess.Popen(argv, stdin=given, stdout=subprocess.PIPE, stderr=errors, start_new_session=True)
        except OSError as error:
            raise EnvironmentFailed(f"{argv[0]} cannot be started: {error.strerror}") from error
        assert process.stdout is not None  # noqa: S101
        try:
            yield from _pieces(process.stdout.fileno(), argv[0], silence)
            code = process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            raise EnvironmentFailed(f"{argv[0]} does not end, although it has closed its output") from None
        finally:
            process.stdout.close()
            _end(process)
        if code != 0:
            errors.seek(max(0, errors.tell() - 4000))
            raise failure(code, errors.read().decode(errors="replace").strip())


def _pieces(descriptor: int, name: str, silence: float) -> Iterator[bytes]:
    while True:
        ready, _, _ = select.select([descriptor], [], [], silence)
        if not ready:
            raise EnvironmentFailed(f"{name} gave no output for {silence:.0f} s and was ended")
        piece = os.read(descriptor, PIECE)
        if not piece:
            return
        yield piece


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(2)
