"""A run that several processes have in common: what is made in it is made once, and goes with the last of them.

Each holds the run's lock, which the kernel releases when it dies. Who comes and who leaves takes turns at the door, so
that nobody comes while the last one clears up.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from docker import DockerClient

from labrig.engine import ownership, sweep
from labrig.engine.ownership import RunLock

_STATE = ".shared"
_KEPT = "kept"


class SharedRun:
    """The part that one process has in such a run; ``name`` is the same in all of them.

    Whatever bears the run's labels goes when the last process has left, but for the parts that were kept.
    """

    def __init__(self, client: DockerClient, name: str) -> None:
        self.name = name
        self._client = client
        self._lock = RunLock(name, shared=True)
        self._state = ownership.run_path(name, _STATE)

    def join(self) -> None:
        """Be one of those for whom the run goes on."""
        with _door(self.name):
            if not ownership.is_alive(self.name):
                _clear(self._client, self.name)
            self._lock.__enter__()

    def leave(self) -> None:
        """Be so no longer; the last removes what is there."""
        with _door(self.name):
            self._lock.__exit__()
            if not ownership.is_alive(self.name):
                _clear(self._client, self.name)

    def after_fork(self) -> None:
        """Let go of the run in a forked process."""
        self._lock.after_fork()

    @property
    def folder(self) -> Path:
        """Where files of shared things lie; they go with the run."""
        return self._state

    def part(self, key: str) -> str:
        """Return the part of the run that the objects of one shared thing bear as their label."""
        return f"{self.name}-{hashlib.sha256(key.encode()).hexdigest()[:12]}"

    def once(self, key: str, make: Callable[[], Any]) -> Any:
        """Return what ``make`` returned in the one process that called it; JSON takes it from there to the others.

        The others wait. Where it raises, or dies, what it had made is removed, and the next one tries.
        """
        part = self.part(key)
        path = self._state / f"{part}.json"
        with ownership.turn(part):
            if path.exists():
                return json.loads(path.read_text(encoding="utf-8"))
            self._state.mkdir(mode=0o700, exist_ok=True)
            self._remove(part)
            try:
                text = json.dumps(make())
            except BaseException:
                self._remove(part)
                raise
            path.write_text(text, encoding="utf-8")
            return json.loads(text)

    def keep(self, key: str) -> None:
        """Leave the objects of this shared thing where they are when the last process leaves."""
        self._state.mkdir(mode=0o700, exist_ok=True)
        with _door(self.name), (self._state / _KEPT).open("a", encoding="utf-8") as file:
            file.write(self.part(key) + "\n")

    def _remove(self, part: str) -> None:
        sweep.remove(self._client, sweep.passing(sweep.find(self._client, part=part)))


def remove_if_dead(client: DockerClient, run: str) -> None:
    """Remove what a shared run has left, if no process of it lives any more."""
    with _door(run):
        if not ownership.is_alive(run):
            _clear(client, run)


def _door(run: str) -> AbstractContextManager[None]:
    return ownership.turn(f"{run}.door")


def _clear(client: DockerClient, run: str) -> None:
    state = ownership.run_path(run, _STATE)
    # Nothing was made in it, so the engine need not be asked.
    if state.is_dir():
        kept = state / _KEPT
        stays = kept.read_text(encoding="utf-8").split() if kept.exists() else []
        sweep.remove_run(client, run, kept=stays)
        shutil.rmtree(state, ignore_errors=True)
    ownership.forget(run)
