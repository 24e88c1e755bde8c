"""Which task touched what, from looks at the machine between tasks: pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from labrig.state.dimensions import DIMENSIONS
from labrig.state.secrets import masked

On = Literal["fresh", "upgrade", "production"]
Place = tuple[str, str]
"""A thing on a machine: its dimension and its key."""
Entries = Mapping[Place, Mapping[str, Any]]

LEFT_AS_IT_WAS = "looked at it, left it as it was"
# Ways to say one thing: how the content of a file is hashed.
CONTENT = frozenset({"sha256", "size", "canonical", "plain"})
# Fields that a look cannot tell, since it does not read the whole machine.
UNSEEN = frozenset({"package", "content"})


@dataclass(frozen=True)
class Look:
    """What was seen of a machine at one moment.

    Attributes:
        machine: Its name.
        after: The task that had just ended, as the events callback tells it; None for the first and the last look.
        entries: What was there of what was looked for; None where it could not be looked at.
    """

    machine: str
    after: Mapping[str, Any] | None
    entries: Entries | None


@dataclass(frozen=True)
class Watched:
    """One deployment that was watched.

    Attributes:
        on: Which machines it went to.
        looks: In the order of time.
        complete: It went to its end, and so did the looks.
        root: The folder of the tree that was deployed; places are told from there.
    """

    on: On
    looks: tuple[Look, ...]
    complete: bool
    root: str = ""


@dataclass(frozen=True)
class Touch:
    """That a task changed something.

    Attributes:
        task: As the events callback tells it.
        did: What it did, for example ``changed its mode``.
        fields: The fields that it changed; empty where it made or removed the whole thing.
        item: The item of the loop, where one of them names what was changed.
        sure: No other task could have done it.
    """

    task: Mapping[str, Any]
    did: str
    fields: frozenset[str]
    item: str
    sure: bool


@dataclass(frozen=True)
class Story:
    """What became of one thing in one watched deployment.

    Attributes:
        touches: The tasks that changed it, in the order of time.
        adrift: It changed when no task ran any more.
        first: What it was at first; None where it was not there.
        last: What it was at last.
        complete: The deployment and every look at it went well.
    """

    touches: tuple[Touch, ...]
    adrift: bool
    first: Mapping[str, Any] | None
    last: Mapping[str, Any] | None
    complete: bool


def story(watched: Watched, machine: str, place: Place) -> Story:
    """Return what became of one thing, for example ``("file", "/etc/motd")``, on a machine."""
    touches: list[Touch] = []
    adrift = False
    seen = [look for look in watched.looks if look.machine == machine]
    known = [look.entries for look in seen if look.entries is not None]
    first = known[0].get(place) if known else None
    value = first
    unseen: list[Mapping[str, Any]] = []
    for look in seen:
        if look.entries is None:
            unseen += [look.after] if look.after else []
            continue
        now = look.entries.get(place)
        did, fields = _change(place[0], value, now)
        if did:
            tasks = [*unseen, *([look.after] if look.after else [])]
            adrift = adrift or not tasks
            touches += [
                Touch(task, did, fields, _item(task, place), len(tasks) == 1 and _alone(task)) for task in tasks
            ]
        unseen, value = [], now
    complete = watched.complete and bool(seen) and all(look.entries is not None for look in seen)
    return Story(tuple(touches), adrift, first, value, complete)


def told(touch: Touch, on: On, root: str) -> dict[str, Any]:
    """Return a touch as a verdict tells it."""
    item = f", item {touch.item}" if touch.item else ""
    running = [str(one) for one in touch.task.get("background", ())]
    # Each is a task's name with its place in parentheses.
    others = " and ".join(f"'{one.replace(f'({root}/', '(') if root else one}'" for one in running)
    doubt = "" if touch.sure else f"; {others or 'another task'} that ran meanwhile may have done it"
    return {"on": on, **_named(touch.task, root), "result": touch.task["result"], "did": f"{touch.did}{item}{doubt}"}


def decisive(touches: Sequence[Touch], fields: Iterable[str]) -> Touch | None:
    """Return the last task that changed what differs; ``fields`` are those that differ, none for the whole thing."""
    wanted = _said(fields)
    for touch in reversed(touches):
        if not touch.fields or not wanted or _said(touch.fields) & wanted:
            return touch
    return None


def same(dimension: str, one: Mapping[str, Any] | None, other: Mapping[str, Any] | None, fields: Iterable[str]) -> bool:
    """Whether two values agree in the given fields; without fields, in whether there is anything."""
    wanted = set(fields)
    if one is None or other is None or not wanted:
        return (one is None) == (other is None)
    return not any(one.get(name) != other.get(name) for name in wanted - UNSEEN - _context(dimension))


def _change(
    dimension: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> tuple[str, frozenset[str]]:
    if before is None and after is None:
        return "", frozenset()
    if before is None:
        return "created it", frozenset()
    if after is None:
        return "removed it", frozenset()
    ignored = UNSEEN | _context(dimension)
    fields = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)} - ignored
    if not fields:
        return "", frozenset()
    if "type" in fields:
        return f"made it a {after.get('type')}", frozenset(fields)
    return f"changed its {' and '.join(sorted(_said(fields)))}", frozenset(fields)


def _said(fields: Iterable[str]) -> set[str]:
    return {"content" if name in CONTENT else name for name in fields}


def _context(dimension: str) -> frozenset[str]:
    known = DIMENSIONS.get(dimension)
    return known.context if known else frozenset()


def _item(task: Mapping[str, Any], place: Place) -> str:
    dimension, key = place
    short = key.removesuffix(".service")
    for item in task.get("items", ()):
        names = item["paths"] if dimension == "file" else item["names"]
        if key in names or (dimension != "file" and short in names):
            return masked(str(item["item"]))
    return ""


def _alone(task: Mapping[str, Any]) -> bool:
    if task.get("background"):
        return False
    return not task.get("delegated") or task.get("strategy", "linear") in ("linear", "debug")


def _named(task: Mapping[str, Any], root: str) -> dict[str, Any]:
    return {"task": task["task"], "role": task["role"], "path": _from(str(task["path"]), root)}


def _from(path: str, root: str) -> str:
    return path.removeprefix(f"{root}/") if root else path


def stories(watched: Iterable[Watched], machine: str, place: Place) -> Iterator[tuple[Watched, Story]]:
    """Yield each watched deployment with what became of one thing in it."""
    for one in watched:
        yield one, story(one, machine, place)
