"""The two sides of a comparison: whether they are one machine, what to call them, what both of them hold.

A header says through what a machine was captured: ``{"target": {"kind": "container", "name": "web", "id": ...},
"captured": "2026-01-31T12:00:00+00:00", "machine": ..., "hostname": ...}``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from labrig.state.dimensions import DIMENSIONS
from labrig.state.model import State
from labrig.state.probe.text import written

# What stands for another machine whenever it is looked at: each look boots a new one.
NEVER_ONE = frozenset({"image"})
# What is told depends on which files were looked at.
BY_THE_WALK = frozenset({"file", "hard link", "language package"})
# Names that an inventory gives: two of them are two machines, whatever these say of themselves.
NAMED = frozenset({"ansible", "testinfra"})


def is_one_machine(left: Mapping[str, Any], right: Mapping[str, Any]) -> bool:
    """Tell by their headers whether two states are of one machine, at two times.

    Containers are told apart by Docker's id: those of one image share host name and machine-id. Other machines are
    one where both host name and machine-id are the same, and the name in the inventory where they have one.
    """
    targets = [header.get("target") or {} for header in (left, right)]
    kinds = {target.get("kind") for target in targets}
    if len(kinds) > 1 or kinds <= NEVER_ONE:
        return False
    ids = {target.get("id") for target in targets}
    if ids != {None}:
        return len(ids) == 1
    if kinds <= NAMED and len({target.get("name") for target in targets}) > 1:
        return False
    identities = [(header.get("machine"), header.get("hostname")) for header in (left, right)]
    return identities[0] == identities[1] and all(identities[0])


def names(left: Mapping[str, Any], right: Mapping[str, Any], *, one_machine: bool) -> tuple[str, str]:
    """Return what to call the two sides: by target, else by host name; with the time where that is the same.

    One machine is called ``before`` and ``after``, unless the left one is the later.
    """
    times = [str(header.get("captured") or "") for header in (left, right)]
    if one_machine and (not all(times) or times[0] <= times[1]):
        return "before", "after"
    found = [_name(header) for header in (left, right)]
    if found[0] == found[1] and all(times) and times[0] != times[1]:
        found = [f"{name} at {time}" for name, time in zip(found, times, strict=True)]
    if found[0] == found[1]:
        found = [f"{found[0]} (left)", f"{found[1]} (right)"]
    return found[0], found[1]


def _name(header: Mapping[str, Any]) -> str:
    target = header.get("target") or {}
    return str(target.get("name") or header.get("hostname") or "a machine")


def within(state: State, *, only: Iterable[str] = (), dimensions: Iterable[str] | None = None) -> State:
    """Return the part of a state that a capture with ``only`` and ``dimensions`` would have given.

    Args:
        state: Any state.
        only: Absolute paths; files outside of them are left out, and what is told of all files that were looked at:
            hard links and packages of languages. Empty for all.
        dimensions: Names of dimensions; None for all.
    """
    kept = None if dimensions is None else frozenset(dimensions)
    tops = tuple(written(path.encode("utf-8", "surrogateescape")).rstrip("/") for path in only)
    if kept is None and not tops:
        return state

    def holds(dimension: str, key: str) -> bool:
        if kept is not None and dimension not in kept:
            return False
        if not tops or dimension not in BY_THE_WALK:
            return True
        return dimension == "file" and any(key == top or key.startswith(f"{top}/") for top in tops)

    header = dict(state.header)
    if kept is not None and "dimensions" in header:
        header["dimensions"] = [name for name in header["dimensions"] if name in kept]
    return State(
        header,
        {place: value for place, value in state.entries.items() if holds(*place)},
        {name: reason for name, reason in state.unreadable.items() if kept is None or name in kept},
    )


def alike(left: State, right: State) -> tuple[State, State, tuple[str, ...]]:
    """Return both states kept to the paths that both were captured with, and what is not compared, in words."""
    asked = [tuple(state.header.get("only") or ()) for state in (left, right)]
    captured = {name for state in (left, right) for name in state.header.get("dimensions", DIMENSIONS)}
    notes = tuple(_left_out(asked, captured))
    for only in asked if asked[0] != asked[1] else ():
        left, right = within(left, only=only), within(right, only=only)
    return left, right, notes


def _left_out(asked: list[tuple[str, ...]], captured: set[str]) -> Iterator[str]:
    for only in dict.fromkeys(one for one in asked if one):
        yield f"files outside of {', '.join(only)}"
    missing = [name for name in DIMENSIONS if name not in captured]
    if missing:
        # A file may be older than a dimension: nothing is known of it, and that is not the same as nothing differs.
        yield f"{', '.join(missing)}: captured on neither side"
