"""Capturing through a callable, and the probe as one text."""

import json
import subprocess
import sys

import pytest

from labrig.errors import LabrigError
from labrig.state import capture
from labrig.state.dimensions import DIMENSIONS
from labrig.state.model import SCHEMA, State, TruncatedState
from labrig.state.probe import main


def run(argv, stdin):
    done = subprocess.run([sys.executable, *argv[1:]], input=stdin, stdout=subprocess.PIPE, check=False)
    # In pieces that end anywhere, as a stream gives them.
    yield from (done.stdout[start : start + 1000] for start in range(0, len(done.stdout), 1000))


def test_the_probe_runs_from_standard_input_and_gives_a_state(tmp_path):
    (tmp_path / "new\nline").write_text("x")
    state = capture.capture(run, asked=capture.request(root=str(tmp_path)))
    assert state.entries["file", r"/new\x0aline"]["size"] == 1
    assert state.header["dimensions"] == list(DIMENSIONS)
    servers = {"postgresql", "mariadb", "redis", "container"}
    assert set(state.unreadable) == {"package", "unit", "socket", "process", "route", "firewall", *servers}


def test_two_captures_of_one_root_are_the_same(tmp_path):
    for name in ("b", "a", "c"):
        (tmp_path / name).write_text(name)
    asked = capture.request(root=str(tmp_path), dimensions=["file"])
    states = [capture.capture(run, asked=asked) for _ in range(2)]
    assert list(states[0].lines()) == list(states[1].lines())


def test_looking_leaves_nothing_behind(tmp_path):
    before = sorted(tmp_path.rglob("*"))
    capture.capture(run, asked=capture.request(root=str(tmp_path)))
    assert sorted(tmp_path.rglob("*")) == before
    assert "-B" in capture.command()


def test_the_probe_travels_as_an_argument_where_there_is_no_standard_input(tmp_path):
    (tmp_path / "file").write_text("x")
    asked = capture.request(root=str(tmp_path), dimensions=["file"])

    def without_input(argv, stdin):
        assert stdin == b""
        return run(argv, None)

    lines = list(capture.stream(without_input, asked=asked, packed=True))
    assert State.parse(lines).entries == capture.capture(run, asked=asked).entries
    # Linux takes 128 KiB for one argument, and whatever passes it on may quote it.
    assert all(len(word) < 100_000 for word in capture.packed_command(asked))


def test_what_a_login_shell_says_before_the_state_is_left_out(tmp_path):
    def talkative(argv, stdin):
        yield b"welcome to web\r\n"
        yield b"".join(run(argv, stdin)).replace(b"\n", b"\r\n")

    asked = capture.request(root=str(tmp_path), dimensions=["file"])
    lines = list(capture.stream(talkative, asked=asked, about={"target": {"name": "web"}}))
    assert State.parse(lines).header["target"] == {"name": "web"}
    assert not any(line.endswith("\r") for line in lines)


def test_a_connection_that_breaks_is_noticed(tmp_path):
    def broken(argv, stdin):
        yield b"".join(run(argv, stdin))[:-30]

    with pytest.raises(TruncatedState):
        capture.capture(broken, asked=capture.request(root=str(tmp_path)))


def test_a_machine_without_python_is_an_error_that_says_so():
    def missing(argv, stdin):
        yield b"sh: 1: python3: not found\n"

    with pytest.raises(LabrigError, match="python3: not found"):
        capture.capture(missing)


def test_a_request_that_is_unknown_is_refused():
    done = subprocess.run(
        [sys.executable, *capture.command('{"roots":1}')[1:]], input=capture.PROBE, capture_output=True, check=False
    )
    assert done.returncode == 2
    assert b"roots is unknown" in done.stderr
    assert done.stdout == b""


def test_a_reader_that_goes_away_is_no_crash(tmp_path):
    for number in range(2000):
        (tmp_path / str(number)).touch()
    argv = [sys.executable, *capture.command(capture.request(root=str(tmp_path)))[1:]]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        process.stdin.write(capture.PROBE)
        process.stdin.close()
        complaint = process.stderr.read()
    assert complaint == b""


def test_dimensions_are_the_same_here_and_there():
    assert list(DIMENSIONS) == list(main.DIMENSIONS)
    assert main.SCHEMA == SCHEMA


def test_every_part_of_the_probe_is_on_the_wire():
    folder = capture.resources.files(capture.PACKAGE)
    parts = {
        entry.name[:-3] for entry in folder.iterdir() if entry.name.endswith(".py") and entry.name != "__init__.py"
    }
    assert parts == set(capture.PARTS)


def test_a_dimension_that_fails_does_not_take_the_others_along(monkeypatch, tmp_path):
    def failing(machine):
        yield "first", {}
        raise RuntimeError("odd")

    monkeypatch.setitem(main.DIMENSIONS, "package", failing)
    written = [
        json.dumps(record) for record in main.records({"root": str(tmp_path), "dimensions": ["package", "file"]})
    ]
    state = State.parse(written)
    assert state.unreadable == {"package": "RuntimeError: odd"}
    assert ("package", "first") in state.entries
    assert ("file", "/") in state.entries
