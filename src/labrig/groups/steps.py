"""The steps that bring one service up, and those that take away what they made; each may be called from any thread."""

from __future__ import annotations

import contextlib
import json
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
from labrig.groups.context import Context
from labrig.groups.definition import Definition
from labrig.groups.images import Images
from labrig.groups.inside import introduce
from labrig.groups.naming import SECRETS
from labrig.groups.networks import Networks
from labrig.groups.order import Plan, Step
from labrig.groups.progress import Listener, Phase, Progress
from labrig.groups.readiness import NotReady, Waiting
from labrig.groups.service import HOOKS, Service
from labrig.groups.watching import Watch

# Calls that make the engine work hard at a time: more of them only wait for one another there. Those that create have
# room of their own: what starts frees others, and is not to stand in line behind two hundred that are created ahead.
ENGINE_CALLS = 8
CREATED_AT_ONCE = 4
# What a container is left to end by itself where it makes room for another, or its start is cancelled.
END_SECONDS = 10.0
LOG_LINES = 20


@dataclass
class Work:
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

    @property
    def is_one_shot(self) -> bool:
        """Whether it is done when it ends."""
        return self.definition is not None and self.definition.one_shot


class Steps:
    """What the steps of one start have in common.

    Args:
        client: The engine.
        collection: The group.
        timeout: Seconds that each service has to become ready, and each hook to end.
        networks: The group's networks.
        images: The group's images.
        listener: Told of everything that begins.
        was_created: Tells whether this start has created the container of a service.
    """

    def __init__(
        self,
        client: DockerClient,
        collection: Collection,
        *,
        timeout: float,
        networks: Networks,
        images: Images,
        listener: Listener,
        was_created: Callable[[str], bool],
    ) -> None:
        self._client = client
        self._collection = collection
        self._identity = standing.identity(collection)
        self._timeout = timeout
        self._networks = networks
        self._images = images
        self._listener = listener
        self._was_created = was_created
        self._starting = threading.BoundedSemaphore(ENGINE_CALLS)
        self._creating = threading.BoundedSemaphore(CREATED_AT_ONCE)
        self._saving = threading.Lock()

    def take(self, step: Step, work: Work, watch: Watch) -> None:
        """Take any step but ``resolve``; whatever is raised is the service's failure."""
        match step:
            case "pre_start":
                self._pre_start(work)
            case "create":
                self._create(work)
            case "start":
                self._start(work)
            case "await":
                self._await(work, watch)
            case "post_start":
                self._post_start(work)

    def resolve(self, work: Work) -> Plan:
        """Compare what is there of a service with what is wanted, and return what is to be done."""
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
        work: Work,
        definition: Definition,
        found: Mapping[str, Any],
        image: comparison.Image,
        networks: Mapping[str, str],
    ) -> Plan:
        differs = [str(one) for one in comparison.differences(definition, found, image, networks)]
        if definition.secrets or json.loads((found["Config"]["Labels"] or {}).get(SECRETS, "[]")):
            differs += [f"secret {one}" for one in members.secrets_differ(self._client, definition, work.container)]
        status = str(found["State"]["Status"])
        if definition.one_shot and status == "exited" and not differs:
            anew = [one for one in self._collection.dependencies[definition.name] if self._was_created(one)]
            work.differs = tuple(differs := [f"{one} was created anew" for one in anew])
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

    def _pre_start(self, work: Work) -> None:
        if work.service.has_own("pre_start"):
            self._tell(work.service.name, "pre_start")
            self._hook(work, "pre_start")
            # What the hook has made of the fields counts.
            work.definition = work.service.redefine()

    def _create(self, work: Work) -> None:
        assert work.definition is not None  # noqa: S101  # it was resolved
        assert work.image is not None  # noqa: S101
        definition = work.definition
        self._tell(definition.name, "creating", "; ".join(work.differs))
        members.check_volumes(definition)
        self._networks.ids(definition)
        members.create_volumes(self._client, definition, self._identity.labels())
        with self._creating:
            if work.container:
                self._stop(work)
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

    def _start(self, work: Work) -> None:
        assert work.definition is not None  # noqa: S101  # it was resolved
        self._tell(work.service.name, "starting")
        if not work.made:
            members.check_volumes(work.definition)
            work.woken = True
        with self._starting:
            members.start(self._client, work.definition, work.container)
        work.started = clock.monotonic()

    def _await(self, work: Work, watch: Watch) -> None:
        name = work.service.name
        wait = Waiting(self._client, watch, work.service, work.container, self._timeout, work.abandoned)
        assert work.definition is not None  # noqa: S101  # it was resolved
        assert work.image is not None  # noqa: S101
        if work.is_one_shot:
            self._tell(name, "running")
            wait.until_done()
            return
        has_health = bool(work.definition.healthcheck or work.image.config.get("Healthcheck"))
        # A call for each of many services is worth sparing where its answer is known.
        if work.definition.ports or has_health or any(work.service.has_own(hook) for hook in HOOKS):
            found = wait.started()
            wait.see_that_it_runs(found)
            self._hand_on(work, found)
            if work.definition.awaits_health and (found["State"].get("Health") or {}).get("Status", "none") != "none":
                work.is_asked = True
                self._tell(name, "health check")
                wait.until_healthy(found)
        if work.service.has_own("ping"):
            work.is_asked = True
            self._tell(name, "ping")
            wait.until_pinged(lambda said: self._tell(name, "ping", said))

    def _post_start(self, work: Work) -> None:
        if work.service.has_own("post_start"):
            self._tell(work.service.name, "post_start")
            self._hook(work, "post_start")
        # At once: what a hook handed on is lost to the next start if this process is killed.
        if Context:
            with self._saving:
                Context.save_to(self._collection.directory)

    def _hook(self, work: Work, name: str) -> None:
        hooks.call(work.service, name, limit=self._timeout, abandoned=work.abandoned)

    def _hand_on(self, work: Work, found: Mapping[str, Any]) -> None:
        """Let the service know its container, and the context the host's ports of it."""
        introduce(self._client, work.service, found)
        for key, port in work.service.host_ports.items():
            Context[port_name(work.service.name, key)] = port

    def clean(self, work: Work, *, failed: bool) -> None:
        """Take away what this start made of a service; where that failed, once its ``on_failure`` has seen it."""
        try:
            if failed:
                self._look_back(work)
            if (work.made or work.woken) and not failed:
                self._stop(work)
            if work.made or (work.woken and failed):
                self._tell(work.service.name, "removing")
                members.remove(self._client, work.container)
        except Exception as error:  # noqa: BLE001  # the failure that began it is what is told
            work.error = work.error or error

    def _stop(self, work: Work) -> None:
        """Stop a container, with the hooks of its service where that was up; one that raises keeps nothing."""
        was_up = bool(work.ended) or (work.found is not None and work.found["State"]["Running"])
        self._ignoring(work, "pre_stop", was_up=was_up)
        members.stop(self._client, work.container, END_SECONDS)
        self._ignoring(work, "post_stop", was_up=was_up)

    def _ignoring(self, work: Work, hook: str, *, was_up: bool) -> None:
        if was_up and work.service.has_own(hook):
            with contextlib.suppress(LabrigError):
                hooks.call(work.service, hook, limit=END_SECONDS)

    def _look_back(self, work: Work) -> None:
        if work.container and (work.made or work.woken):
            try:
                work.logs = standing.logs(self._client, work.container, LOG_LINES)
            except LabrigError:
                work.logs = ""
        if work.service.has_own("on_failure") and not isinstance(work.error, hooks.Abandoned):
            try:
                hooks.call(work.service, "on_failure", work.error, limit=self._timeout, abandoned=work.abandoned)
            except (LabrigError, hooks.Abandoned) as error:
                work.error = NotReady(f"{said(work.error)}; then {said(error)}", getattr(work.error, "readiness", ""))

    def _tell(self, name: str, phase: Phase, detail: str = "") -> None:
        self._listener(Progress(name, phase, detail))


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


def said(error: BaseException | None) -> str:
    """Return an error as people read it."""
    if isinstance(error, hooks.Abandoned):
        return "interrupted"
    if isinstance(error, LabrigError):
        return error.message
    return f"{type(error).__name__}: {error}"
