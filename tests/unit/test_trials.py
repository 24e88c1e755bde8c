"""The seeded defects are told apart, can be found, and are judged as they deserve."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import get_args

import pytest

from labrig.prove.verdict import Kind
from labrig.state.compare import Difference, compare
from labrig.state.dimensions import DIMENSIONS
from labrig.state.model import State
from trials.defects import DEFECTS, MACHINES, Defect, Expected, judge
from trials.services import SETS

MODE = Defect(
    "a mode", "server", "chmod", Expected("file", "/a", frozenset({"mode"}), "not updated"), (("unit", "a.*"),)
)
CHANGED = Difference("file", "/a", {"mode": "0644"}, {"mode": "0600"}, ("mode",))
AFTER = State({}, {("file", "/a"): {"mode": "0600"}})


def test_there_are_as_many_as_promised() -> None:
    assert len(DEFECTS) >= 80
    assert len(SETS) >= 5


def test_every_dimension_has_a_defect() -> None:
    # Numbers are set aside between two machines: names are compared.
    assert {defect.expected.dimension for defect in DEFECTS} >= set(DIMENSIONS) - {"id"}


def test_no_two_defects_are_one_difference() -> None:
    """They are seeded on one machine, and each must be found as a difference of its own."""
    places = Counter(
        (defect.machine, defect.expected.dimension, defect.expected.key, field)
        for defect in DEFECTS
        for field in defect.expected.fields or {""}
    )
    assert [place for place, count in places.items() if count > 1] == []
    assert len({defect.name for defect in DEFECTS}) == len(DEFECTS)


@pytest.mark.parametrize("defect", DEFECTS, ids=[defect.name for defect in DEFECTS])
def test_a_defect_is_told_in_full(defect: Defect) -> None:
    assert defect.machine in MACHINES
    assert defect.seed.strip()
    assert defect.expected.kind in get_args(Kind)
    for pattern in (defect.expected.key, *(pattern for _, pattern in defect.also)):
        re.compile(pattern)
    assert {dimension for dimension, _ in defect.also} <= set(DIMENSIONS)


def test_what_was_expected_is_found() -> None:
    judgement = judge(MODE, [CHANGED], AFTER)
    assert judgement.well
    assert judgement.kind == "not updated"


@pytest.mark.parametrize(
    "found", [replace(CHANGED, dimension="unit"), replace(CHANGED, key="/ab"), replace(CHANGED, fields=("owner",))]
)
def test_what_is_found_elsewhere_is_missed(found: Difference) -> None:
    assert judge(MODE, [found], AFTER).found is None


def test_what_nobody_expects_is_told() -> None:
    stranger = Difference("file", "/b", None, {"mode": "0644"})
    follows = Difference("unit", "a.service", {"sub": "dead"}, {"sub": "running"}, ("sub",))
    judgement = judge(MODE, [CHANGED, stranger, follows], AFTER)
    assert judgement.unexpected == (stranger,)
    assert not judgement.well
    assert judge(MODE, [CHANGED, stranger], AFTER, [replace(MODE, also=(("file", "/b"),))]).well


def test_another_class_is_not_well() -> None:
    expected = replace(MODE.expected, kind="left behind")
    assert not judge(replace(MODE, expected=expected), [CHANGED], AFTER).well


def test_a_comparison_is_judged_as_it_comes() -> None:
    before = State({}, {("file", "/a"): {"mode": "0644"}})
    assert judge(MODE, compare(before, AFTER).differences, AFTER).well
