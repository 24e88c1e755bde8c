"""What the verifier says of states and of a second deployment."""

from __future__ import annotations

from pathlib import Path

from labrig.ansible.events import Ended, Stats
from labrig.ansible.playbook import PlaybookRun
from labrig.molecule import answers
from labrig.state.model import State

RAN = Stats({"a": {"ok": 1}})


def state(**files: str) -> State:
    entries = {("file", f"/etc/{name}"): {"type": "file", "sha256": digest} for name, digest in files.items()}
    return State({}, entries, {})


def run(*tasks: Ended) -> PlaybookRun:
    return PlaybookRun(Path("converge.yml"), 0, (*tasks, RAN), 1.0, timed_out=False, running=(), tail="", log=Path("x"))


def task(result: str) -> Ended:
    return Ended(
        host="a",
        task="Write it",
        action="copy",
        role=None,
        path="tasks.yml:1",
        result=result,  # type: ignore[arg-type]
        ignored=False,
        seconds=0.1,
        message="",
        items=(),
        paths=("/etc/x",),
        names=(),
    )


def test_second_deployment_that_changes_nothing_passes():
    same = {"a": state(x="1")}

    assert answers.idempotent(run(task("ok")), same, same, ()).passed


def test_silent_change_fails_and_is_told_with_its_machine():
    answer = answers.idempotent(
        run(task("ok")), {"a": state(x="1"), "b": state()}, {"a": state(x="2"), "b": state()}, ()
    )

    assert not answer.passed
    assert "no task reports it" in answer.reason
    assert [line.startswith("a: file /etc/x: content differs") for line in answer.lines] == [True]


def test_reported_change_fails_and_names_the_task():
    same = {"a": state(x="1")}
    answer = answers.idempotent(run(task("changed")), same, same, ())

    assert not answer.passed
    assert answer.lines == ("a: task 'Write it' (tasks.yml:1) reports a change",)


def test_machines_are_compared_with_the_first_one():
    states = {"a": state(x="1"), "b": state(x="1"), "c": state(x="1", y="2")}

    assert answers.same_state(states, ("a", "b"), ()).passed
    found = answers.same_state(states, ("a", "b", "c"), ())
    assert not found.passed
    assert found.lines == ("file /etc/y exists only on c",)
