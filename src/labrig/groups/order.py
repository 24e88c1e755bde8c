"""The order in which services start: a pure state machine, events in and instructions out.

It never waits and never acts. Whoever carries out its instructions reports each one's end as an event::

    >>> start = StartOrder({"db": [], "app": ["db"]})
    >>> start.begin()
    [Do(service='db', step='resolve')]
    >>> start.handle(Resolved("db", "create"))
    [Do(service='db', step='pre_start')]

A service is *resolved* first: what is there of it is compared with its definition, and it is then kept, woken
(started again) or created. One whose definition does not depend on what others hand on may be ``early``: it is resolved
and created at once, and only its start waits for its dependencies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

# Found running and the same; stopped and the same; not there, or different.
Plan = Literal["keep", "wake", "create"]
Step = Literal["resolve", "pre_start", "create", "start", "await", "post_start"]
STEPS: Mapping[Plan, tuple[Step, ...]] = {
    "keep": (),
    "wake": ("start", "await"),
    "create": ("pre_start", "create", "start", "await", "post_start"),
}
State = Literal[
    "waiting",  # for its dependencies
    "working",  # on a step
    "prepared",  # resolved, and created where needed, ahead of its dependencies
    "up",  # ready, or done where it is a one-shot
    "cleaning",  # what this start made of it is taken away
    "failed",  # itself
    "skipped",  # since a dependency failed
    "cancelled",
]
ENDED: frozenset[State] = frozenset({"up", "failed", "skipped", "cancelled"})


@dataclass(frozen=True)
class Resolved:
    """Step ``resolve`` ended: this is what is to be done."""

    service: str
    plan: Plan


@dataclass(frozen=True)
class Finished:
    """A step ended well."""

    service: str
    step: Step


@dataclass(frozen=True)
class Failed:
    """A step raised, or the container of a service that was up has ended; ``reason`` is one for people."""

    service: str
    reason: str


@dataclass(frozen=True)
class Cleaned:
    """What was made of a service is away, as far as it could be."""

    service: str


@dataclass(frozen=True)
class Cancelled:
    """The user wants no more of it."""


Event = Resolved | Finished | Failed | Cleaned | Cancelled


@dataclass(frozen=True)
class Do:
    """Begin a step; report ``Resolved``, ``Finished`` or ``Failed``."""

    service: str
    step: Step


@dataclass(frozen=True)
class Abandon:
    """Let the step that is going on end soon, in whatever way; it still reports."""

    service: str


@dataclass(frozen=True)
class Clean:
    """Stop what this start started and remove what it made of a service; report ``Cleaned``."""

    service: str
    failed: bool


Instruction = Do | Abandon | Clean
