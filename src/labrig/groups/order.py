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

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from labrig.groups.choice import dependants

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


@dataclass
class _Service:
    state: State = "waiting"
    plan: Plan | None = None
    steps: tuple[Step, ...] = ()
    # Whether something of it was made or started that is to be taken away where this start does not succeed.
    touched: bool = False
    # What it becomes once it is clean, and the service whose failure began it.
    then: State = "cancelled"


class StartOrder:
    """One start of some services.

    Args:
        dependencies: The services to start, each with those of them that must be up before it.
        early: Those that may be resolved and created before that.
    """

    def __init__(self, dependencies: Mapping[str, Sequence[str]], early: Collection[str] = ()) -> None:
        self._dependencies = dependencies
        self._dependants = dependants(dependencies)
        self._early = frozenset(early)
        self._services = {name: _Service() for name in dependencies}
        self._is_cancelled = False
        self.reasons: dict[str, str] = {}
        self.story: list[Event | Instruction] = []

    @property
    def states(self) -> dict[str, State]:
        """The state of each service."""
        return {name: one.state for name, one in self._services.items()}

    @property
    def is_over(self) -> bool:
        """Whether nothing is going on and nothing will be."""
        return all(one.state in ENDED and not self._is_to_unwind(one) for one in self._services.values())

    def plan(self, name: str) -> Plan | None:
        """Return what was found to be done for a service; None before that."""
        return self._services[name].plan

    def begin(self) -> list[Instruction]:
        """Return the first instructions."""
        found: list[Instruction] = []
        for name in self._services:
            if self._is_free(name) or name in self._early:
                self._services[name].state = "working"
                found.append(Do(name, "resolve"))
        return self._told(found)

    def handle(self, event: Event) -> list[Instruction]:
        """Take note of an event; return what is to be done now.

        An event that nothing waits for, such as the end of a container that is being cleaned away, changes nothing.
        """
        self.story.append(event)
        match event:
            case Resolved(name, plan):
                self._services[name].plan = plan
                self._services[name].steps = STEPS[plan]
                found = self._advance(name)
            case Finished(name):
                found = self._advance(name)
            case Failed(name, reason):
                found = self._fail(name, reason)
            case Cleaned(name):
                self._services[name].state = self._services[name].then
                found = []
            case Cancelled():
                found = self._cancel()
        return self._told([*found, *self._unwind()])

    def _advance(self, name: str) -> list[Instruction]:
        """Go on with a service whose step has ended."""
        one = self._services[name]
        if one.state not in ("working", "prepared"):
            return []
        if self._is_cancelled:
            return self._drop(name, "cancelled")
        if not self._has_started(one):
            lost = next((n for n in self._dependencies[name] if self._services[n].state in ("cleaning", *_LOST)), None)
            if lost is not None:
                return self._skip(name, lost)
            if not self._is_free(name) and (not one.steps or one.steps[0] == "start"):
                one.state = "prepared"
                return []
        if not one.steps:
            one.state = "up"
            return [step for dependant in self._dependants[name] for step in self._released(dependant)]
        step, one.steps = one.steps[0], one.steps[1:]
        one.state = "working"
        one.touched = one.touched or step in ("create", "start")
        return [Do(name, step)]

    def _released(self, name: str) -> list[Instruction]:
        """Go on with a service one of whose dependencies is up."""
        one = self._services[name]
        if not self._is_free(name):
            return []
        if one.state == "prepared":
            return self._advance(name)
        if one.state == "waiting" and not self._is_cancelled:
            one.state = "working"
            return [Do(name, "resolve")]
        return []

    def _fail(self, name: str, reason: str) -> list[Instruction]:
        one = self._services[name]
        if one.state not in ("working", "up"):
            return []
        self.reasons[name] = reason
        one.state, one.then = "cleaning", "failed"
        return [Clean(name, failed=True), *self._skip_dependants(name)]

    def _skip(self, name: str, since: str) -> list[Instruction]:
        self.reasons.setdefault(name, f"{since} failed" if self._services[since].then == "failed" else f"no {since}")
        return [*self._drop(name, "skipped"), *self._skip_dependants(name)]

    def _skip_dependants(self, name: str) -> list[Instruction]:
        return [
            instruction
            for dependant in self._dependants[name]
            if self._services[dependant].state in ("waiting", "prepared")
            for instruction in self._skip(dependant, name)
        ]

    def _drop(self, name: str, then: State) -> list[Instruction]:
        """Take a service out that nothing is going on with."""
        one = self._services[name]
        if one.touched:
            one.state, one.then = "cleaning", then
            return [Clean(name, failed=False)]
        one.state = one.then = then
        return []

    def _cancel(self) -> list[Instruction]:
        self._is_cancelled = True
        found: list[Instruction] = []
        for name, one in self._services.items():
            if one.state in ("waiting", "prepared"):
                found += self._drop(name, "cancelled")
            elif one.state == "working":
                found.append(Abandon(name))
        return found

    def _unwind(self) -> list[Instruction]:
        """Take down what this start brought up, dependants first, once it is cancelled."""
        found: list[Instruction] = []
        for name, one in self._services.items():
            if self._is_to_unwind(one) and all(self._is_out_of_the_way(n) for n in self._dependants[name]):
                found += self._drop(name, "cancelled")
        return found

    def _is_to_unwind(self, one: _Service) -> bool:
        return self._is_cancelled and one.state == "up" and one.touched

    def _is_out_of_the_way(self, name: str) -> bool:
        one = self._services[name]
        return one.state in ENDED and not self._is_to_unwind(one)

    def _is_free(self, name: str) -> bool:
        return all(self._services[needed].state == "up" for needed in self._dependencies[name])

    @staticmethod
    def _has_started(one: _Service) -> bool:
        return one.plan in ("wake", "create") and "start" not in one.steps

    def _told(self, instructions: list[Instruction]) -> list[Instruction]:
        self.story += instructions
        return instructions


_LOST: tuple[State, ...] = ("failed", "skipped", "cancelled")
