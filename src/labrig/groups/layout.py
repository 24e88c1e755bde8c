"""Where the services of a group stand in a drawing: a layered layout of a graph without cycles.

What needs nothing stands in the first layer, everything else one layer behind the last of what it needs. Within a layer
the order is such that few lines cross (sweeps by barycentre: Sugiyama, Tagawa and Toda, 1981), and each place is as
near to those it is connected with as its neighbours leave room for (least squares under a least distance: pool
adjacent violators).
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

SWEEPS = 12
SETTLINGS = 8
# How much room a line takes that only passes through a layer; a service takes 1.
PASSING = 0.5


class Point(NamedTuple):
    """A point of a drawing without units: layer 0 is the first; two services of one layer are at least 1 apart."""

    layer: int
    place: float


class _Stop(NamedTuple):
    """What stands in a layer: a service (both names are its own), or a line from one to the other that passes."""

    needed: str
    needing: str
    layer: int

    @property
    def room(self) -> float:
        return 1.0 if self.needed == self.needing else PASSING


Layers = list[list[_Stop]]
Neighbours = Mapping[_Stop, Sequence[_Stop]]


@dataclass(frozen=True)
class Layout:
    """A drawing.

    Attributes:
        places: Where each service stands, in the order in which they were given.
        lines: For each pair (what is needed, who needs it) the points that the line runs through, both ends included.
    """

    places: Mapping[str, Point]
    lines: Mapping[tuple[str, str], Sequence[Point]]


def layers_of(needs: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Return each service's layer: the length of the longest chain of needs below it.

    Args:
        needs: What each service needs; every name in it is a key, and there is no cycle.
    """
    found: dict[str, int] = {}
    for start in needs:
        # Not recursive: a chain may be longer than Python's stack.
        pending = [start]
        while pending:
            name = pending[-1]
            missing = [one for one in needs[name] if one not in found]
            if missing:
                pending.extend(missing)
            else:
                found[pending.pop()] = 1 + max((found[one] for one in needs[name]), default=-1)
    return {name: found[name] for name in needs}


def lay_out(needs: Mapping[str, Sequence[str]]) -> Layout:
    """Return the drawing of what each service needs.

    Args:
        needs: As for ``layers_of``.
    """
    layer_of = layers_of(needs)
    layers: Layers = [[] for _ in range(1 + max(layer_of.values(), default=-1))]
    for name, layer in layer_of.items():
        layers[layer].append(_Stop(name, name, layer))
    routes: dict[tuple[str, str], list[_Stop]] = {}
    for needing, all_needed in needs.items():
        for needed in dict.fromkeys(all_needed):
            passing = [_Stop(needed, needing, one) for one in range(layer_of[needed] + 1, layer_of[needing])]
            for stop in passing:
                layers[stop.layer].append(stop)
            first, last = (_Stop(one, one, layer_of[one]) for one in (needed, needing))
            routes[needed, needing] = [first, *passing, last]

    before: dict[_Stop, list[_Stop]] = {stop: [] for layer in layers for stop in layer}
    after: dict[_Stop, list[_Stop]] = {stop: [] for layer in layers for stop in layer}
    for route in routes.values():
        for left, right in pairwise(route):
            after[left].append(right)
            before[right].append(left)

    place_of = _settled(_uncrossed(layers, before, after), before, after)
    return Layout(
        {name: Point(layer, place_of[_Stop(name, name, layer)]) for name, layer in layer_of.items()},
        {pair: [Point(stop.layer, place_of[stop]) for stop in route] for pair, route in routes.items()},
    )


def crossings(lines: Sequence[tuple[float, float]]) -> int:
    """Count the pairs of lines that cross, each going from a place in one layer to a place in the next."""
    seen: list[float] = []
    count = 0
    for _, right in sorted(lines):
        count += len(seen) - bisect_right(seen, right)
        insort(seen, right)
    return count


def _uncrossed(layers: Layers, before: Neighbours, after: Neighbours) -> Layers:
    """Return the layers in the order with the fewest crossings that sweeping to and fro came upon."""
    best, fewest = layers, _all_crossings(layers, after)
    current = layers
    for sweep in range(SWEEPS):
        if not fewest:
            break
        forward = sweep % 2 == 0
        neighbours = before if forward else after
        current = [list(layer) for layer in current]
        rank = {stop: float(index) for layer in current for index, stop in enumerate(layer)}
        for layer in current if forward else reversed(current):
            # Sorting is stable: what has no neighbours there stays about where it is.
            layer.sort(key=lambda stop: _mean([rank[one] for one in neighbours[stop]], rank[stop]))
            rank.update({stop: float(index) for index, stop in enumerate(layer)})
        count = _all_crossings(current, after)
        if count < fewest:
            best, fewest = current, count
    return best


def _all_crossings(layers: Layers, after: Neighbours) -> int:
    rank = {stop: index for layer in layers for index, stop in enumerate(layer)}
    return sum(crossings([(rank[stop], rank[one]) for stop in layer for one in after[stop]]) for layer in layers)


def _settled(layers: Layers, before: Neighbours, after: Neighbours) -> dict[_Stop, float]:
    """Return each stop's place, 0 or more, in the order of its layer."""
    place_of: dict[_Stop, float] = {}
    for layer in layers:
        place_of.update(zip(layer, spread([0.0] * len(layer), [stop.room for stop in layer]), strict=True))
    for settling in range(SETTLINGS):
        neighbours = before if settling % 2 == 0 else after
        for layer in layers if settling % 2 == 0 else reversed(layers):
            wanted = [_mean([place_of[one] for one in neighbours[stop]], place_of[stop]) for stop in layer]
            place_of.update(zip(layer, spread(wanted, [stop.room for stop in layer]), strict=True))
    least = min(place_of.values(), default=0.0)
    return {stop: place - least for stop, place in place_of.items()}


def spread(wanted: Sequence[float], rooms: Sequence[float]) -> list[float]:
    """Return the places nearest to those wanted (least squares) at which neighbours keep their distance.

    Args:
        wanted: Where each would stand alone, in the order that is kept.
        rooms: How much room each takes; two neighbours are at least half of both rooms apart.
    """
    offsets = [0.0]
    for one, other in pairwise(rooms):
        offsets.append(offsets[-1] + (one + other) / 2)
    # Without the distances the places only have to ascend: runs that do not are pooled to their mean.
    pools: list[tuple[float, int]] = []
    for place, offset in zip(wanted, offsets, strict=False):
        pools.append((place - offset, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (right, more), (left, many) = pools.pop(), pools.pop()
            pools.append(((left * many + right * more) / (many + more), many + more))
    means = [mean for mean, many in pools for _ in range(many)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=False)]


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise
