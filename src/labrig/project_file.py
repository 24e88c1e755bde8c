"""labrig.yml, the file of a project's settings: what its readers have in common."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from datetime import timedelta

FILE = "labrig.yml"
# Keys at the top of the file that have a reader of their own; all others are a proof's.
SECTIONS = ("experiment",)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d)?")
# Above it, no date could be told.
LONGEST = timedelta(days=36500)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def duration(text: str | float) -> timedelta:
    """Return the time that ``90s``, ``30m``, ``2h``, ``7d`` or a number of seconds stands for.

    Raises:
        ValueError: It stands for none, for none at all, or for more than ``LONGEST``.
    """
    match = _DURATION.fullmatch(str(text).strip())
    if match is None or float(match[1]) == 0:
        raise ValueError(f"expected a time such as 90s, 30m or 2h, found {text!r}")
    found = float(match[1]) * _SECONDS[match[2] or "s"]
    if found > LONGEST.total_seconds():
        raise ValueError(f"expected a time of at most {LONGEST.days}d, found {text!r}")
    return timedelta(seconds=found)


def nearest(key: str, known: Iterable[str]) -> str | None:
    """Return the known key that somebody may have meant.

    >>> nearest("scenrio", ["scenario", "main"])
    'scenario'
    """
    return next(iter(difflib.get_close_matches(key, list(known), n=1, cutoff=0.5)), None)


def way(steps: Sequence[str | int]) -> str:
    """Return the way to a value as a person writes it.

    >>> way(["allowed", 0, "key"])
    'allowed[0].key'
    """
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).lstrip(".")
