"""Carrying out a stop: hooks, the container's signal, and its removal where that is wanted."""

from __future__ import annotations

import functools
import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from docker import DockerClient

from labrig import clock
from labrig.errors import LabrigError
from labrig.groups import hooks, members, standing
from labrig.groups.collection import Collection
from labrig.groups.conducting import conduct, in_background
from labrig.groups.inside import introduce
from labrig.groups.progress import Listener, Outcome, Phase, Progress, ServiceOutcome
from labrig.groups.service import Service
from labrig.groups.steps import is_loss, said
from labrig.groups.stop_order import Cancelled, NotStopped, Stop, StopOrder, Stopped

# Calls at a time: while a container ends, the engine waits for the kernel more than it works.
ENGINE_CALLS = 16


@dataclass
class _Work:
    """What is known of one container while it is stopped; without a service, since that is no longer defined."""

    name: str
    service: Service | None
    container: str = ""
    began: float = 0.0
    ended: float = 0.0
    error: Exception | None = None
    phase: Phase = "stopped"


@dataclass(frozen=True)
class _Removed:
    """The container of a service is away, as far as it could be."""

    service: str


class Stopping:
    """One stop of some services of a group.

    Args:
        client: The engine.
        collection: The group.
        chosen: The services to stop; also such as have a container and are no longer defined.
        timeout: Seconds that each container has to end by itself, and each hook.
        remove: Whether containers are removed as well.
        listener: Told of everything that begins.
    """

    def __init__(
        self,
        client: DockerClient,
        collection: Collection,
        chosen: list[str],
        *,
        timeout: float,
        remove: bool,
        listener: Listener,
    ) -> None:
        self._client = client
        self._timeout = timeout
        self._remove = remove
        self._listener = listener
        containers = standing.containers(client, standing.identity(collection))
        self._works = {name: _Work(name, collection.services.get(name), containers.get(name, "")) for name in chosen}
        self._order = StopOrder(
            {name: [one for one in collection.dependencies.get(name, ()) if one in self._works] for name in chosen}
        )
        self._events: queue.Queue[Stopped | NotStopped | Cancelled | _Removed] = queue.Queue()
        self._removing: set[str] = set()
        self._slots = threading.BoundedSemaphore(ENGINE_CALLS)

    def run(self) -> Outcome:
        """Stop the services; return how that ended, also where the user interrupts it."""
        interrupted = conduct(self._loop, lambda: self._events.put(Cancelled()))
        return Outcome({name: self._outcome(name) for name in self._works}, interrupted=interrupted)

    def _loop(self) -> None:
        self._begin(self._order.begin())
        while not self._order.is_over or self._removing:
            event = self._events.get()
            if isinstance(event, _Removed):
                self._removing.discard(event.service)
            else:
                self._begin(self._order.handle(event))

    def _begin(self, instructions: list[Stop]) -> None:
        for one in instructions:
            if self._works[one.service].container:
                if self._remove:
                    self._removing.add(one.service)
                in_background(one.service, functools.partial(self._carry_out, one.service))
            else:
                # There was nothing to do, and it is as it was asked to be.
                self._works[one.service].phase = "removed" if self._remove else "stopped"
                self._events.put(Stopped(one.service))

    def _carry_out(self, name: str) -> None:
        """Stop a service; its container goes while those that it depends on stop already."""
        work = self._works[name]
        work.began = clock.monotonic()
        self._noting(work, self._stop)
        if not self._remove:
            self._tell_end(work)
        self._events.put(Stopped(name) if work.error is None else NotStopped(name, said(work.error)))
        if self._remove:
            self._noting(work, self._take_away)
            self._tell_end(work)
            self._events.put(_Removed(name))

    def _tell_end(self, work: _Work) -> None:
        work.ended = clock.monotonic()
        phase: Phase = "failed" if work.error else work.phase
        self._listener(Progress(work.name, phase, said(work.error) if work.error else ""))

    def _noting(self, work: _Work, task: Callable[[_Work], None]) -> None:
        try:
            task(work)
        except Exception as error:  # noqa: BLE001  # no service may leave the stop waiting
            work.error = work.error or error

    def _stop(self, work: _Work) -> None:
        found = standing.inspected(self._client, work.container)
        if found is None or not found["State"]["Running"]:
            return
        if work.service is not None:
            introduce(self._client, work.service, found)
        self._hook(work, "pre_stop")
        self._listener(Progress(work.name, "stopping"))
        with self._slots:
            members.stop(self._client, work.container, self._timeout)
        self._hook(work, "post_stop")

    def _take_away(self, work: _Work) -> None:
        self._listener(Progress(work.name, "removing"))
        with self._slots:
            members.remove(self._client, work.container)
        work.phase = "removed"

    def _hook(self, work: _Work, hook: Phase) -> None:
        """Run a hook; one that raises is told, and keeps nothing from being stopped."""
        if work.service is None or not work.service.has_own(hook):
            return
        self._listener(Progress(work.name, hook))
        try:
            hooks.call(work.service, hook, limit=self._timeout)
        except LabrigError as error:
            work.error = work.error or error

    def _outcome(self, name: str) -> ServiceOutcome:
        work = self._works[name]
        phases: Mapping[str, Phase] = {"failed": "failed", "cancelled": "cancelled"}
        return ServiceOutcome(
            phase="failed" if work.error else phases.get(self._order.states[name], work.phase),
            seconds=max(0.0, work.ended - work.began),
            reason=said(work.error) if work.error else "",
            hint=getattr(work.error, "hint", ""),
            lost_engine=is_loss(work.error),
        )
