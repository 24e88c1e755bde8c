from __future__ import annotations

from pathlib import Path
from typing import Any

from labrig.ansible.events import Ended, Started, Stats
from labrig.ansible.playbook import PlaybookRun
from labrig.prove import checks
from labrig.prove.failures import failed_tasks, headline
from labrig.state.model import State

FILE = {"type": "file", "mode": "0644", "owner": "root", "group": "root", "size": 1, "sha256": "a"}


def task(name: str = "Write it", result: Any = "ok", **over: Any) -> Ended:
    fields: dict[str, Any] = {
        "host": "web",
        "task": name,
        "action": "ansible.builtin.copy",
        "role": None,
        "path": "tasks/main.yml:3",
        "result": result,
        "ignored": False,
        "seconds": 0.1,
        "message": "",
        "items": (),
        "paths": (),
        "names": (),
    }
    return Ended(**{**fields, **over})


def played(*tasks: Ended, code: int = 0, timed_out: bool = False, failures: int = 0, tail: str = "") -> PlaybookRun:
    stats = Stats({"web": {"ok": len(tasks), "failures": failures, "unreachable": 0}})
    running = (Started("web", "Sleep"),) if timed_out else ()
    return PlaybookRun(Path("converge.yml"), code, (*tasks, stats), 1.0, timed_out, running, tail, Path("log"))


def state(**files: dict[str, Any]) -> dict[str, State]:
    return {"web": State(entries={("file", f"/{name}"): {**FILE, **over} for name, over in files.items()})}


def test_a_deployment_that_works_passes() -> None:
    assert checks.deploys("fresh", played(task()), 60, "deploy").result == "pass"


def test_a_failing_task_is_named_with_its_place_host_and_message() -> None:
    run = played(task(), task("Break it", "failed", message="no such file\nmore"), code=2, failures=1)
    check = checks.deploys("fresh", run, 60, "deploy")
    assert check.result == "fail"
    assert check.reason == "task 'Break it' failed on web: no such file"
    assert check.details == (
        {"task": "Break it", "path": "tasks/main.yml:3", "host": "web", "message": "no such file\nmore"},
    )


def test_a_failure_that_was_rescued_is_not_what_failed() -> None:
    run = played(task("Try", "failed"), task("Rescue"), code=0)
    assert run.ok
    assert failed_tasks(run) == []


def test_a_playbook_that_matches_no_machine_deploys_nothing() -> None:
    run = PlaybookRun(
        Path("x"), 0, (Stats({}),), 1.0, timed_out=False, running=(), tail="skipping: no hosts matched", log=Path("l")
    )
    assert checks.deploys("fresh", run, 60, "deploy").result == "fail"


def test_a_hanging_task_is_named() -> None:
    run = played(code=-1, timed_out=True)
    assert headline(run, 60) == "it did not finish within 60 s; task 'Sleep' was running on web"


def test_a_second_run_that_changes_and_reports_nothing_is_idempotent() -> None:
    check, findings, _ = checks.idempotent("fresh", played(task()), state(a={}), state(a={}), 60)
    assert (check.result, findings) == ("pass", ())


def test_a_change_that_is_reported_and_not_there_is_told() -> None:
    check, findings, _ = checks.idempotent("fresh", played(task("Restart", "changed")), state(a={}), state(a={}), 60)
    assert (check.result, findings) == ("fail", ())
    assert check.reason == "the second deployment reports a change although nothing differs: 'Restart'"


def test_a_change_that_is_there_and_not_reported_is_told() -> None:
    check, findings, _ = checks.idempotent("fresh", played(task()), state(a={}), state(a={"sha256": "b"}), 60)
    assert check.reason == "the second deployment changes /a and no task reports it"
    assert [(one.check, one.path, one.key) for one in findings] == [("idempotent", "fresh", "/a")]


def test_a_restart_that_changes_something_is_told() -> None:
    check, findings, _ = checks.survives_restart("upgrade", state(a={}, b={}), state(a={}), 1.0)
    assert check.result == "fail"
    assert [(one.check, one.path, one.key, one.kind) for one in findings] == [
        ("survives-restart", "upgrade", "/b", "only after a restart")
    ]


def test_what_is_left_behind_is_a_difference_with_the_tasks_that_name_it() -> None:
    tasks = {"upgrade": (task("Write old", paths=("/old",)), task("Other", paths=("/x",)))}
    check, findings, _, compared = checks.same_state(state(a={}), state(a={}, old={}), tasks, lambda: 0.5)  # type: ignore[arg-type]
    assert (check.result, check.seconds, compared) == ("fail", 0.5, 2)
    (finding,) = findings
    assert (finding.key, finding.left) == ("/old", None)
    assert [one["task"] for one in finding.tasks] == ["Write old"]


def test_with_several_machines_keys_name_the_machine() -> None:
    left = {"web": state(a={})["web"], "db": state()["web"]}
    right = {"web": state()["web"], "db": state()["web"]}
    differences, _, _ = checks.across(left, right)
    assert [key for key, _ in differences] == ["web: /a"]
