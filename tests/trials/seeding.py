"""Seeding defects on machines, each alone or all at once, and judging what a comparison makes of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from labrig.state.compare import compare
from trials.defects import MACHINES, Defect, Judgement, judge
from trials.lab import Lab, run


def prepared(lab: Lab, name: str) -> str:
    """Return the image of one of the machines of machines.yml."""
    return lab.prepared(MACHINES[name].packages, MACHINES[name].script)


def alone(lab: Lab, image: str, defects: Sequence[Defect]) -> Iterator[Judgement]:
    """Seed each defect on a machine of its own; all are compared with one that has none."""
    untouched = lab.start(image)
    before = lab.state(untouched)
    untouched.remove()
    for defect in defects:
        machine = lab.start(image)
        run(machine, defect.seed)
        yield judge(defect, compare(before, lab.state(machine)).differences)
        machine.remove()


def together(lab: Lab, image: str, defects: Sequence[Defect]) -> Iterator[Judgement]:
    """Seed all defects on one machine, one after the other; what any of them explains is expected."""
    machine = lab.start(image)
    before = lab.state(machine)
    for defect in defects:
        run(machine, defect.seed)
    differences = compare(before, lab.state(machine)).differences
    machine.remove()
    for defect in defects:
        yield judge(defect, differences, defects)
