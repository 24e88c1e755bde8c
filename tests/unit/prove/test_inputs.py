"""What decides an outcome: every kind of input is noticed when it changes, and nothing else is."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from labrig.ansible.reads import Reads
from labrig.ansible.recorder import names_digest
from labrig.prove.inputs import Input, Trace, World

LATER = 4e9


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = (tmp_path / "project").resolve()
    (root / "tasks").mkdir(parents=True)
    (root / "tasks" / "main.yml").write_text("- one\n")
    (root / "README.md").write_text("read me\n")
    return root


@pytest.fixture
def world(project: Path) -> World:
    settings = {"labrig": "0.1.0 abc", "restart": "yes"}
    return World(
        project, {"COLOUR": "red", "OTHER": "x"}, settings, b"key", lambda names: dict.fromkeys(names, "today")
    )


def looked(project: Path) -> Reads:
    files = {str(project / "tasks/main.yml"), str(project / "tasks/Debian.yml"), "/etc/hostname"}
    absent = {str(project / "tasks/Debian.yml")}
    listed = {str(project / "tasks"): names_digest(["main.yml"])}
    return Reads(frozenset(files - absent), frozenset(absent), listed, frozenset({"COLOUR", "ABSENT", "TERM"}))


def traced(world: World, project: Path, tmp_path: Path) -> Trace:
    return world.trace(looked(project), own=tmp_path / "run", began=LATER)


def test_what_has_not_changed_is_what_it_was(world: World, project: Path, tmp_path: Path) -> None:
    trace = traced(world, project, tmp_path)
    assert list(world.changes(trace)) == []
    assert trace.outside == ()
    assert list(world.changes(Trace.of_json(trace.as_json()))) == []
    assert {"file tasks/main.yml", "file tasks/Debian.yml", "folder tasks", "variable COLOUR"} <= trace.inputs.keys()
    assert "variable TERM" not in trace.inputs


@pytest.mark.parametrize(
    ("change", "name", "words"),
    [
        (lambda p: (p / "tasks/main.yml").write_text("- two\n"), "file tasks/main.yml", "another content"),
        (lambda p: (p / "tasks/main.yml").chmod(0o755), "file tasks/main.yml", "mode 755"),
        (lambda p: (p / "tasks/main.yml").unlink(), "file tasks/main.yml", "absent"),
        (lambda p: (p / "tasks/Debian.yml").write_text(""), "file tasks/Debian.yml", "there"),
        (lambda p: (p / "tasks/other.yml").write_text(""), "folder tasks", "other names in it"),
    ],
)
def test_a_change_in_the_project_is_seen(
    world: World, project: Path, tmp_path: Path, change: Callable[[Path], None], name: str, words: str
) -> None:
    trace = traced(world, project, tmp_path)
    change(project)
    found = {one.name: one.now for one in world.changes(trace)}
    assert found[name] == words


def test_a_content_that_is_touched_or_copied_is_the_same(world: World, project: Path, tmp_path: Path) -> None:
    trace = traced(world, project, tmp_path)
    os.utime(project / "tasks/main.yml", (1, 1))
    assert list(world.changes(trace)) == []


def test_a_change_of_the_same_size_and_time_is_seen(world: World, project: Path, tmp_path: Path) -> None:
    trace = traced(world, project, tmp_path)
    path = project / "tasks/main.yml"
    before = path.stat()
    path.write_text("- two\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert [one.name for one in world.changes(trace)] == ["file tasks/main.yml"]


def test_what_nobody_looked_at_may_change(world: World, project: Path, tmp_path: Path) -> None:
    trace = traced(world, project, tmp_path)
    (project / "README.md").write_text("read me again\n")
    (project / "docs").mkdir()
    assert list(replace(world, environment={"COLOUR": "red", "OTHER": "y", "TERM": "z"}).changes(trace)) == []


def test_variables_and_settings_count(world: World, project: Path, tmp_path: Path) -> None:
    trace = traced(world, project, tmp_path)
    other = replace(world, environment={"COLOUR": "blue", "ABSENT": ""}, settings={"labrig": "0.2.0", "new": "x"})
    assert {one.name: (one.before, one.now) for one in other.changes(trace)} == {
        "setting labrig": ("0.1.0 abc", "0.2.0"),
        "setting restart": ("yes", "not there"),
        "setting new": ("not there", "x"),
        "variable COLOUR": ("as it was", "another content"),
        "variable ABSENT": ("not set", "set"),
    }


def test_a_program_that_takes_all_variables_hangs_on_all(world: World, tmp_path: Path) -> None:
    trace = world.trace(Reads(variables=frozenset({"*"})), own=tmp_path, began=LATER)
    assert [one.name for one in replace(world, environment={"COLOUR": "red"}).changes(trace)] == ["variable OTHER"]


def test_values_of_variables_are_not_in_a_trace(world: World, tmp_path: Path) -> None:
    secret = replace(world, environment={"TOKEN": "hunter2"})
    trace = secret.trace(Reads(variables=frozenset({"TOKEN"})), own=tmp_path, began=LATER)
    assert "hunter2" not in str(trace.as_json())
    assert (
        trace.inputs
        != replace(secret, key=b"other").trace(Reads(variables=frozenset({"TOKEN"})), own=tmp_path, began=LATER).inputs
    )


def test_an_archive_is_asked_only_where_all_else_is_the_same(world: World, project: Path, tmp_path: Path) -> None:
    asked: list[str] = []

    def ask(names: object) -> dict[str, str]:
        asked.extend(names)  # type: ignore[call-overload]
        return {"http://archive/InRelease": "yesterday"}

    asking = replace(world, ask=ask)
    trace = Trace({**traced(world, project, tmp_path).inputs, "archive http://archive/InRelease": Input("monday")})
    assert [(one.name, one.before, one.now) for one in asking.changes(trace)] == [
        ("archive http://archive/InRelease", "monday", "yesterday")
    ]
    (project / "tasks/main.yml").write_text("- two\n")
    asked.clear()
    assert next(asking.changes(trace)).name == "file tasks/main.yml"
    assert asked == []


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda p: (p / "tasks/main.yml").write_text("- two\n"), {"tasks/main.yml"}),
        (lambda p: (p / "tasks/main.yml").unlink(), {"tasks/main.yml", "tasks"}),
        (lambda p: (p / "tasks/Debian.yml").write_text(""), {"tasks/Debian.yml", "tasks"}),
        (lambda p: (p / "tasks/other.yml").write_text(""), {"tasks"}),
        # Python writes that while it looks.
        (lambda p: (p / "tasks/__pycache__").mkdir(), set()),
    ],
)
def test_what_is_changed_while_it_is_read_is_not_trusted(
    world: World, project: Path, tmp_path: Path, change: Callable[[Path], None], what: set[str]
) -> None:
    time.sleep(0.05)
    began = time.time()
    change(project)
    trace = world.trace(looked(project), own=tmp_path / "run", began=began)
    assert set(trace.outside) == {f"{one} was changed while it was in use" for one in what}


def test_links_in_the_runs_folder_lead_to_the_project(world: World, project: Path, tmp_path: Path) -> None:
    own = tmp_path / "run"
    (own / "roles").mkdir(parents=True)
    (own / "roles" / "motd").symlink_to(project)
    (own / "ansible.cfg").write_text("[defaults]\n")
    reads = Reads(frozenset({str(own / "roles/motd/tasks/main.yml"), str(own / "ansible.cfg"), str(own / "gone")}))
    trace = world.trace(reads, own=own, began=LATER)
    assert [name for name in trace.inputs if name.startswith("file")] == ["file tasks/main.yml"]


def test_the_key_is_that_of_the_inputs_alone(world: World, project: Path, tmp_path: Path) -> None:
    trace = traced(world, project, tmp_path)
    assert trace.key == traced(world, project, tmp_path).key
    (project / "tasks/main.yml").write_text("- two\n")
    assert trace.key != traced(world, project, tmp_path).key
