"""A session: the process that makes Docker objects, and what it has in common with others."""

from __future__ import annotations

import contextlib
import os
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

from labrig.containers.container import Container
from labrig.containers.owner import Owner, Place
from labrig.engine import ownership, sweep
from labrig.engine.client import connect
from labrig.engine.ownership import RunLock
from labrig.engine.reaper import Reaper
from labrig.engine.shared import SharedRun
from labrig.engine.sweep import Owned

SHARED_VARIABLE = "LABRIG_SESSION"


class Session(Owner):
    """Owns what one process makes, until it is closed or the process dies, however it dies.

    with Session() as session:
        database = session.container("shop/database").run()

    Args:
        project: What the labels name as project; the current folder's name if empty.
        shared: The name of what this process has in common with all those of its user that give the same name;
            ``LABRIG_SESSION`` if empty, and a name that nobody else has without that. pytest gives the same to all
            workers of pytest-xdist.
        keepable: What is made may turn out to be kept.

    Raises:
        EnvironmentFailed: No engine answers.
    """

    def __init__(self, project: str = "", *, shared: str = "", keepable: bool = False) -> None:
        run = ownership.new_run_id()
        together = shared or os.environ.get(SHARED_VARIABLE) or f"{run}-shared"
        client = connect()
        self._lock = RunLock(run)
        self._shared = SharedRun(client, together)
        reaper = Reaper(run, together)
        place = Place(client, project or Path.cwd().name, reaper, keepable)
        super().__init__(place, run=run, part=f"{run}-0")
        self._owners: list[Owner] = []
        self._together: dict[str, Owner] = {}
        self._process = os.getpid()
        self._open = True
        self._lock.__enter__()
        reaper.__enter__()
        self._shared.join()
        _SESSIONS.add(self)
        sweep.sweep(client)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextlib.contextmanager
    def within(self, test: str = "") -> Iterator[Owner]:
        """Yield an owner whose objects go at the end of the block; ``test`` is whom they are for."""
        owner = self.owner(test)
        try:
            yield owner
        finally:
            owner.remove()

    def owner(self, test: str = "") -> Owner:
        """Return an owner whose objects go when it removes them, with the session at the latest."""
        made = Owner(self.place, run=self.run, part=f"{self.run}-{next(self.place.numbers)}", test=test)
        self._owners.append(made)
        return made

    def shared(self, key: str, make: Callable[[Owner], Any]) -> Any:
        """Return what ``make`` returned, called once among all processes that share; it must be what JSON can say.

        What it makes through the owner that it is called with goes when the last of these processes has ended. Where
        it raises, the next process tries.
        """
        part = self._shared.part(key)
        if key not in self._together:
            folder = self._shared.folder / part
            self._together[key] = Owner(self.place, run=self._shared.name, part=part, folder=folder)
        return self._shared.once(key, lambda: make(self._together[key]))

    def shared_container(self, key: str, make: Callable[[Owner], Container]) -> Container:
        """Return the container that ``make`` returned, called once among all processes that share.

        ``make`` starts it and waits until it is ready; the others wait for that.
        """
        found = str(self.shared(key, lambda owner: make(owner).id))
        return Container.existing(self._together[key], found)

    def together(self) -> list[Owner]:
        """Return the owners of what this process shares with others."""
        return list(self._together.values())

    def keep_shared(self) -> None:
        """Leave what this process shares with others on the engine."""
        for key, owner in self._together.items():
            self._shared.keep(key)
            owner.kept = True

    def close(self) -> list[Owned]:
        """Remove everything but what is shared with others, which the last of them removes; return what is in use."""
        if not self._open or os.getpid() != self._process:
            return []
        self._open = False
        owners = [self, *self._owners, *self._together.values()]
        try:
            for owner in reversed(owners):
                owner.finish()
            kept = [owner.part for owner in owners if owner.kept]
            mine = sweep.passing(sweep.find(self.client, run=self.run), kept)
            gone = sweep.remove(self.client, mine)
            self._shared.leave()
        except BaseException:
            self.place.reaper.hand_over()
            raise
        else:
            self.place.reaper.__exit__(None, None, None)
        finally:
            self._lock.__exit__()
            self.client.close()
        return [thing for thing in mine if thing not in gone]

    def after_fork(self) -> None:
        """Let go of everything in a process that was forked from the session's: its life is not the session's."""
        self._lock.after_fork()
        self._shared.after_fork()
        self.place.reaper.after_fork()


_SESSIONS: weakref.WeakSet[Session] = weakref.WeakSet()


def _after_fork() -> None:
    for session in _SESSIONS:
        session.after_fork()


os.register_at_fork(after_in_child=_after_fork)
