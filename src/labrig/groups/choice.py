"""Which services of a group an operation is about; and whether they can be had without the others. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from labrig.errors import UsageError
from labrig.groups.formatting import nearest

Dependencies = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Choice:
    """Which services an operation is about.

    Attributes:
        names: Only these (with what they need, or what needs them); empty is all.
        exclude: Not these.
        alone: Only ``names`` themselves: no dependencies on a start, no dependants on a stop.
    """

    names: Sequence[str] = ()
    exclude: Sequence[str] = ()
    alone: bool = False


def in_order(dependencies: Dependencies) -> list[str]:
    """Return all services, each after those that it depends on, otherwise in the given order.

    Raises:
        CycleError: There is no such order; ``cycle`` names one in full.

    >>> in_order({"app": ["db"], "db": [], "web": ["app"]})
    ['db', 'app', 'web']
    """
    return list(TopologicalSorter(dependencies).static_order())


def cycle(dependencies: Dependencies) -> list[str]:
    """Return the services of a cycle, the first once more at its end; empty where there is none.

    >>> cycle({"a": ["b"], "b": ["a"]})
    ['a', 'b', 'a']
    """
    try:
        in_order(dependencies)
    except CycleError as error:
        # graphlib goes from a dependency to its dependant; people say it the other way round.
        found = list(reversed(error.args[1]))[:-1]
        first = found.index(min(found))
        return [*found[first:], *found[: first + 1]]
    return []


def dependants(dependencies: Dependencies) -> dict[str, list[str]]:
    """Return for each service those that depend on it.

    >>> dependants({"db": [], "app": ["db"]})
    {'db': ['app'], 'app': []}
    """
    found: dict[str, list[str]] = {name: [] for name in dependencies}
    for name, needed in dependencies.items():
        for one in needed:
            found[one].append(name)
    return found


def reach(start: Iterable[str], edges: Dependencies) -> set[str]:
    """Return all that can be reached from some services, themselves included."""
    found: set[str] = set()
    open_ones = list(start)
    while open_ones:
        name = open_ones.pop()
        if name not in found:
            found.add(name)
            open_ones.extend(edges[name])
    return found


def to_start(dependencies: Dependencies, choice: Choice) -> list[str]:
    """Return the services to start, in order.

    Raises:
        UsageError: A name is unknown, or one that stays depends on one that is excluded.
    """
    _check(dependencies, choice)
    chosen = set(choice.names) or set(dependencies)
    if not choice.alone:
        chosen = reach(chosen - set(choice.exclude), _without(dependencies, choice.exclude))
    chosen -= set(choice.exclude)
    for name in in_order(dependencies):
        missing = [one for one in dependencies[name] if one in choice.exclude]
        if name in chosen and missing and not choice.alone:
            raise UsageError(
                f"service {missing[0]!r} is to be excluded, but {name!r} depends on it",
                hint=f"exclude {name!r} as well, or start it with --no-deps",
            )
    return [name for name in in_order(dependencies) if name in chosen]


def to_stop(dependencies: Dependencies, choice: Choice) -> list[str]:
    """Return the services to stop, dependants first.

    Raises:
        UsageError: A name is unknown, or one that stays depends on one that is stopped.
    """
    _check(dependencies, choice)
    upward = dependants(dependencies)
    chosen = set(choice.names) or set(dependencies)
    if choice.names and not choice.alone:
        chosen = reach(chosen, upward)
    chosen -= set(choice.exclude)
    for name in choice.exclude:
        stopped = [one for one in dependencies[name] if one in chosen]
        if stopped and not choice.alone:
            raise UsageError(
                f"service {stopped[0]!r} is to be stopped, but {name!r}, which is excluded, depends on it",
                hint=f"exclude {stopped[0]!r} as well",
            )
    return [name for name in reversed(in_order(dependencies)) if name in chosen]


def known(dependencies: Dependencies, name: str) -> None:
    """Raise ``UsageError`` where there is no such service."""
    if name not in dependencies:
        raise UsageError(
            f"there is no service {name!r}",
            hint=f"{nearest(name, list(dependencies))}services: {', '.join(dependencies)}",
        )


def _check(dependencies: Dependencies, choice: Choice) -> None:
    for name in (*choice.names, *choice.exclude):
        known(dependencies, name)
    both = set(choice.names) & set(choice.exclude)
    if both:
        raise UsageError(f"service {min(both)!r} is both named and excluded")


def _without(dependencies: Dependencies, excluded: Sequence[str]) -> Dependencies:
    """Return the graph without the edges to what is excluded."""
    return {name: [one for one in needed if one not in excluded] for name, needed in dependencies.items()}
