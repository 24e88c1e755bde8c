"""Whether a captured state is complete and quiet: defects that must be found, equal machines that must not differ.

    python benchmarks/detection.py                            everything
    python benchmarks/detection.py --defect 'a user too many' one defect; may be given again
    python benchmarks/detection.py --dimension file           the defects of one dimension; may be given again
    python benchmarks/detection.py --set nginx                one set of services; may be given again
    python benchmarks/detection.py --together                 all defects of one machine at once, as the tests have it

Each defect is seeded on a machine of its own, so that none hides another. Found means: as a difference of its own, in
the right dimension, under the right key, with the right fields, of the right class, and nothing differs that does not
follow from it. Of each set of services, several machines get it in one order and some in the reverse order, and every
pair is compared; one of them is looked at twice and restarted. Ends with 1 if anything is missed, not expected, or
differs.

The defects are in tests/faults/defects, the machines and the sets in tests/trials.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from labrig.state.dimensions import DIMENSIONS
from labrig.state.explain import sentence
from trials import seeding, services
from trials.defects import DEFECTS, Defect, Judgement
from trials.lab import Lab
from trials.services import SETS, Deployed, Services, Silence

SAME, REVERSE = 5, 2

console = Console(width=None if sys.stdout.isatty() else 120)


def main() -> int:
    """Seed, deploy, compare, and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--defect", action="append", choices=[one.name for one in DEFECTS], metavar="NAME", default=[])
    parser.add_argument("--dimension", action="append", metavar="NAME", default=[])
    parser.add_argument("--set", action="append", choices=list(SETS), dest="sets", default=[])
    parser.add_argument("--together", action="store_true", help="seed all defects of one machine at once")
    parser.add_argument("--machines", type=int, default=SAME, help="how many machines get a set in the same order")
    parser.add_argument("--reverse", type=int, default=REVERSE, help="how many get it in the reverse order")
    asked = parser.parse_args()
    chosen = [one for one in DEFECTS if one.name in asked.defect or one.expected.dimension in asked.dimension]
    everything = not (chosen or asked.sets or asked.dimension)
    well = True
    if chosen or everything:
        well &= show_defects(list(judged(chosen or DEFECTS, together=asked.together)))
    if asked.sets or everything:
        wanted = [SETS[name] for name in asked.sets or SETS]
        well &= show_sets([(one, list(silences(one, asked.machines, asked.reverse))) for one in wanted])
    return 0 if well else 1


def judged(defects: Sequence[Defect], *, together: bool) -> Iterator[Judgement]:
    """Seed defects, machine by machine, and say what became of each as soon as it is known."""
    for name in dict.fromkeys(defect.machine for defect in defects):
        mine = [defect for defect in defects if defect.machine == name]
        with Lab() as lab:
            image = seeding.prepared(lab, name)
            for judgement in (seeding.together if together else seeding.alone)(lab, image, mine):
                said = "found" if judgement.well else "MISSED" if judgement.found is None else "not as expected"
                console.print(f"{said}: {judgement.defect.name}", markup=False)
                yield judgement


def silences(chosen: Services, same: int, reverse: int) -> Iterator[Silence]:
    """Deploy a set on several machines and compare them; look at the last one again."""
    found: list[Deployed] = []
    on_one: list[Silence] = []
    with Lab() as lab:
        for deployed in services.states(lab, chosen, same=same, reverse=reverse):
            found.append(deployed)
            console.print(f"{chosen.name}: {len(found)} of {same + reverse} machines", markup=False)
            if len(found) == same + reverse:
                on_one += services.on_one_machine(lab, deployed)
    for one in (*services.between_machines(found), *on_one):
        console.print(f"{chosen.name}, {one.what}: {sum(one.differences.values())} differences", markup=False)
        for said, count in sorted(one.differences.items()):
            console.print(f"  {count} x {said}", markup=False)
        yield one


def show_defects(found: Sequence[Judgement]) -> bool:
    """Print the table of defects and whatever is wrong; return whether nothing is."""
    table = Table("dimension", *("seeded", "found", "right class", "alone"), title="Seeded defects")
    dimensions = Counter(one.defect.expected.dimension for one in found)
    for dimension in sorted(dimensions, key=lambda name: list(DIMENSIONS).index(name) if name in DIMENSIONS else 99):
        add_row(table, dimension, [one for one in found if one.defect.expected.dimension == dimension])
    table.add_section()
    add_row(table, "all", found)
    console.print(table)
    for one in found:
        for line in wrong(one):
            console.print(f"{one.defect.name} ({one.defect.expected.dimension}): {line}", markup=False)
    return all(one.well for one in found)


def add_row(table: Table, name: str, found: Sequence[Judgement]) -> None:
    """Add how many defects there are, were found, were of the right class, and made nothing else differ."""
    met = [one for one in found if one.found is not None]
    figures = len(found), len(met), sum(one.right_kind for one in met), sum(not one.unexpected for one in found)
    table.add_row(name, *map(str, figures))


def wrong(one: Judgement) -> Iterator[str]:
    """Yield what is wrong with what became of a defect."""
    if one.found is None:
        others = ", ".join(f"{found.dimension} {found.key}" for found in one.elsewhere[:4])
        yield f"missed; what differs is {others or 'nothing'}"
    elif not one.right_kind:
        yield f"expected the class {one.defect.expected.kind!r}, found {one.kind!r}"
    for found in one.unexpected:
        yield f"unexpected: {found.dimension}: {sentence(found, left='before', right='after')}"


def show_sets(found: Iterable[tuple[Services, list[Silence]]]) -> bool:
    """Print the table of sets, the differences and the rules that applied; return whether nothing differs."""
    table = Table("set", "what", "machines", "pairs", "entries compared", "differences", title="Equal deployments")
    differences: list[str] = []
    rules: Counter[str] = Counter()
    for chosen, silent in found:
        for one in silent:
            count = sum(one.differences.values())
            table.add_row(chosen.name, one.what, str(one.machines), str(one.pairs), f"{one.compared:,}", str(count))
            differences += [f"{chosen.name}, {one.what}, {n} x {said}" for said, n in sorted(one.differences.items())]
            differences += [f"{chosen.name}, {one.what}, not read: {said}" for said in sorted(one.notes)]
            rules.update(one.rules)
    console.print(table)
    for line in differences:
        console.print(line, markup=False)
    console.print("Rules that applied: " + ", ".join(f"{name} {count:,}" for name, count in sorted(rules.items())))
    return not differences


if __name__ == "__main__":
    sys.exit(main())
