"""Real machines: two that were deployed alike are the same, and every seeded defect is found on them.

benchmarks/detection.py does the same at length: more sets of services, more machines, each defect alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from operator import attrgetter

import pytest

from labrig.state.explain import sentence
from trials import seeding
from trials.defects import DEFECTS, MACHINES, Defect, Judgement
from trials.lab import Lab
from trials.services import SETS, Silence, between_machines, on_one_machine, states

SERVICES = ("nginx", "redis")
QUIET = ("same order", "reverse order", "looked at twice", "restarted")


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as found:
        yield found


@cache
def silences(lab: Lab, name: str) -> Mapping[str, Silence]:
    """Deploy a set twice in its own order and once in the reverse one, and return what came of comparing, by words."""
    found = []
    on_one: list[Silence] = []
    for one in states(lab, SETS[name], same=2, reverse=1):
        found.append(one)
        if one.reverse:
            on_one += on_one_machine(lab, one)
    return {silence.what: silence for silence in (*between_machines(found), *on_one)}


@pytest.mark.parametrize("what", QUIET)
@pytest.mark.parametrize("name", SERVICES)
def test_equal_deployments_never_differ(lab: Lab, name: str, what: str) -> None:
    silence = silences(lab, name)[what]
    assert dict(silence.differences) == {}
    assert dict(silence.notes) == {}
    assert silence.compared > 10_000 * silence.pairs


def test_quiet_is_not_blind(lab: Lab) -> None:
    """Machines of a set differ in what only rules know to be noise: they were read, and they were two."""
    assert {"logs", "private-temporary"} <= set(silences(lab, "nginx")["same order"].rules)


@cache
def judgements(lab: Lab, machine: str) -> Mapping[str, Judgement]:
    """Seed all defects of one machine at once, and return what became of each, by name."""
    mine = [defect for defect in DEFECTS if defect.machine == machine]
    return {found.defect.name: found for found in seeding.together(lab, seeding.prepared(lab, machine), mine)}


@pytest.mark.parametrize("defect", DEFECTS, ids=attrgetter("name"))
def test_a_defect_is_found_as_a_difference_of_its_own(lab: Lab, defect: Defect) -> None:
    became = judgements(lab, defect.machine)[defect.name]
    elsewhere = [f"{found.dimension} {found.key}" for found in became.elsewhere]
    assert became.found is not None, f"missed: {defect.seed!r}; what differs is {elsewhere or 'nothing'}"
    assert became.right_kind, f"expected the class {defect.expected.kind!r}, found {became.kind!r}"


@pytest.mark.parametrize("machine", MACHINES)
def test_nothing_differs_that_no_defect_explains(lab: Lab, machine: str) -> None:
    unexpected = {
        f"{found.dimension}: {sentence(found, left='before', right='after')}"
        for became in judgements(lab, machine).values()
        for found in became.unexpected
    }
    assert unexpected == set()
