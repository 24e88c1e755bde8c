"""Which task touched what, from what was seen between tasks."""

from __future__ import annotations

from typing import Any

from labrig.prove.attribution import Look, Watched, decisive, story, told

FILE = {"type": "file", "mode": "0644", "size": 1, "sha256": "a"}
PLACE = ("file", "/x")


def task(name: str, **over: Any) -> dict[str, Any]:
    given = {
        "host": "web",
        "task": name,
        "role": "motd",
        "path": f"/home/me/motd/tasks/main.yml:{len(name)}",
        "action": "ansible.builtin.shell",
        "result": "changed",
        "paths": [],
        "names": [],
        "items": [],
        "delegated": None,
        "strategy": "linear",
        "background": [],
    }
    return {**given, **over}


def seen(after: dict[str, Any] | None, value: dict[str, Any] | None, machine: str = "web") -> Look:
    return Look(machine, after, {PLACE: value} if value else {})


def watched(*looks: Look, complete: bool = True) -> Watched:
    return Watched("fresh", looks, complete, "/home/me/motd")


def did(*looks: Look) -> list[tuple[str, str]]:
    return [(touch.task["task"], touch.did) for touch in story(watched(*looks), "web", PLACE).touches]


def test_a_task_made_what_was_not_there_before_it() -> None:
    assert did(seen(None, None), seen(task("a"), None), seen(task("b"), FILE), seen(task("c"), FILE)) == [
        ("b", "created it")
    ]


def test_every_task_that_changed_it_is_told_in_the_order_of_time() -> None:
    looks = [
        seen(None, FILE),
        seen(task("mode"), {**FILE, "mode": "0600"}),
        seen(task("both"), {**FILE, "sha256": "b", "size": 2, "mode": "0640"}),
        seen(task("kind"), {"type": "link", "target": "/y"}),
        seen(task("gone"), None),
    ]
    assert did(*looks) == [
        ("mode", "changed its mode"),
        ("both", "changed its content and mode"),
        ("kind", "made it a link"),
        ("gone", "removed it"),
    ]


def test_what_changes_after_the_last_task_is_nobodys() -> None:
    found = story(watched(seen(None, None), seen(task("a"), None), seen(None, FILE)), "web", PLACE)
    assert (found.touches, found.adrift) == ((), True)


def test_another_machines_looks_do_not_count() -> None:
    assert did(seen(None, FILE), seen(task("a"), None, "db"), seen(task("b"), FILE)) == []


def test_the_item_of_a_loop_is_told_where_one_names_it() -> None:
    items = [{"item": "one", "paths": ["/y"], "names": []}, {"item": "two", "paths": ["/x"], "names": []}]
    (touch,) = story(watched(seen(None, None), seen(task("a", items=items), FILE)), "web", PLACE).touches
    assert told(touch, "fresh", "/home/me/motd") == {
        "on": "fresh",
        "task": "a",
        "role": "motd",
        "path": "tasks/main.yml:1",
        "result": "changed",
        "did": "created it, item two",
    }


def test_a_look_that_failed_makes_it_unsure_who_did_it() -> None:
    blind = Look("web", task("a"), None)
    found = story(watched(seen(None, None), blind, seen(task("b"), FILE)), "web", PLACE)
    assert [(touch.task["task"], touch.sure) for touch in found.touches] == [("a", False), ("b", False)]
    assert not found.complete


def test_a_task_in_the_background_makes_it_unsure_who_did_it() -> None:
    running = task("b", background=["a (/srv/role/tasks/main.yml:1)"])
    (touch,) = story(watched(seen(None, None), seen(running, FILE)), "web", PLACE).touches
    assert not touch.sure
    assert (
        told(touch, "fresh", "/srv/role")["did"]
        == "created it; 'a (tasks/main.yml:1)' that ran meanwhile may have done it"
    )


def test_delegation_is_sure_only_where_tasks_go_in_step() -> None:
    for strategy, sure in (("linear", True), ("free", False)):
        delegated = task("b", delegated="web", strategy=strategy)
        (touch,) = story(watched(seen(None, None), seen(delegated, FILE)), "web", PLACE).touches
        assert touch.sure is sure


def test_the_last_task_that_changed_what_differs_decides() -> None:
    looks = [
        seen(None, None),
        seen(task("make"), FILE),
        seen(task("write"), {**FILE, "sha256": "b"}),
        seen(task("chmod"), {**FILE, "sha256": "b", "mode": "0600"}),
    ]
    touches = story(watched(*looks), "web", PLACE).touches
    for fields, name in ((["size", "sha256"], "write"), (["mode"], "chmod"), (["owner"], "make"), ([], "chmod")):
        found = decisive(touches, fields)
        assert found is not None
        assert found.task["task"] == name
