"""The order in which services stop: a pure state machine, as ``order`` is for starting.

Dependants stop first. A service that cannot be stopped holds none of the others up: all that can be stopped is.

    >>> stop = StopOrder({"db": [], "app": ["db"]})
    >>> stop.begin()
    [Stop(service='app')]
    >>> stop.handle(Stopped("app"))
    [Stop(service='db')]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from labrig.groups.choice import dependants

State = Literal["waiting", "stopping", "stopped", "failed", "cancelled"]


@dataclass(frozen=True)
class Stop:
    """Stop a service; report ``Stopped`` or ``NotStopped``."""

    service: str


@dataclass(frozen=True)
class Stopped:
    """It is stopped, or was not running."""

    service: str


@dataclass(frozen=True)
class NotStopped:
    """It could not be stopped, or a hook raised; ``reason`` is one for people."""

    service: str
    reason: str


@dataclass(frozen=True)
class Cancelled:
    """The user wants no more of it: what is stopping stops, the others go on running."""


class StopOrder:
    """One stop of some services.

    Args:
        dependencies: The services to stop, each with those of them that it depends on.
    """

    def __init__(self, dependencies: Mapping[str, Sequence[str]]) -> None:
        self._dependants = dependants(dependencies)
        self.states: dict[str, State] = dict.fromkeys(dependencies, "waiting")
        self.reasons: dict[str, str] = {}

    @property
    def is_over(self) -> bool:
        """Whether nothing is going on and nothing will be."""
        return not any(state in ("waiting", "stopping") for state in self.states.values())

    def begin(self) -> list[Stop]:
        """Return the first instructions."""
        return self._next()

    def handle(self, event: Stopped | NotStopped | Cancelled) -> list[Stop]:
        """Take note of an event; return what is to be done now."""
        match event:
            case Stopped(name):
                self.states[name] = "stopped"
            case NotStopped(name, reason):
                self.states[name] = "failed"
                self.reasons[name] = reason
            case Cancelled():
                self.states.update({name: "cancelled" for name, state in self.states.items() if state == "waiting"})
        return self._next()

    def _next(self) -> list[Stop]:
        free = [
            name
            for name, state in self.states.items()
            if state == "waiting" and all(self.states[one] in ("stopped", "failed") for one in self._dependants[name])
        ]
        self.states.update(dict.fromkeys(free, "stopping"))
        return [Stop(name) for name in free]
