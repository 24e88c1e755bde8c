"""The class of a difference, and what to do about it."""

from __future__ import annotations

from typing import Any

import pytest

from labrig.ansible.events import Ended
from labrig.prove import classes
from labrig.prove.verdict import Finding, Kind

FILE = {"type": "file", "mode": "0644", "size": 1, "sha256": "a", "package": "x"}


def finding(left: dict[str, Any] | None, right: dict[str, Any] | None, **over: Any) -> Finding:
    return Finding("same-state", None, over.pop("dimension", "file"), "/x", left, right, "text", **over)


@pytest.mark.parametrize(
    ("left", "right", "before", "kind"),
    [
        (None, FILE, FILE, "left behind"),
        (None, FILE, {**FILE, "mode": "0600"}, "left behind"),
        (None, FILE, None, "created differently"),
        (FILE, None, None, "not updated"),
        (FILE, None, FILE, "created differently"),
        (FILE, {**FILE, "mode": "0600"}, {**FILE, "mode": "0600"}, "not updated"),
        (FILE, {**FILE, "mode": "0600"}, {**FILE, "mode": "0600", "sha256": "old"}, "not updated"),
        (FILE, {**FILE, "mode": "0600"}, {**FILE, "mode": "0640"}, "created differently"),
        (FILE, {**FILE, "mode": "0600"}, None, "created differently"),
        ({"unreadable": "no"}, None, None, None),
    ],
)
def test_production_tells_which_class_it_is(left: Any, right: Any, before: Any, kind: Kind | None) -> None:
    assert classes.of_paths(finding(left, right), before) == kind


def test_there_is_a_hint_for_each_class_and_dimension() -> None:
    kinds: list[Kind] = [
        "left behind",
        "not updated",
        "created differently",
        "changed at run time",
        "only after a restart",
    ]
    for kind in kinds:
        for dimension in ("file", "package", "unit", "user", "group", "socket", "unheard-of"):
            for left, right in ((None, FILE), (FILE, None), (FILE, {**FILE, "mode": "0600"})):
                assert classes.hint(finding(left, right, dimension=dimension, kind=kind), {})


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"guards": ("creates: /x",)}, "its guard `creates: /x` is satisfied on production already"),
        ({"guards": ("force: false",)}, "its `force: false` leaves alone what production has already"),
        ({"result": "skipped"}, "its `when:` does not hold on production"),
        ({}, "let a task write it on a machine that has it already as well"),
    ],
)
def test_the_guard_that_kept_the_upgrade_from_its_work_is_named(over: dict[str, Any], said: str) -> None:
    fields: dict[str, Any] = {"result": "ok", "guards": (), **over}
    ended = Ended(
        "web", "Write it", "shell", None, "/p/tasks/main.yml:3", ignored=False, seconds=0.1, message="",
        items=(), paths=(), names=(), **fields,
    )  # fmt: skip
    made = {"on": "fresh", "task": "Write it", "path": "/p/tasks/main.yml:3", "result": "changed", "did": "created it"}
    one = finding(FILE, None, kind="not updated", tasks=(made,))
    assert classes.hint(one, {"upgrade": (ended,)}).startswith(said)
    assert "a handler runs only where" in classes.hint(one, {"upgrade": ()})


def test_a_key_may_name_its_machine() -> None:
    one = finding(FILE, None)
    assert classes.place(one, ["web"]) == ("web", ("file", "/x"))
    other = Finding("same-state", None, "socket", "db: tcp 0.0.0.0:80", None, {}, "")
    assert classes.place(other, ["web", "db"]) == ("db", ("socket", "tcp 0.0.0.0:80"))
