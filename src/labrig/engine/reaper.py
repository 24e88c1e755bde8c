"""A small detached process that removes what a killed run left.

The run holds the write end of a pipe and tells what it started; the reaper holds the read end. When the run dies,
however it dies, the kernel closes the pipe, and unless the run had said ``done`` the reaper ends its processes,
removes the Docker objects of exactly that run and the folders. The protocol, one line each, arguments in JSON::

    group 4711        a process group of the run        ungroup 4711    it has ended
    folder "/tmp/x"   a folder of the run               done            nothing is left to do
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from types import TracebackType
from typing import IO, Self

from labrig import clock

# A request that the engine had accepted when the run was killed may still make something: look again for a while.
END_SECONDS = 5.0
PATIENCE_SECONDS = 8.0
QUIET_LOOKS = 4
LOOK_EVERY_SECONDS = 0.5


class Reaper:
    """The run's side of the pipe: a context manager that guards one run."""

    def __init__(self, run: str) -> None:
        self._run = run
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "labrig.engine.reaper", self._run],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
            cwd="/",
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tell("done")
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(END_SECONDS)

    def watch_group(self, group: int) -> None:
        """End this process group if the run dies."""
        self._tell(f"group {group}")

    def forget_group(self, group: int) -> None:
        """The process group has ended; its number may be another's soon."""
        self._tell(f"ungroup {group}")

    def watch_folder(self, folder: str) -> None:
        """Remove this folder if the run dies."""
        self._tell(f"folder {json.dumps(folder)}")

    def _tell(self, line: str) -> None:
        if self._process is None or self._process.stdin is None:
            return
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()


def watch(run: str, told: IO[str]) -> None:
    """Read the pipe to its end, then remove what is left, unless the run said that it is done."""
    groups: list[int] = []
    folders: list[str] = []
    for line in told:
        word, _, argument = line.strip().partition(" ")
        if word == "done":
            return
        if word == "group":
            groups.append(int(argument))
        elif word == "ungroup" and int(argument) in groups:
            groups.remove(int(argument))
        elif word == "folder":
            folders.append(json.loads(argument))
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    _remove_objects(run)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_objects(run: str) -> None:
    # Docker's library takes a third of a second to import; a run that ends well never needs it.
    from labrig.engine import sweep  # noqa: PLC0415
    from labrig.engine.client import connect  # noqa: PLC0415
    from labrig.errors import LabrigError  # noqa: PLC0415

    until = clock.monotonic() + PATIENCE_SECONDS
    quiet = 0
    while quiet < QUIET_LOOKS and clock.monotonic() < until:
        try:
            quiet = 0 if sweep.remove_run(connect(), run) else quiet + 1
        except LabrigError:
            quiet = 0
        clock.sleep(LOOK_EVERY_SECONDS)


if __name__ == "__main__":
    # Ctrl-C in the terminal reaches the run; the reaper outlives it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    watch(sys.argv[1], sys.stdin)
