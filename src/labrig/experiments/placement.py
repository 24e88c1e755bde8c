"""On which of several lab hosts an experiment is: where it is already, else where most memory is free."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from labrig.errors import EnvironmentFailed, UsageError


@dataclass(frozen=True)
class Seen:
    """What a lab host answered.

    Attributes:
        host: As the settings name it.
        free: Bytes of memory that are free.
        has_it: The experiment is there, whole or in part.
        refused: Why it can take no experiment, or was not reached; empty where it can.
    """

    host: str
    free: int = 0
    has_it: bool = False
    refused: str = ""


@dataclass(frozen=True)
class Placed:
    """Where an experiment is, and why there.

    Attributes:
        host: As the settings name it.
        is_new: It was on none until now.
        reason: One line for people.
    """

    host: str
    is_new: bool
    reason: str


def place(seen: Sequence[Seen], what: str) -> Placed:
    """Return the lab host for an experiment.

    One that is somewhere stays there, however little memory that host has left. Else it comes where most is free, of
    hosts with the same where the settings name first. While a host does not answer, nothing new is placed: it might
    have the experiment, and two would have one name.

    Args:
        seen: What each host of the settings answered, in their order; at least one.
        what: The experiment, for messages.

    Raises:
        UsageError: It is on several of them.
        EnvironmentFailed: It is on none of those that answer, and one does not.

    >>> place([Seen("lab1", free=2**30), Seen("lab2", free=2**31)], "shop/login").reason
    'lab2 has most memory free: 2.0 GiB; lab1 has 1.0 GiB'
    """
    having = [one.host for one in seen if one.has_it]
    if len(having) > 1:
        raise UsageError(
            f"{what} is on {_listed(having)}",
            hint=f"labrig experiment delete --host {having[-1]} removes one of them",
        )
    if having:
        return Placed(having[0], is_new=False, reason=f"{what} is there already")
    silent = [one for one in seen if one.refused]
    if silent:
        reasons = "; ".join(one.refused for one in silent)
        others = [one.host for one in seen if not one.refused]
        raise EnvironmentFailed(
            f"{what} cannot be placed: {reasons}" if not others else f"{what} may be on {silent[0].host}: {reasons}",
            hint=f"--host {others[0]} places it there without asking the others" if others else "",
        )
    best = max(seen, key=lambda one: one.free)
    rest = ", ".join(f"{one.host} has {size(one.free)}" for one in seen if one is not best)
    if not rest:
        return Placed(best.host, is_new=True, reason="it is the only lab host")
    return Placed(best.host, is_new=True, reason=f"{best.host} has most memory free: {size(best.free)}; {rest}")


def size(count: int) -> str:
    """Return a number of bytes as people read it.

    >>> size(1536 * 2**20)
    '1.5 GiB'
    """
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"


def _listed(names: Iterable[str]) -> str:
    return " and on ".join(names)
