"""Which experiments are over: judged by their branches and times, never by what somebody announced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from labrig.experiments.naming import Names
from labrig.experiments.record import Record


@dataclass(frozen=True)
class Found:
    """An experiment on a lab host, as its record or, without one, its labels tell.

    Attributes:
        names: Its names.
        repository: The repository of its branch.
        branch: Its branch.
        expires: When its time is over; None is never.
        pinned: It stays until it is deleted by hand.
    """

    names: Names
    repository: str
    branch: str
    expires: datetime | None
    pinned: bool = False

    @classmethod
    def of(cls, names: Names, noted: Record) -> Found:
        """Return an experiment by its record."""
        return cls(names, noted.repository, noted.branch, noted.end, noted.pinned)


def over(
    experiments: Iterable[Found], branches: Mapping[str, frozenset[str] | None], now: datetime
) -> list[tuple[Found, str]]:
    """Return the experiments that are over, each with the reason.

    Args:
        experiments: All of a lab host.
        branches: Those that each repository has; None, or no entry, where it could not be asked: of its experiments
            only the time counts. A repository without any branch is taken for one that could not be asked.
        now: The time.
    """
    found = []
    for one in experiments:
        if one.pinned:
            continue
        there = branches.get(one.repository)
        if there and one.branch not in there:
            found.append((one, f"branch {one.branch} is gone"))
        elif one.expires is not None and one.expires <= now:
            found.append((one, f"its time was over at {one.expires.isoformat(timespec='seconds')}"))
    return found
