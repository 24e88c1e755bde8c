"""Where the time of a proof went, beside the time that its commands themselves took: pure.

The *floor* is the time in which commands of tasks ran in a machine, or tests: what would be left if everything around
them took none. A proof's floor is that of its slower path, as both are taken at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from labrig.prove.verdict import PATHS, PathName, Ran


@dataclass(frozen=True)
class Row:
    """One step of a path, or one task of a step.

    Attributes:
        path: None for what concerns both.
        what: The step's name, or the task's, which Ansible tells with its role's before it.
        step: The step that a task belongs to; empty for a step.
        where: Where a task stands, with the machine's name before it where there are several.
        wall: Seconds.
        floor: Seconds of them that commands ran; None where nobody measured that.
    """

    path: PathName | None
    what: str
    step: str
    where: str
    wall: float
    floor: float | None


@dataclass(frozen=True)
class Profile:
    """The times of one proof.

    Attributes:
        wall: Seconds from the call to the end, machines removed.
        floor: Seconds that the commands of the slower path took; None where nobody measured that.
        steps: In the order of time, those of one name on one path as one, and what comes before and after the paths.
        tasks: Slowest first.
    """

    wall: float
    floor: float | None
    steps: tuple[Row, ...]
    tasks: tuple[Row, ...]

    @property
    def ratio(self) -> float | None:
        """How many times longer than its commands the proof took."""
        return self.wall / self.floor if self.floor else None


def profile(ran: Sequence[Ran], proved: float, ended: float) -> Profile:
    """Return where the time went.

    Args:
        ran: The steps and tasks of a verdict.
        proved: Seconds until the verdict.
        ended: Seconds until everything was cleaned up.
    """
    steps = [one for one in ran if not one.host]
    tasks = [one for one in ran if one.host]
    hosts = {one.host for one in tasks}
    first = [one.began for one in steps if one.path is not None]
    rows = [Row(None, "start", "", "", min(first), None)] if first else []
    for path in (*PATHS, None):
        own = [one for one in steps if one.path == path]
        rows += [
            Row(path, name, "", "", sum(one.seconds for one in found), _sum(found))
            for name in dict.fromkeys(one.step for one in own)
            for found in [[one for one in own if one.step == name]]
        ]
    rows.append(Row(None, "clean up", "", "", max(0.0, ended - proved), None))
    floors = [_sum([one for one in steps if one.path == path]) for path in PATHS]
    known = [floor for floor in floors if floor is not None]
    return Profile(
        ended,
        max(known, default=None),
        tuple(rows),
        tuple(_task(one, several=len(hosts) > 1) for one in sorted(tasks, key=lambda one: -one.seconds)),
    )


def _task(one: Ran, *, several: bool) -> Row:
    where = f"{one.host}, {one.where}" if several else one.where
    return Row(one.path, one.task, one.step, where, one.seconds, one.inside)


def _sum(ran: Sequence[Ran]) -> float | None:
    known = [one.inside for one in ran if one.inside is not None]
    return sum(known) if known else None
