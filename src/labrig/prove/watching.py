"""Looking at machines between the tasks of a playbook, which waits for it."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from labrig.prove.attribution import Entries, Look

SOCKET = "LABRIG_WATCH_SOCKET"
END_SECONDS = 10

See = Callable[[str], Entries]
"""Returns what there is on a machine, by its name, of what is looked for."""


class Watcher:
    """Listens to a playbook's events callback, and looks at a task's machine before the next one is begun.

    A context manager: it listens for as long as that is entered.
    """

    def __init__(self, path: Path, machines: tuple[str, ...], see: See) -> None:
        self._path = path
        self._machines = machines
        self._see = see
        self._looks: list[Look] = []
        self._ends = threading.Semaphore(0)
        self._listener = socket.socket(socket.AF_UNIX)
        self._thread = threading.Thread(target=self._serve, name="watch", daemon=True)

    def __enter__(self) -> Self:
        self._path.unlink(missing_ok=True)
        self._listener.bind(str(self._path))
        self._listener.listen()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A listener that is merely closed leaves its thread waiting.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(timeout=5)

    @property
    def environment(self) -> Mapping[str, str]:
        """What a playbook is to have in its environment."""
        return {SOCKET: str(self._path)}

    def heard_all(self) -> bool:
        """Whether a playbook that has just ended told of all its tasks."""
        return self._ends.acquire(timeout=END_SECONDS)

    def look(self) -> None:
        """Look at all machines, while no task runs."""
        for machine in self._machines:
            self._looks.append(self._look(machine, None))

    def looks(self) -> tuple[Look, ...]:
        """Return what has been seen since this was last asked."""
        done = tuple(self._looks)
        self._looks = []
        return done

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError), connection.makefile("rwb") as told:
                for line in told:
                    task = json.loads(line)
                    if "end" in task:
                        self._ends.release()
                        continue
                    self._after(task)
                    told.write(b"\n")
                    told.flush()

    def _after(self, task: Mapping[str, Any]) -> None:
        hosts = dict.fromkeys([task["host"], task["delegated"]])
        for machine in self._machines:
            if machine in hosts:
                self._looks.append(self._look(machine, task))

    def _look(self, machine: str, task: Mapping[str, Any] | None) -> Look:
        try:
            return Look(machine, task, self._see(machine))
        except Exception:  # noqa: BLE001  # the playbook waits for an answer, whatever is amiss
            # The machine restarts, perhaps. What this task did is then seen after the next one, and said to be unsure.
            return Look(machine, task, None)
