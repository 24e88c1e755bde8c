"""What is measured on each project: a command, and what is done before it without being counted."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import phases
from phases import Line
from projects import Project

BIN = Path(sys.executable).parent
LOOK_EVERY_SECONDS = 0.2
TAIL_CHARACTERS = 4000

PROVE = ("labrig", "prove")
MOLECULE = ("molecule", "test")


@dataclass(frozen=True)
class Column:
    """One thing to measure.

    Attributes:
        command: Its words, without the folder of the command.
        before: What is done first, and not counted.
    """

    name: str
    command: tuple[str, ...]
    before: Callable[[Project], None] = lambda project: project.restore()


@dataclass(frozen=True)
class Measured:
    """What one run took: seconds, seconds by phase, and the peak memory in bytes of the process itself."""

    seconds: float
    phases: Mapping[str, float]
    memory: int


def columns() -> list[Column]:
    """Return what is measured, in the order of a turn."""
    return [
        Column("molecule, docker", MOLECULE),
        Column("molecule, labrig", (*MOLECULE, "--driver-name", "labrig")),
        Column("prove, cold", (*PROVE, "--no-cache")),
        Column("prove, unchanged", PROVE, _proven),
        Column("prove, role changed", PROVE, _role_changed),
        Column("prove, test changed", PROVE, _test_changed),
    ]


def build_production(project: Project) -> None:
    """Make production's state, which both find when they are measured."""
    _finish(project, ("labrig", "snapshot", "build"))


def measure(column: Column, project: Project) -> Measured:
    """Run a column's command on a project once.

    Raises:
        SystemExit: The command did not end with 0, so that its time means nothing.
    """
    column.before(project)
    lines: list[Line] = []
    began = time.monotonic()
    with subprocess.Popen(
        _words(column.command),
        cwd=project.folder,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        peak = _Peak(process.pid)
        lines.extend((time.monotonic() - began, line) for line in process.stdout)
    seconds = time.monotonic() - began
    said = "".join(line for _, line in lines)
    if process.returncode != 0:
        sys.exit(f"{column.name} on {project.kind.name} ended with {process.returncode}:\n{said[-TAIL_CHARACTERS:]}")
    parse = phases.of_labrig if column.command[0] == "labrig" else phases.of_molecule
    return Measured(seconds, parse(lines, seconds), peak.bytes())


def _proven(project: Project) -> None:
    """Let it be proven as it is, so that its verdict is there."""
    project.restore()
    _finish(project, PROVE)


def _role_changed(project: Project) -> None:
    _proven(project)
    project.change_role()


def _test_changed(project: Project) -> None:
    _proven(project)
    project.change_test()


def _finish(project: Project, words: tuple[str, ...]) -> None:
    done = subprocess.run(
        _words(words),
        cwd=project.folder,
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        sys.exit(
            f"{' '.join(words)} on {project.kind.name} ended with {done.returncode}:\n{done.stdout[-TAIL_CHARACTERS:]}"
        )


def _words(words: tuple[str, ...]) -> list[str]:
    """Return a command of this environment, with labrig as it is imported here."""
    name, *others = words
    return [sys.executable, "-m", name, *others]


def _environment() -> dict[str, str]:
    return {
        **os.environ,
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "PYTHONUNBUFFERED": "1",
        "NO_COLOR": "1",
        "COLUMNS": "200",
    }


class _Peak:
    """The most memory that a process held, looked at while it runs."""

    def __init__(self, pid: int) -> None:
        self._status = Path(f"/proc/{pid}/status")
        self._bytes = 0
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def bytes(self) -> int:
        """Return it, once the process has ended."""
        self._thread.join()
        return self._bytes

    def _look(self) -> None:
        while True:
            try:
                status = self._status.read_text(encoding="ascii", errors="replace")
            except OSError:
                return
            found = next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0)
            if not found:  # A process that has ended and is not waited for holds none.
                return
            self._bytes = max(self._bytes, found)
            time.sleep(LOOK_EVERY_SECONDS)
