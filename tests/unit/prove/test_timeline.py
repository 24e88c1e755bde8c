from __future__ import annotations

from typing import Any

import pytest

from labrig.prove.timeline import MOST_MARKS, lay_out
from labrig.prove.verdict import Ran


def ran(task: str, began: float, seconds: float, **over: Any) -> Ran:
    fields: dict[str, Any] = {"path": "fresh", "step": "deploy", "host": "web", "role": None, "where": "a.yml:1"}
    return Ran(**{**fields, "result": "ok", **over}, task=task, began=began, seconds=seconds)


def test_both_paths_are_on_one_scale() -> None:
    found = lay_out([ran("a", 0, 5), ran("b", 5, 15, path="upgrade", where="b.yml:2")], {("upgrade", "b", "b.yml:2")})
    assert found is not None
    fresh, upgrade = found.lanes
    ((_, (a,)),), ((_, (b,)),) = fresh.hosts, upgrade.hosts
    assert (a.left, a.width, a.touches) == (0, 25, False)
    assert (b.left, b.width, b.touches) == (25, 75, True)


def test_each_machine_has_its_own_tasks_and_the_path_its_steps() -> None:
    found = lay_out(
        [
            ran("", 0, 2, step="boot", host=""),
            ran("", 2, 8, step="deploy", host=""),
            ran("a", 3, 2, host="web"),
            ran("a", 3, 1, host="db"),
        ],
        set(),
    )
    assert found is not None
    (lane,) = found.lanes
    assert [host for host, _ in lane.hosts] == ["db", "web"]
    assert [(bar.ran.step, bar.left, bar.width) for bar in lane.steps] == [("boot", 0, 20), ("deploy", 20, 80)]


def test_without_steps_of_their_own_tasks_make_them() -> None:
    found = lay_out([ran("a", 1, 1), ran("b", 2, 2), ran("c", 6, 4, step="deploy-again")], set())
    assert found is not None
    steps = [(bar.ran.step, bar.ran.began, bar.ran.seconds) for bar in found.lanes[0].steps]
    assert steps == [("deploy", 1, 3), ("deploy-again", 6, 4)]


@pytest.mark.parametrize("seconds", [0.3, 7, 60, 143, 1799, 50_000])
def test_marks_are_round_and_few(seconds: float) -> None:
    found = lay_out([ran("a", 0, seconds)], set())
    assert found is not None
    assert 1 <= len(found.marks) <= MOST_MARKS + 1
    assert all(0 <= at <= 100 for at, _ in found.marks)


def test_nothing_that_ran_is_nothing_to_draw() -> None:
    assert lay_out([], set()) is None
