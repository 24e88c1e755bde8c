"""Sets of services, deployed alike on several machines: whatever differs between those is noise."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from labrig.engine.machines import Machine
from labrig.state.compare import Comparison, compare
from labrig.state.explain import sentence
from labrig.state.model import State
from labrig.state.rules import DEFAULT_RULES, ONE_MACHINE_RULES
from trials.lab import QUIETLY, Lab, run


@dataclass(frozen=True)
class Services:
    """A set of services: its packages in the order of installation, and the script that configures them."""

    name: str
    packages: tuple[str, ...]
    configure: str


SETS: dict[str, Services] = {
    name: Services(name, tuple(one["packages"]), one["configure"])
    for name, one in yaml.safe_load(Path(__file__).with_name("services.yml").read_text(encoding="utf-8")).items()
}


@dataclass(frozen=True)
class Silence:
    """What came of comparing machines that should not differ.

    Attributes:
        what: What was compared, a few words.
        machines: How many machines there were.
        pairs: How many comparisons were made.
        compared: How many entries all of them compared.
        differences: Every difference found, as a sentence, with the number of pairs that had it.
        notes: What could be read nowhere.
        rules: How many entries each rule hid, over all pairs.
    """

    what: str
    machines: int
    pairs: int
    compared: int
    differences: Counter[str]
    notes: Counter[str]
    rules: Counter[str]


@dataclass(frozen=True)
class Deployed:
    """The state of one machine, whether its packages came in the reverse order, and the machine while it is there."""

    reverse: bool
    state: State
    machine: Machine


def deploy(machine: Machine, services: Services, *, reverse: bool = False) -> None:
    """Install a set's packages one after the other, and configure them."""
    for package in services.packages[::-1] if reverse else services.packages:
        run(machine, f"apt-get install -y {QUIETLY} {package}")
    run(machine, services.configure)


def states(lab: Lab, services: Services, *, same: int, reverse: int) -> Iterator[Deployed]:
    """Deploy a set on so many machines in its own order and in the reverse one, one machine after the other."""
    image = lab.fetched(services.packages)
    for order in [False] * same + [True] * reverse:
        machine = lab.start(image)
        deploy(machine, services, reverse=order)
        yield Deployed(order, lab.state(machine), machine)
        machine.remove()


def between_machines(found: Sequence[Deployed]) -> Iterator[Silence]:
    """Compare every machine with every other: those of one order, then those of one order with those of the other."""
    for what, wanted in (("same order", (False, False)), ("reverse order", (False, True))):
        pairs = [pair for pair in itertools.combinations(found, 2) if (pair[0].reverse, pair[1].reverse) == wanted]
        machines = len({id(one) for pair in pairs for one in pair})
        comparisons = (compare(one.state, other.state, rules=DEFAULT_RULES) for one, other in pairs)
        yield _silence(what, machines, comparisons)


def on_one_machine(lab: Lab, deployed: Deployed) -> Iterator[Silence]:
    """Look at a machine once more, then restart it and look again."""
    again = lab.state(deployed.machine)
    yield _silence("looked at twice", 1, [compare(deployed.state, again, rules=ONE_MACHINE_RULES)])
    deployed.machine.restart()
    yield _silence("restarted", 1, [compare(again, lab.state(deployed.machine), rules=ONE_MACHINE_RULES)])


def _silence(what: str, machines: int, comparisons: Iterable[Comparison]) -> Silence:
    pairs = compared = 0
    differences: Counter[str] = Counter()
    notes: Counter[str] = Counter()
    rules: Counter[str] = Counter()
    for comparison in comparisons:
        pairs += 1
        compared += comparison.compared
        differences.update(
            f"{found.dimension}: {sentence(found, left='one', right='other')}" for found in comparison.differences
        )
        notes.update(comparison.notes)
        rules.update({applied.rule: applied.count for applied in comparison.ignored})
    return Silence(what, machines, pairs, compared, differences, notes, rules)
