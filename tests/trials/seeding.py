"""Seeding defects on machines, each alone or all at once, and judging what a comparison makes of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from labrig.engine.machines import Machine
from labrig.state.compare import compare
from trials.defects import MACHINES, Defect, Judgement, judge
from trials.lab import Lab, run


def prepared(lab: Lab, name: str) -> str:
    """Return the image of one of the machines of machines.yml."""
    made = MACHINES[name]
    return lab.prepared(made.packages, made.script, engine=made.engine)


def started(lab: Lab, image: str, name: str) -> Machine:
    """Return one of the machines of machines.yml, ready to be seeded on, from its image."""
    machine = lab.start(image, engine=MACHINES[name].engine)
    run(machine, MACHINES[name].begin)
    return machine


def alone(lab: Lab, image: str, defects: Sequence[Defect]) -> Iterator[Judgement]:
    """Seed each defect on a machine of its own; all are compared with one that has none."""
    untouched = started(lab, image, defects[0].machine)
    before = lab.state(untouched)
    untouched.remove()
    for defect in defects:
        machine = started(lab, image, defect.machine)
        run(machine, defect.seed)
        after = lab.state(machine)
        yield judge(defect, compare(before, after).differences, after)
        machine.remove()


def together(lab: Lab, image: str, defects: Sequence[Defect]) -> Iterator[Judgement]:
    """Seed all defects on one machine, one after the other; what any of them explains is expected."""
    machine = started(lab, image, defects[0].machine)
    before = lab.state(machine)
    for defect in defects:
        run(machine, defect.seed)
    after = lab.state(machine)
    differences = compare(before, after).differences
    machine.remove()
    for defect in defects:
        yield judge(defect, differences, after, defects)
