"""What happened in a playbook: the lines of the events callback as values."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

Result = Literal["ok", "changed", "failed", "skipped", "unreachable"]


@dataclass(frozen=True)
class Started:
    """A task has begun on a host."""

    host: str
    task: str


@dataclass(frozen=True)
class Ended:
    """A task has ended on a host.

    Attributes:
        path: Where the task stands, ``file:line``; empty where Ansible does not know.
        seconds: How long it took.
        message: What it said, where it changed something or failed.
        paths: Absolute paths that its arguments or its result name.
        names: Packages, units or accounts that its arguments name.
        began: When it began, in seconds since 1970.
        guards: What may have kept it from its work, as it stands there: ``creates: /etc/x``, ``force: false``.
        reached: Whom its arguments name by a URL: ``https://example.com``.
    """

    host: str
    task: str
    action: str
    role: str | None
    path: str
    result: Result
    ignored: bool
    seconds: float
    message: str
    items: tuple[str, ...]
    paths: tuple[str, ...]
    names: tuple[str, ...]
    began: float = 0.0
    guards: tuple[str, ...] = ()
    reached: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        """The task failed and nobody asked to ignore that; a rescue may still have caught it."""
        return self.result in ("failed", "unreachable") and not self.ignored


@dataclass(frozen=True)
class Stats:
    """The totals of a playbook: for each host ``ok``, ``changed``, ``failures``, ``unreachable``, ``rescued`` ..."""

    hosts: dict[str, dict[str, int]]


Event = Started | Ended | Stats


def parse(lines: Iterable[str]) -> list[Event]:
    """Return the events that the lines hold; a half-written last line, as of a killed playbook, is left out."""
    events: list[Event] = []
    for line in lines:
        try:
            found = json.loads(line)
        except json.JSONDecodeError:
            continue
        events.append(_event(found))
    return events


def _event(found: dict[str, Any]) -> Event:
    if found["event"] == "start":
        return Started(found["host"], found["task"])
    if found["event"] == "stats":
        return Stats(found["hosts"])
    return Ended(
        host=found["host"],
        task=found["task"],
        action=found["action"],
        role=found["role"],
        path=found["path"],
        result=found["result"],
        ignored=found["ignored"],
        seconds=found["seconds"],
        message=found["message"],
        items=tuple(f"{one['item']}: {one['message']}" if one["message"] else one["item"] for one in found["items"]),
        paths=tuple(found["paths"]),
        names=tuple(found["names"]),
        began=found["began"],
        guards=tuple(found["guards"]),
        reached=tuple(found["reached"]),
    )
