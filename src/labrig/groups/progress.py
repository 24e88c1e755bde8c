"""What an operation tells while it goes on, and how it ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

# What a service has to become ready, and a container to end by itself, unless the user says otherwise.
START_SECONDS = 300.0
STOP_SECONDS = 50.0

Phase = Literal[
    "waiting",
    "comparing",
    "building",
    "pulling",
    "pre_start",
    "creating",
    "created",
    "starting",
    "ping",
    "health check",
    "running",
    "post_start",
    "up",
    "done",
    "pre_stop",
    "stopping",
    "removing",
    "post_stop",
    "stopped",
    "removed",
    "failed",
    "skipped",
    "cancelled",
]


@dataclass(frozen=True)
class Progress:
    """What a service is doing now; ``detail`` is for people: what differs, or the reason of a failure."""

    service: str
    phase: Phase
    detail: str = ""


Listener = Callable[[Progress], None]


@dataclass(frozen=True)
class ServiceOutcome:
    """How an operation ended for one service.

    Attributes:
        phase: ``up``, ``done``, ``stopped``, ``removed``, ``failed``, ``skipped`` or ``cancelled``.
        plan: What a start did: ``keep``, ``wake`` or ``create``; else empty.
        differs: Why a container was created anew, key by key.
        reason: Why it failed, for people.
        hint: What to do about it.
        readiness: The last that was known of its readiness, where it failed.
        logs: The last lines of its container, where it failed.
        lost_engine: The engine went away.
    """

    phase: Phase
    seconds: float = 0.0
    plan: str = ""
    differs: tuple[str, ...] = ()
    reason: str = ""
    hint: str = ""
    readiness: str = ""
    logs: str = ""
    lost_engine: bool = False


@dataclass(frozen=True)
class Outcome:
    """How an operation ended, service by service, in the order in which they were begun."""

    services: Mapping[str, ServiceOutcome] = field(default_factory=dict)
    interrupted: bool = False
    hook_error: str = ""

    @property
    def failed(self) -> list[str]:
        """The services that failed or were skipped since another failed."""
        return self.names("failed", "skipped")

    @property
    def lost_engine(self) -> bool:
        """Whether the engine went away."""
        return any(one.lost_engine for one in self.services.values())

    def names(self, *phases: Phase) -> list[str]:
        """Return the services that ended in one of these phases."""
        return [name for name, one in self.services.items() if one.phase in phases]
