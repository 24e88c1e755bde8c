"""Carrying out a start: each instruction of the order in a thread, its end an event for the order.

Compute and calls go on side by side as far as dependencies allow; the main thread only waits for events, so that
Ctrl-C reaches the order at once.
"""

from __future__ import annotations

import functools
import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from docker import DockerClient
from docker.errors import APIError

from labrig import clock
from labrig.errors import EnvironmentFailed, LabrigError
from labrig.groups import comparison, hooks, members, standing
from labrig.groups.collection import Collection
from labrig.groups.conducting import conduct, in_background
from labrig.groups.context import Context
from labrig.groups.definition import Definition
from labrig.groups.images import Images
from labrig.groups.naming import Identity
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
    Plan,
    Resolved,
    StartOrder,
    Step,
)
from labrig.groups.progress import Listener, Outcome, Phase, Progress, ServiceOutcome
from labrig.groups.readiness import NotReady, Waiting
from labrig.groups.service import Service
from labrig.groups.watching import Watch

# Calls that make the engine work hard at a time: more of them only wait for one another there.
ENGINE_CALLS = 8
# A service that cannot be asked whether it is ready is believed when its container has run for so long.
SETTLE_SECONDS = 0.3
# What a cancelled start leaves its containers to end by themselves.
CANCEL_SECONDS = 10.0
LOG_LINES = 20


@dataclass
class _Work:
    """What is known of one service while it starts."""

    service: Service
    definition: Definition | None = None
    image: comparison.Image | None = None
    found: Mapping[str, Any] | None = None
    container: str = ""
    made: bool = False
    woken: bool = False
    began: float = 0.0
    ended: float = 0.0
    started: float = 0.0
    is_asked: bool = False
    differs: tuple[str, ...] = ()
    error: Exception | None = None
    logs: str = ""
    abandoned: threading.Event = field(default_factory=threading.Event)


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
        self._identity: Identity = standing.identity(collection)
        self._timeout = timeout
        self._networks = networks
        self._images = images
        self._listener = listener
        self._works = {name: _Work(collection.services[name]) for name in chosen}
        self._events: queue.Queue[Event] = queue.Queue()
        self._slots = threading.BoundedSemaphore(ENGINE_CALLS)
        self._saving = threading.Lock()
        self._order: StartOrder
        self._watch: Watch

    def run(self) -> Outcome:
        """Start the services; return how that ended, also where the user interrupts it."""
        containers = standing.containers(self._client, self._identity)
        for name, work in self._works.items():
            work.container = containers.get(name, "")
        self._order = StartOrder(self._edges(), early={name for name in self._works if self._may_be_early(name)})
        with Watch(self._client, self._identity.filter, self._ended, self._lost) as self._watch:
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
        found = self._order.handle(event)
        name = getattr(event, "service", "")
        if name and self._order.states[name] == "up":
            found += self._is_up(name)
        for one, state in self._order.states.items():
            if state in ("skipped", "cancelled", "failed") and not self._works[one].ended:
                self._works[one].ended = clock.monotonic()
                self._tell(one, state, self._reason(one))
        return found

    def _is_up(self, name: str) -> list[Instruction]:
        """Take note of a service that is up; return what is to be done where it has ended meanwhile."""
        work = self._works[name]
        if not work.ended:
            work.ended = clock.monotonic()
            is_done = work.definition is not None and work.definition.one_shot
            self._tell(name, "done" if is_done else "up", self._order.plan(name) or "")
        code = self._watch.exit_code(work.container)
        if code is not None and not self._is_one_shot(work):
            self._ended(name, work.container, code)
        return []

    def _begin(self, instructions: list[Instruction]) -> None:
        for one in instructions:
            work = self._works[one.service]
            if isinstance(one, Abandon):
                work.abandoned.set()
                self._watch.wake()
            elif isinstance(one, Clean):
                in_background(one.service, functools.partial(self._report, self._clean, one))
            else:
                in_background(one.service, functools.partial(self._report, self._do, one))

    def _report(self, task: Callable[[Any], Event], one: Do | Clean) -> None:
        self._events.put(task(one))

    def _do(self, one: Do) -> Event:
        """Carry out a step; whatever happens in it, it ends in an event."""
        work = self._works[one.service]
        work.began = work.began or clock.monotonic()
        try:
            if one.step == "resolve":
                return Resolved(one.service, self._resolve(work))
            steps: Mapping[Step, Callable[[_Work], None]] = {
                "pre_start": self._pre_start,
                "create": self._create,
                "start": self._start,
                "await": self._await,
                "post_start": self._post_start,
            }
            steps[one.step](work)
        except Exception as error:  # noqa: BLE001  # no step may leave the start waiting
            work.error = error
            return Failed(one.service, _said(error))
        return Finished(one.service, one.step)

    def _resolve(self, work: _Work) -> Plan:
        name = work.service.name
        self._tell(name, "comparing")
        work.definition = work.service.define(Context)
        work.image = self._images.meant(work.definition, lambda word: self._tell(name, word))  # type: ignore[arg-type]
        networks = self._networks.ids(work.definition)
        work.found = standing.inspected(self._client, work.container) if work.container else None
        if work.found is None:
            work.container = ""
            return "create"
        return self._compared(work, work.definition, work.found, work.image, networks)

    def _compared(
        self,
        work: _Work,
        definition: Definition,
        found: Mapping[str, Any],
        image: comparison.Image,
        networks: Mapping[str, str],
    ) -> Plan:
        differs = [str(one) for one in comparison.differences(definition, found, image, networks)]
        differs += [f"secret {one}" for one in members.secrets_differ(self._client, definition, work.container)]
        status = str(found["State"]["Status"])
        if definition.one_shot and status == "exited" and not differs:
            anew = [one for one in self._collection.dependencies[definition.name] if self._was_created(one)]
            differs = [f"{one} was created anew" for one in anew]
            if found["State"]["ExitCode"] == 0 and not differs and not definition.start_new:
                return "keep"
            return "create" if differs or definition.start_new else "wake"
        if status == "exited" and definition.start_new:
            differs.append("always_start_new")
        work.differs = tuple(differs)
        if differs or status not in ("running", "restarting", "paused", "exited"):
            return "create"
        if status == "paused":
            self._client.api.unpause(work.container)
        if status == "exited":
            return "wake"
        self._hand_on(work, found)
        return "keep"

    def _was_created(self, name: str) -> bool:
        return name in self._works and self._order.plan(name) == "create"

    def _pre_start(self, work: _Work) -> None:
        if work.service.has_own("pre_start"):
            self._tell(work.service.name, "pre_start")
            self._hook(work, "pre_start")
            # What the hook has made of the fields counts.
            work.definition = work.service.redefine()

    def _create(self, work: _Work) -> None:
        assert work.definition is not None  # noqa: S101  # it was resolved
        assert work.image is not None  # noqa: S101
        definition = work.definition
        self._tell(definition.name, "creating", "; ".join(work.differs))
        members.check_volumes(definition)
        self._networks.ids(definition)
        with self._slots:
            if work.container:
                members.stop(self._client, work.container, CANCEL_SECONDS)
                members.remove(self._client, work.container)
            work.container = members.create(
                self._client,
                definition,
                name=self._identity.container(definition.name),
                image=work.image.name,
                networks=self._networks.names(definition),
                labels=self._identity.service_labels(definition, frozenset(definition.env)),
            )
        work.made = True
        self._tell(definition.name, "created")

    def _start(self, work: _Work) -> None:
        assert work.definition is not None  # noqa: S101  # it was resolved
        self._tell(work.service.name, "starting")
        if not work.made:
            members.check_volumes(work.definition)
            work.woken = True
        with self._slots:
            members.start(self._client, work.definition, work.container)
        work.started = clock.monotonic()

    def _await(self, work: _Work) -> None:
        name = work.service.name
        wait = Waiting(self._client, self._watch, work.service, work.container, self._timeout, work.abandoned)
        found = wait.started()
        if self._is_one_shot(work):
            self._tell(name, "running")
            wait.until_done()
            return
        wait.see_that_it_runs(found)
        self._hand_on(work, found)
        if (found["State"].get("Health") or {}).get("Status", "none") != "none":
            work.is_asked = True
            self._tell(name, "health check")
            wait.until_healthy(found)
        if work.service.has_own("ping"):
            work.is_asked = True
            self._tell(name, "ping")
            wait.until_pinged(lambda said: self._tell(name, "ping", said))

    def _post_start(self, work: _Work) -> None:
        if work.service.has_own("post_start"):
            self._tell(work.service.name, "post_start")
            self._hook(work, "post_start")
        # At once: what a hook handed on is lost to the next start if this process is killed.
        if Context:
            with self._saving:
                Context.save_to(self._collection.directory)

    def _hook(self, work: _Work, name: str) -> None:
        hooks.call(work.service, name, limit=self._timeout, abandoned=work.abandoned)

    def _hand_on(self, work: _Work, found: Mapping[str, Any]) -> None:
        """Let the service and the context know the host's ports of its container."""
        work.service.host_ports = standing.host_ports(found)
        for key, port in work.service.host_ports.items():
            Context[port_name(work.service.name, key)] = port

    def _clean(self, one: Clean) -> Event:
        """Take away what this start made of a service, once its ``on_failure`` has seen it."""
        work = self._works[one.service]
        try:
            if one.failed:
                self._look_back(work)
            if not one.failed and work.woken:
                members.stop(self._client, work.container, CANCEL_SECONDS)
            elif work.made or work.woken:
                self._tell(one.service, "removing")
                if not one.failed:
                    members.stop(self._client, work.container, CANCEL_SECONDS)
                members.remove(self._client, work.container)
        except Exception as error:  # noqa: BLE001  # the failure that began it is what is told
            work.error = work.error or error
        return Cleaned(one.service)

    def _look_back(self, work: _Work) -> None:
        if work.container and (work.made or work.woken):
            try:
                work.logs = standing.logs(self._client, work.container, LOG_LINES)
            except LabrigError:
                work.logs = ""
        if work.service.has_own("on_failure") and not isinstance(work.error, hooks.Abandoned):
            try:
                hooks.call(work.service, "on_failure", work.error, limit=self._timeout, abandoned=work.abandoned)
            except (LabrigError, hooks.Abandoned) as error:
                work.error = NotReady(f"{_said(work.error)}; then {_said(error)}", getattr(work.error, "readiness", ""))

    def _ended(self, name: str, container: str, code: int) -> None:
        """Hear that a container has ended: a failure where its service was up."""
        work = self._works.get(name)
        if work is None or work.container != container or self._is_one_shot(work):
            return
        if self._order.states[name] == "up":
            self._events.put(Failed(name, f"its container exited with {code}"))

    def _lost(self) -> None:
        """Hear that the engine is lost: each call that is going on says so itself."""

    def _is_one_shot(self, work: _Work) -> bool:
        return work.definition is not None and work.definition.one_shot

    def _settles_in(self) -> float:
        """Return the seconds until the last container without a readiness of its own has run for long enough."""
        unasked = [
            work.started
            for name, work in self._works.items()
            if work.started and not work.is_asked and not self._is_one_shot(work) and self._order.states[name] == "up"
        ]
        return max(0.0, max(unasked) + SETTLE_SECONDS - clock.monotonic()) if unasked else 0.0

    def _has_settled(self) -> bool:
        return self._settles_in() <= 0 and self._events.empty()

    def _tell(self, name: str, phase: Phase, detail: str = "") -> None:
        self._listener(Progress(name, phase, detail))

    def _reason(self, name: str) -> str:
        error = self._works[name].error
        return _said(error) if error is not None else self._order.reasons.get(name, "")

    def _outcome(self, name: str) -> ServiceOutcome:
        work, state = self._works[name], self._order.states[name]
        phases: Mapping[str, Phase] = {"failed": "failed", "skipped": "skipped", "cancelled": "cancelled"}
        up: Phase = "done" if self._is_one_shot(work) else "up"
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


def port_name(service: str, key: str) -> str:
    """Return the name in the context of the host's port of a service.

    >>> port_name("app-db", "5432/tcp"), port_name("dns", "53/udp")
    ('app_db_port_5432', 'dns_port_53_udp')
    """
    number, _, protocol = key.partition("/")
    plain = "".join(letter if letter.isalnum() else "_" for letter in service)
    return f"{plain}_port_{number}" + ("" if protocol == "tcp" else f"_{protocol}")


def is_loss(error: BaseException | None) -> bool:
    """Tell whether an error says that the engine went away, rather than that it refused."""
    return isinstance(error, EnvironmentFailed) and not isinstance(error.__cause__, APIError)


def _said(error: BaseException | None) -> str:
    if isinstance(error, hooks.Abandoned):
        return "interrupted"
    if isinstance(error, LabrigError):
        return error.message
    return f"{type(error).__name__}: {error}"
