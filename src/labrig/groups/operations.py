"""What is done with a group as a whole: start, stop, reload, restart, and finding its containers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from docker import DockerClient

from labrig.groups.collection import Collection

START_SECONDS = 300.0
STOP_SECONDS = 50.0

Phase = Literal[
    "waiting", "building", "resolving", "creating", "pre_start", "starting", "ping", "post_start",
    "up", "done", "stopping", "stopped", "removed", "failed", "skipped", "cancelled",
]  # fmt: skip


@dataclass(frozen=True)
class Progress:
    """What a service is doing now; ``detail`` is for people: what differs, or the reason of a failure."""

    service: str
    phase: Phase
    detail: str = ""


Listener = Callable[[Progress], None]


@dataclass(frozen=True)
class Choice:
    """Which services an operation is about.

    Attributes:
        names: Only these (with what they need, or what needs them); empty is all.
        exclude: Not these.
        alone: Only ``names`` themselves: no dependencies on a start, no dependants on a stop.
    """

    names: Sequence[str] = ()
    exclude: Sequence[str] = ()
    alone: bool = False


@dataclass(frozen=True)
class ServiceOutcome:
    """How an operation ended for one service.

    Attributes:
        phase: ``up``, ``done``, ``stopped``, ``removed``, ``failed``, ``skipped`` or ``cancelled``.
        plan: What a start did: ``keep``, ``wake`` or ``create``; else empty.
        reason: Why it failed or was created anew, for people.
        readiness: The last that was known of its readiness, where it failed.
        logs: The last lines of its container, where it failed.
    """

    phase: Phase
    seconds: float = 0.0
    plan: str = ""
    reason: str = ""
    readiness: str = ""
    logs: str = ""
    lost_engine: bool = False


@dataclass(frozen=True)
class Outcome:
    """How an operation ended, service by service, in the order of their dependencies."""

    services: Mapping[str, ServiceOutcome] = field(default_factory=dict)
    interrupted: bool = False
    hook_error: str = ""

    @property
    def failed(self) -> list[str]:
        """The services that failed or were skipped since another failed."""
        return [name for name, one in self.services.items() if one.phase in ("failed", "skipped")]

    def names(self, *phases: Phase) -> list[str]:
        """Return the services that ended in one of these phases."""
        return [name for name, one in self.services.items() if one.phase in phases]


@dataclass(frozen=True)
class Standing:
    """A container of a service as the engine has it.

    Attributes:
        status: Docker's word: ``running``, ``exited``, ...
        health: ``healthy``, ``unhealthy``, ``starting``; empty where it has no health check.
        ports: Host ports by ``5432/tcp``.
    """

    service: str
    id: str
    name: str
    status: str
    health: str = ""
    exit_code: int = 0
    image: str = ""
    started: str = ""
    ports: Mapping[str, int] = field(default_factory=dict)


def start(
    client: DockerClient,
    collection: Collection,
    choice: Choice = Choice(),  # frozen
    *,
    timeout: float = START_SECONDS,
    network_name: str | None = None,
    listener: Listener = lambda _: None,
) -> Outcome:
    """Start services in the order of their dependencies; Ctrl-C stops what was started.

    Loads the context before and saves it afterwards.

    Raises:
        UsageError: The choice does not fit, before anything was done.
        EnvironmentFailed: No engine answers.
    """
    raise NotImplementedError


def stop(
    client: DockerClient,
    collection: Collection,
    choice: Choice = Choice(),  # frozen
    *,
    timeout: float = STOP_SECONDS,
    remove: bool = False,
    network_name: str | None = None,
    listener: Listener = lambda _: None,
) -> Outcome:
    """Stop services, dependants first; with ``remove`` also their containers, the group's networks and the context."""
    raise NotImplementedError


def reload(
    client: DockerClient,
    collection: Collection,
    service: str,
    *,
    timeout: float = START_SECONDS,
    remove: bool = False,
    network_name: str | None = None,
    listener: Listener = lambda _: None,
) -> Outcome:
    """Build a service's image, then stop it and its dependants and start them again with it.

    A build that fails leaves everything running. Later starts use the image that was built.
    """
    raise NotImplementedError


def restart(
    client: DockerClient,
    collection: Collection,
    choice: Choice = Choice(),  # frozen
    *,
    timeout: float = START_SECONDS,
    network_name: str | None = None,
    listener: Listener = lambda _: None,
) -> Outcome:
    """Stop services, dependants first, and start them again; what differs from its definition is recreated."""
    raise NotImplementedError


def standing(client: DockerClient, collection: Collection) -> dict[str, Standing]:
    """Return the containers that the engine has of a group, by service; also of services no longer defined."""
    raise NotImplementedError


def logs(client: DockerClient, container: str, lines: int) -> str:
    """Return the last lines that a container wrote, standard output and error together."""
    raise NotImplementedError
