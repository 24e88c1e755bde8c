from __future__ import annotations

from typing import Any

import pytest

from labrig.prove.profile import Row, profile
from labrig.prove.verdict import Ran
from labrig.session.served import Served, busy


def ran(step: str, began: float, seconds: float, inside: float | None = None, **over: Any) -> Ran:
    fields: dict[str, Any] = {"path": "fresh", "host": "", "task": "", "role": None, "where": "", "result": ""}
    return Ran(**{**fields, **over}, step=step, began=began, seconds=seconds, inside=inside)


@pytest.mark.parametrize(
    ("span", "container", "seconds"),
    [
        ((0, 10), None, 5),
        ((0, 10), "web", 3),
        ((2, 3), None, 1),
        ((3.5, 6), "web", 0.5),
        ((9, 10), None, 0),
        ((0, 10), "other", 0),
    ],
)
def test_commands_at_the_same_time_count_once(span: tuple[float, float], container: str | None, seconds: float) -> None:
    served = [Served("db", 6, 8), Served("web", 1, 3), Served("web", 2, 4), Served("db", 2, 3)]

    assert busy(served, *span, container) == seconds


def test_the_floor_is_that_of_the_slower_path() -> None:
    found = profile(
        [
            ran("boot", 1, 2, 0),
            ran("deploy", 3, 8, 6),
            ran("deploy", 1, 9, 4.5, path="upgrade"),
            ran("compare", 11, 1, path=None),
        ],
        proved=12,
        ended=15,
    )

    assert (found.wall, found.floor, found.ratio) == (15, 6, 2.5)


def test_steps_of_one_name_are_one_and_what_is_around_the_paths_is_told() -> None:
    found = profile(
        [
            ran("capture", 1, 2, 0),
            ran("verify", 3, 1, 0.5),
            ran("capture", 4, 3, 0),
            ran("compare", 7, 1, path=None),
        ],
        proved=8,
        ended=8.5,
    )

    assert found.steps == (
        Row(None, "start", "", "", 1, None),
        Row("fresh", "capture", "", "", 5, 0),
        Row("fresh", "verify", "", "", 1, 0.5),
        Row(None, "compare", "", "", 1, None),
        Row(None, "clean up", "", "", 0.5, None),
    )


def test_tasks_come_slowest_first_with_the_machine_where_there_are_several() -> None:
    tasks = [
        ran("deploy", 1, 2, 1.5, host="web", task="edge : copy", role="edge", where="a.yml:1"),
        ran("deploy", 3, 5, 4, host="db", task="install", where="a.yml:2"),
    ]

    assert [(row.what, row.where, row.wall, row.floor) for row in profile(tasks, 9, 9).tasks] == [
        ("install", "db, a.yml:2", 5, 4),
        ("edge : copy", "web, a.yml:1", 2, 1.5),
    ]
    assert [row.where for row in profile(tasks[:1], 9, 9).tasks] == ["a.yml:1"]


def test_where_nobody_measured_there_is_no_ratio() -> None:
    found = profile([ran("deploy", 0, 4)], 4, 4)

    assert (found.floor, found.ratio) == (None, None)
    assert [row.what for row in profile([], 1, 2).steps] == ["clean up"]
