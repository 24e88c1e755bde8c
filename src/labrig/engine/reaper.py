"""A small detached process that removes what a killed run left.

The run holds the write end of a pipe and tells what it started; the reaper holds the read end. When the run dies,
however it dies, the kernel closes the pipe, and unless the run had said ``done`` the reaper ends its processes,
removes the Docker objects of exactly that run and the folders. Of a run that is shared by several processes it removes
what is left as soon as the last of them is dead. The protocol, one line each, arguments in JSON::

    group 4711        a process group of the run        ungroup 4711    it has ended
    folder "/tmp/x"   a folder of the run               unfolder "/tmp/x"   it is gone
    own ["image", "a:b"]  an object without its labels  keep "part"     a part of the run whose objects stay
    done              nothing is left to do
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from labrig import clock
from labrig.engine import ownership

# A request that the engine had accepted when the run was killed may still make something: look again for a while.
END_SECONDS = 5.0
PATIENCE_SECONDS = 8.0
QUIET_LOOKS = 4
LOOK_EVERY_SECONDS = 0.5


class Reaper:
    """The run's side of the pipe: a context manager that guards one run.

    ``shared`` is a run that this process has in common with others, each with a reaper of its own.
    """

    def __init__(self, run: str, shared: str = "") -> None:
        self._run = run
        self._shared = shared
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "labrig.engine.reaper", self._run, self._shared],
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

    def hand_over(self) -> None:
        """Close the pipe without a word, so that the reaper removes what is left, while the process goes on."""
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def watch_group(self, group: int) -> None:
        """End this process group if the run dies."""
        self._tell(f"group {group}")

    def forget_group(self, group: int) -> None:
        """The process group has ended; its number may be another's soon."""
        self._tell(f"ungroup {group}")

    def watch_folder(self, folder: str) -> None:
        """Remove this folder if the run dies."""
        self._tell(f"folder {json.dumps(folder)}")

    def forget_folder(self, folder: str) -> None:
        """The folder is gone; its name may be another's soon."""
        self._tell(f"unfolder {json.dumps(folder)}")

    def watch_object(self, sort: str, name: str) -> None:
        """Remove this object, which does not bear the run's labels, if the run dies: ``container`` or ``image``."""
        self._tell(f"own {json.dumps([sort, name])}")

    def keep(self, part: str) -> None:
        """Leave the objects of this part of the run where they are, although the run dies."""
        self._tell(f"keep {json.dumps(part)}")

    def after_fork(self) -> None:
        """Let go of the pipe in a process that was forked from the run's: its life is not the run's."""
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
            self._process = None

    def _tell(self, line: str) -> None:
        if self._process is None or self._process.stdin is None:
            return
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()


@dataclass
class Told:
    """What a run has told of itself."""

    groups: list[int] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    objects: list[tuple[str, str]] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    done: bool = False

    @classmethod
    def read(cls, lines: Iterable[str]) -> Told:
        """Read the pipe to its end, or until the run says that it is done."""
        told = cls()
        for line in lines:
            # Cut off where the run died while it wrote.
            if not line.endswith("\n"):
                break
            word, _, argument = line.strip().partition(" ")
            match word:
                case "done":
                    told.done = True
                    break
                case "group":
                    told.groups.append(int(argument))
                case "ungroup" if int(argument) in told.groups:
                    told.groups.remove(int(argument))
                case "folder":
                    told.folders.append(json.loads(argument))
                case "unfolder" if json.loads(argument) in told.folders:
                    told.folders.remove(json.loads(argument))
                case "own":
                    sort, name = json.loads(argument)
                    told.objects.append((sort, name))
                case "keep":
                    told.kept.append(json.loads(argument))
        return told


def watch(run: str, shared: str, lines: Iterable[str]) -> None:
    """Read the pipe to its end, then remove what is left, unless the run said that it is done."""
    told = Told.read(lines)
    if told.done:
        return
    for group in told.groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    _remove_objects(run, told)
    if shared:
        _remove_shared(shared)
    for folder in told.folders:
        shutil.rmtree(folder, ignore_errors=True)
    ownership.forget(run)


def _remove_objects(run: str, told: Told) -> None:
    # Docker's library takes a third of a second to import; a run that ends well never needs it.
    from labrig.engine import sweep  # noqa: PLC0415
    from labrig.engine.client import connect  # noqa: PLC0415
    from labrig.errors import LabrigError  # noqa: PLC0415

    began = clock.monotonic()
    until = began + PATIENCE_SECONDS
    quiet = 0
    while quiet < QUIET_LOOKS and clock.monotonic() < until:
        try:
            client = connect()
            for sort, name in told.objects:
                sweep.discard(client, sort, name)
            found = sweep.passing(sweep.find(client, run=run), told.kept)
            if clock.monotonic() < began + sweep.START_SECONDS and sweep.starting(client, run):
                quiet = 0
            elif sweep.remove(client, found):
                quiet = 0
                # However long it takes to remove much: patience is for what cannot be removed, or asked.
                until = clock.monotonic() + PATIENCE_SECONDS
            else:
                quiet += 1
        except LabrigError:
            quiet = 0
        clock.sleep(LOOK_EVERY_SECONDS)


def _remove_shared(run: str) -> None:
    from labrig.engine.client import connect  # noqa: PLC0415
    from labrig.engine.shared import remove_if_dead  # noqa: PLC0415
    from labrig.errors import LabrigError  # noqa: PLC0415

    with contextlib.suppress(LabrigError):
        remove_if_dead(connect(), run)


if __name__ == "__main__":
    # Ctrl-C in the terminal reaches the run; the reaper outlives it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    watch(sys.argv[1], sys.argv[2], sys.stdin)
