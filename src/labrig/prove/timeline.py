"""What ran when, laid out as bars on one scale for both paths: pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from labrig.prove.verdict import PATHS, PathName, Ran

# Marks of a scale, in seconds: people read these.
MARKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200)
MOST_MARKS = 8

Touched = tuple[str, str, str]
"""A task that touched something that differs: path, task, where it stands."""


@dataclass(frozen=True)
class Bar:
    """One task or one step: ``left`` and ``width`` are percentages of the scale."""

    ran: Ran
    left: float
    width: float
    touches: bool


@dataclass(frozen=True)
class Lane:
    """One path: its steps, and beneath them the tasks of each of its machines."""

    path: PathName
    steps: tuple[Bar, ...]
    hosts: tuple[tuple[str, tuple[Bar, ...]], ...]


@dataclass(frozen=True)
class TimeLines:
    """Both lanes, and the scale: for each mark its percentage and its seconds."""

    lanes: tuple[Lane, ...]
    marks: tuple[tuple[float, float], ...]


def lay_out(ran: Sequence[Ran], touched: Collection[Touched]) -> TimeLines | None:
    """Return the bars; None where nothing ran."""
    ran = [one for one in ran if one.path is not None]
    whole = max((one.began + one.seconds for one in ran), default=0.0)
    if whole <= 0:
        return None

    def bar(one: Ran) -> Bar:
        left = max(0.0, one.began / whole * 100)
        return Bar(one, left, min(one.seconds / whole * 100, 100 - left), (one.path, one.task, one.where) in touched)

    lanes = []
    for path in PATHS:
        own = sorted((one for one in ran if one.path == path), key=lambda one: one.began)
        if not own:
            continue
        tasks = [one for one in own if one.task]
        hosts = sorted({one.host for one in tasks})
        lanes.append(
            Lane(
                path,
                tuple(bar(one) for one in _steps(own)),
                tuple((host, tuple(bar(one) for one in tasks if one.host == host)) for host in hosts),
            )
        )
    every = next((mark for mark in MARKS if whole / mark <= MOST_MARKS), MARKS[-1])
    marks = [number * every for number in range(1 + int(whole / every))]
    return TimeLines(tuple(lanes), tuple((mark / whole * 100, mark) for mark in marks))


def _steps(own: Iterable[Ran]) -> list[Ran]:
    """Return one value for each step, which lasts as long as all that stands for it."""
    ran = list(own)
    spans = [one for one in ran if not one.task] or ran
    steps = []
    for _, same in groupby(spans, key=lambda one: one.step):
        parts = list(same)
        began = min(one.began for one in parts)
        ended = max(one.began + one.seconds for one in parts)
        whole = replace(parts[0], host="", task="", role=None, where="", result="", began=began, seconds=ended - began)
        steps.append(whole)
    return steps
