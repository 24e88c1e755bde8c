"""How long commands ran in a machine: what is left of a deployment's time if everything around them took none."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Served(NamedTuple):
    """One command that a session ran; times in seconds since 1970."""

    container: str
    began: float
    ended: float


def busy(served: Iterable[Served], began: float, ended: float, container: str | None = None) -> float:
    """Return how many seconds of a span at least one command ran, in one container or in any.

    >>> busy([Served("m", 1, 3), Served("m", 2, 4), Served("m", 8, 9)], 0, 8.5)
    3.5
    """
    spans = sorted(
        (max(one.began, began), min(one.ended, ended)) for one in served if container in (None, one.container)
    )
    total = 0.0
    reached = began
    for start, end in spans:
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total
