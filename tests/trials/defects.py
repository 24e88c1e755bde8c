"""Seeded defects: what is done to a machine, and what must be found then.

The defects are data, in tests/faults/defects. ``judge`` says of one defect what became of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from labrig.prove.classes import of_paths
from labrig.state.compare import Difference
from labrig.state.dimensions import DIMENSIONS
from labrig.state.model import State

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests" / "faults" / "defects"


@dataclass(frozen=True)
class Expected:
    """The difference that a defect makes.

    Attributes:
        dimension: Where it is found.
        key: A regular expression for the whole key.
        fields: Fields that differ, among others.
        kind: The class of the difference between a fresh machine and one that has the defect from production.
    """

    dimension: str
    key: str
    fields: frozenset[str]
    kind: str

    def is_met_by(self, found: Difference) -> bool:
        """Whether a difference is the one."""
        return (
            found.dimension == self.dimension
            and re.fullmatch(self.key, found.key, re.DOTALL) is not None
            and self.fields <= set(found.fields)
        )


@dataclass(frozen=True)
class Defect:
    """One defect.

    Attributes:
        name: What it is, a few words.
        machine: The machine of machines.yml that it is seeded on.
        seed: A shell script that does it, without the network.
        expected: The difference that must be found.
        also: ``DIMENSION PATTERN`` of what differs as well, because it follows.
    """

    name: str
    machine: str
    seed: str
    expected: Expected
    also: tuple[tuple[str, str], ...]

    def explains(self, found: Difference) -> bool:
        """Whether a difference is this defect or follows from it."""
        return self.expected.is_met_by(found) or any(
            found.dimension == dimension and re.fullmatch(pattern, found.key, re.DOTALL)
            for dimension, pattern in self.also
        )


@dataclass(frozen=True)
class Preparation:
    """What the machine of some defects is made of.

    Attributes:
        packages: What is installed.
        script: What is done once, before the machine is kept as an image.
        begin: What is done after each start.
        engine: Whether a Docker Engine runs there.
    """

    packages: tuple[str, ...]
    script: str
    begin: str
    engine: bool


@dataclass(frozen=True)
class Judgement:
    """What became of a defect.

    Attributes:
        found: The difference that was expected; None for a miss.
        kind: The class that labrig gives it; None for a miss.
        elsewhere: What differs and follows from the defect, where what was expected is missed.
        unexpected: What differs besides.
    """

    defect: Defect
    found: Difference | None
    kind: str | None
    elsewhere: tuple[Difference, ...]
    unexpected: tuple[Difference, ...]

    @property
    def right_kind(self) -> bool:
        """Whether its class is the expected one."""
        return self.kind == self.defect.expected.kind

    @property
    def well(self) -> bool:
        """Whether everything is as expected."""
        return self.found is not None and self.right_kind and not self.unexpected


def judge(defect: Defect, differences: Iterable[Difference], after: State, others: Sequence[Defect] = ()) -> Judgement:
    """Return what became of a defect.

    Args:
        differences: Between a machine without the defect and one with it.
        after: The state of the one with it, and for the class, production's: an upgrade has left it as it was.
        others: What else is seeded on the same machine.
    """
    differences = list(differences)
    found = [one for one in differences if defect.expected.is_met_by(one)]
    explained = [one for one in differences if defect.explains(one)]
    unexpected = [
        one for one in differences if one not in explained and not any(other.explains(one) for other in others)
    ]
    kind = of_paths(found[0], after.entries.get((found[0].dimension, found[0].key))) if found else None
    return Judgement(defect, found[0] if found else None, kind, () if found else tuple(explained), tuple(unexpected))


def _defects(path: Path) -> Iterable[Defect]:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    for one in content["defects"]:
        yield Defect(
            name=one["name"],
            machine=content["machine"],
            seed=one["seed"],
            expected=_expected(one["finds"]),
            also=tuple(_place(place) for place in _flat(one.get("also", ()))),
        )


def _expected(told: Mapping[str, Any]) -> Expected:
    key = told["pattern"] if "pattern" in told else re.escape(told["key"])
    return Expected(told["dimension"], key, frozenset(told.get("fields", ())), told["kind"])


def _flat(places: Iterable[Any]) -> Iterable[str]:
    # YAML has an anchor for one entry only: a list under one may stand among the others.
    for place in places:
        if isinstance(place, str):
            yield place
        else:
            yield from _flat(place)


def _place(place: str) -> tuple[str, str]:
    # The name of a dimension may be two words.
    named = [name for name in DIMENSIONS if place.startswith(f"{name} ")]
    dimension = max(named, key=len) if named else place.partition(" ")[0]
    return dimension, place[len(dimension) + 1 :]


DEFECTS: tuple[Defect, ...] = tuple(defect for path in sorted(FOLDER.glob("*.yml")) for defect in _defects(path))

MACHINES: dict[str, Preparation] = {
    name: Preparation(tuple(one["packages"]), one["script"], one.get("begin", ""), one.get("engine", False))
    for name, one in yaml.safe_load(Path(__file__).with_name("machines.yml").read_text(encoding="utf-8")).items()
}
