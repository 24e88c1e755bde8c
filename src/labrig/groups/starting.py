"""Carrying out a start: each instruction of the order in a thread, its end an event for the order.

Work goes on side by side as far as dependencies allow, and everything that happens passes through one queue.
"""

from __future__ import annotations

import functools
import queue
from collections.abc import Mapping

from docker import DockerClient

from labrig import clock
from labrig.groups import standing
from labrig.groups.collection import Collection
from labrig.groups.conducting import conduct, in_background
from labrig.groups.hooks import Abandoned
from labrig.groups.images import Images
from labrig.groups.networks import Networks
from labrig.groups.order import (
    Abandon,
    Cancelled,
    Clean,
    Cleaned,
    Do,
    Event,
    Failed,
    Finished,
    Instruction,
    Resolved,
    StartOrder,
)
from labrig.groups.progress import Listener, Outcome, Phase, Progress, ServiceOutcome
from labrig.groups.readiness import NotReady
from labrig.groups.steps import Steps, Work, is_loss, said
from labrig.groups.watching import Watch

# A service that cannot be asked whether it is ready is believed when its container has run for so long.
SETTLE_SECONDS = 0.1


class Start:
    """One start of some services of a group.

    Args:
        client: The engine.
        collection: The group.
        chosen: The services to start.
        timeout: Seconds that each has to become ready, and each hook to end.
        networks: The group's networks.
        images: The group's images.
        listener: Told of everything that begins.
    """

    def __init__(
        self,
        client: DockerClient,
        collection: Collection,
        chosen: list[str],
        *,
        timeout: float,
        networks: Networks,
        images: Images,
        listener: Listener,
    ) -> None:
        self._client = client
        self._collection = collection
        self._listener = listener
        self._works = {name: Work(collection.services[name]) for name in chosen}
        self._events: queue.Queue[Event] = queue.Queue()
        self._steps = Steps(
            client,
            collection,
            timeout=timeout,
            networks=networks,
            images=images,
            listener=listener,
            was_created=lambda name: name in self._works and self._order.plan(name) == "create",
        )
        self._order: StartOrder
        self._watch: Watch

    def run(self) -> Outcome:
        """Start the services; return how that ended, also where the user interrupts it."""
        whose = standing.identity(self._collection)
        containers = standing.containers(self._client, whose)
        for name, work in self._works.items():
            work.container = containers.get(name, "")
        self._order = StartOrder(self._edges(), early={name for name in self._works if self._may_be_early(name)})
        with Watch(self._client, whose.filter, self._ended) as self._watch:
            interrupted = conduct(self._loop, lambda: self._events.put(Cancelled()))
            return Outcome({name: self._outcome(name) for name in self._works}, interrupted=interrupted)

    def _loop(self) -> None:
        self._begin(self._order.begin())
        while not (self._order.is_over and self._has_settled()):
            self._begin(self._next())

    def _edges(self) -> dict[str, list[str]]:
        every = self._collection.dependencies
        return {name: [one for one in every[name] if one in self._works] for name in self._works}

    def _may_be_early(self, name: str) -> bool:
        """Tell whether a service is known in full before others are up, and nothing of it is there to be kept."""
        work = self._works[name]
        waits = self._collection.dependencies[name]
        own = work.service.has_own("pre_start")
        return bool(waits) and not work.container and not own and not work.service.placeholders()

    def _next(self) -> list[Instruction]:
        """Wait for an event; return what is to be done."""
        try:
            event = self._events.get(timeout=self._settles_in() if self._order.is_over else None)
        except queue.Empty:
            return []
        if isinstance(event, Failed) and self._order.states[event.service] == "up":
            self._works[event.service].error = NotReady(event.reason, event.reason)
            self._works[event.service].ended = 0.0
        found = self._order.handle(event)
        name = getattr(event, "service", "")
        if name and self._order.states[name] == "up":
            self._is_up(name)
        for one, state in self._order.states.items():
            if state in ("skipped", "cancelled", "failed") and not self._works[one].ended:
                self._works[one].ended = clock.monotonic()
                self._tell(one, state, self._reason(one))
        return found

    def _is_up(self, name: str) -> None:
        """Take note of a service that is up, and see whether it has ended meanwhile."""
        work = self._works[name]
        if not work.ended:
            work.ended = clock.monotonic()
            self._tell(name, "done" if work.is_one_shot else "up", self._order.plan(name) or "")
        code = self._watch.exit_code(work.container)
        if code is not None:
            self._ended(name, work.container, code)

    def _begin(self, instructions: list[Instruction]) -> None:
        for one in instructions:
            if isinstance(one, Abandon):
                self._works[one.service].abandoned.set()
                self._watch.wake()
            else:
                in_background(one.service, functools.partial(self._carry_out, one))

    def _carry_out(self, one: Do | Clean) -> None:
        """Carry an instruction out; whatever happens in it, it ends in an event."""
        work = self._works[one.service]
        if isinstance(one, Clean):
            self._steps.clean(work, failed=one.failed)
            self._events.put(Cleaned(one.service))
            return
        work.began = work.began or clock.monotonic()
        event: Event = Finished(one.service, one.step)
        try:
            if one.step == "resolve":
                event = Resolved(one.service, self._steps.resolve(work))
            else:
                self._steps.take(one.step, work, self._watch)
        except Exception as error:  # noqa: BLE001  # no step may leave the start waiting
            work.error = error
            event = Failed(one.service, said(error))
        self._events.put(event)

    def _ended(self, name: str, container: str, code: int) -> None:
        """Hear that a container has ended: a failure where its service was up."""
        work = self._works.get(name)
        if work is None or work.container != container or work.is_one_shot:
            return
        if self._order.states[name] == "up":
            self._events.put(Failed(name, f"its container exited with {code}"))

    def _settles_in(self) -> float:
        """Return the seconds until the last container without a readiness of its own has run for long enough."""
        unasked = [
            work.started
            for name, work in self._works.items()
            if work.started and not work.is_asked and not work.is_one_shot and self._order.states[name] == "up"
        ]
        return max(0.0, max(unasked) + SETTLE_SECONDS - clock.monotonic()) if unasked else 0.0

    def _has_settled(self) -> bool:
        return self._settles_in() <= 0 and self._events.empty()

    def _tell(self, name: str, phase: Phase, detail: str = "") -> None:
        self._listener(Progress(name, phase, detail))

    def _reason(self, name: str) -> str:
        error = self._works[name].error
        return said(error) if error is not None else self._order.reasons.get(name, "")

    def _outcome(self, name: str) -> ServiceOutcome:
        work, state = self._works[name], self._order.states[name]
        if isinstance(work.error, Abandoned):
            state = "cancelled"
        phases: Mapping[str, Phase] = {"failed": "failed", "skipped": "skipped", "cancelled": "cancelled"}
        up: Phase = "done" if work.is_one_shot else "up"
        failed = state in ("failed", "skipped")
        return ServiceOutcome(
            phase=phases.get(state, up),
            seconds=max(0.0, work.ended - work.began) if work.began else 0.0,
            plan=self._order.plan(name) or "",
            differs=work.differs,
            reason=self._reason(name) if failed else "",
            hint=getattr(work.error, "hint", "") if failed else "",
            readiness=getattr(work.error, "readiness", "") if failed else "",
            logs=work.logs,
            lost_engine=is_loss(work.error),
        )
