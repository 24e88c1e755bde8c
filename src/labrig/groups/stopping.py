"""Carrying out a stop: hooks, the container's signal, and its removal where that is wanted."""

from __future__ import annotations

import functools
import queue
import threading
from collections.abc import Mapping
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
from labrig.groups.steps import ENGINE_CALLS, is_loss, said
from labrig.groups.stop_order import Cancelled, NotStopped, Stop, StopOrder, Stopped


@dataclass
class _Work:
    """What is known of one container while it is stopped; without a service, since that is no longer defined."""

    service: Service | None
    container: str = ""
    began: float = 0.0
    ended: float = 0.0
    error: Exception | None = None
    phase: Phase = "stopped"


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
        self._works = {name: _Work(collection.services.get(name), containers.get(name, "")) for name in chosen}
        self._order = StopOrder(
            {name: [one for one in collection.dependencies.get(name, ()) if one in self._works] for name in chosen}
        )
        self._events: queue.Queue[Stopped | NotStopped | Cancelled] = queue.Queue()
        self._slots = threading.BoundedSemaphore(ENGINE_CALLS)

    def run(self) -> Outcome:
        """Stop the services; return how that ended, also where the user interrupts it."""
        interrupted = conduct(self._loop, lambda: self._events.put(Cancelled()))
        return Outcome({name: self._outcome(name) for name in self._works}, interrupted=interrupted)

    def _loop(self) -> None:
        self._begin(self._order.begin())
        while not self._order.is_over:
            self._begin(self._order.handle(self._events.get()))

    def _begin(self, instructions: list[Stop]) -> None:
        for one in instructions:
            if self._works[one.service].container:
                in_background(one.service, functools.partial(self._carry_out, one.service))
            else:
                self._events.put(Stopped(one.service))

    def _carry_out(self, name: str) -> None:
        work = self._works[name]
        work.began = clock.monotonic()
        try:
            self._stop(name, work)
        except Exception as error:  # noqa: BLE001  # no service may leave the stop waiting
            work.error = work.error or error
        work.ended = clock.monotonic()
        if work.error is None:
            self._listener(Progress(name, work.phase))
            self._events.put(Stopped(name))
        else:
            self._listener(Progress(name, "failed", said(work.error)))
            self._events.put(NotStopped(name, said(work.error)))

    def _stop(self, name: str, work: _Work) -> None:
        found = standing.inspected(self._client, work.container)
        runs = found is not None and found["State"]["Running"]
        if found is not None and runs:
            if work.service is not None:
                introduce(self._client, work.service, found)
            self._hook(name, work, "pre_stop")
            self._listener(Progress(name, "stopping"))
            # Removing kills what still runs.
            if not (self._remove and found["Config"].get("StopSignal") == "SIGKILL"):
                with self._slots:
                    members.stop(self._client, work.container, self._timeout)
        if self._remove:
            with self._slots:
                members.remove(self._client, work.container)
            work.phase = "removed"
        if runs:
            self._hook(name, work, "post_stop")

    def _hook(self, name: str, work: _Work, hook: Phase) -> None:
        """Run a hook; one that raises is told, and keeps nothing from being stopped."""
        if work.service is None or not work.service.has_own(hook):
            return
        self._listener(Progress(name, hook))
        try:
            hooks.call(work.service, hook, limit=self._timeout)
        except LabrigError as error:
            work.error = work.error or error

    def _outcome(self, name: str) -> ServiceOutcome:
        work = self._works[name]
        phases: Mapping[str, Phase] = {"failed": "failed", "cancelled": "cancelled"}
        return ServiceOutcome(
            phase=phases.get(self._order.states[name], work.phase),
            seconds=max(0.0, work.ended - work.began),
            reason=self._order.reasons.get(name, ""),
            hint=getattr(work.error, "hint", ""),
            lost_engine=is_loss(work.error),
        )
