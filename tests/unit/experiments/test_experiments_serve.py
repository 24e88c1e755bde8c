"""The host's side of a deployment, as a process of its own; it needs no engine."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from labrig.experiments import naming, protocol
from labrig.experiments.host import locks
from labrig.experiments.naming import Names
from labrig.experiments.protocol import Answer, Done, End, Hello, Lock, Piece, Request, Run

START = """
import sys
from labrig.experiments import naming
from labrig.experiments.host.main import main
naming.LOCKS = sys.argv[1]
raise SystemExit(main(["serve"]))
"""
LOGIN = {"app": "shop", "name": "login"}


class Client:
    """The client's side of one connection."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.hello = self.read()

    def ask(self, *requests: Request) -> None:
        assert self.process.stdin
        for one in requests:
            self.process.stdin.write(one.line())
        self.process.stdin.flush()

    def read(self) -> Answer:
        assert self.process.stdout
        return protocol.answer(self.process.stdout.readline())

    def done(self, *requests: Request) -> Done:
        """Ask, and return the next answer that is a last one."""
        self.ask(*requests)
        while True:
            if isinstance(found := self.read(), Done):
                return found

    def leave(self) -> int:
        assert self.process.stdin
        self.process.stdin.close()
        return self.process.wait(20)


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[object]:
    with contextlib.ExitStack() as exits:

        def connected() -> Client:
            process = subprocess.Popen(
                [sys.executable, "-c", START, str(tmp_path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            exits.enter_context(process)
            exits.callback(process.kill)
            return Client(process)

        yield connected


def runs(marker: str) -> bool:
    """Whether a process runs whose arguments have a marker."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if marker.encode() in file.read_bytes():
                return True
    return False


def until(is_so: object) -> bool:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if is_so():  # type: ignore[operator]
            return True
        time.sleep(0.02)
    return False


def test_a_command_is_answered_with_its_code_and_what_it_wrote(connect) -> None:
    client = connect()
    assert isinstance(client.hello, Hello)
    assert client.hello.protocol == protocol.NUMBER
    assert client.hello.memory > 0 < client.hello.disk
    shell = ("env", "sh", "-c", "cat; echo wrong >&2; exit 3")
    assert client.done(Run(1, shell, stdin="gïven")) == Done(1, 3, "gïven", "wrong\n")
    assert client.done(Run(2, ("env", "printf", r"\377"))).out == "\ufffd"
    assert client.done(Run(3, ("env", "sh", "-c", "kill -9 $$"))).code == 128 + 9
    assert client.leave() == 0


def test_output_comes_as_it_is_written_and_several_commands_run_at_once(connect, tmp_path: Path) -> None:
    client = connect()
    waits = f"echo begun; until [ -e {tmp_path}/go ]; do sleep 0.02; done; echo ended"
    client.ask(Run(1, ("env", "sh", "-c", waits), stream=True))
    assert client.read() == Piece(1, "begun\n")
    client.ask(Run(2, ("env", "touch", f"{tmp_path}/go")))
    found = [client.read() for _ in range(3)]
    assert {Piece(1, "ended\n"), Done(1, 0), Done(2, 0)} == set(found)
    assert found.index(Piece(1, "ended\n")) < found.index(Done(1, 0))


@pytest.mark.parametrize("program", ["bash", "/usr/bin/git", "systemctl", ""])
def test_a_program_that_no_deployment_uses_is_not_run(connect, program: str) -> None:
    found = connect().done(Run(1, (program, "--version")))
    assert found.code == protocol.REFUSED
    assert "docker" in found.err


def test_a_command_that_takes_too_long_is_ended_with_all_it_has_started(connect) -> None:
    client = connect()
    found = client.done(Run(1, ("env", "sh", "-c", "sleep 4711.1 & sleep 4711.1"), seconds=0.3))
    assert found.code == protocol.LATE
    assert "longer than 0.3 s" in found.err
    assert not runs("4711.1")


def test_a_client_ends_one_command_and_goes_on(connect) -> None:
    client = connect()
    found = client.done(Run(1, ("env", "sleep", "4711.2")), End(1))
    assert found == Done(1, 128 + signal.SIGTERM)
    assert client.done(Run(2, ("env", "true"))) == Done(2, 0)


@pytest.mark.parametrize("how", ["client leaves", "killed"])
def test_what_runs_is_ended_and_the_lock_given_back_when_the_connection_ends(connect, how: str) -> None:
    client = connect()
    assert client.done(Lock(1, holder="anna@desk", **LOGIN)).code == 0
    client.ask(Run(2, ("env", "sh", "-c", "sleep 4711.3 & sleep 4711.3")))
    assert until(lambda: runs("4711.3"))
    other = connect()
    assert other.done(Lock(1, holder="ben@desk", **LOGIN)).code == protocol.LOCKED
    if how == "killed":
        client.process.terminate()
        client.process.wait(20)
    else:
        client.leave()
    assert not runs("4711.3")
    assert other.done(Lock(2, holder="ben@desk", **LOGIN)).code == 0


def test_who_has_a_lock_is_told_and_who_waits_gets_it(connect) -> None:
    first, second = connect(), connect()
    assert first.done(Lock(1, holder="anna@desk", **LOGIN)).code == 0
    refused = second.done(Lock(1, holder="ben@desk", **LOGIN))
    assert (refused.code, refused.err.partition(", since 20")[0]) == (protocol.LOCKED, "anna@desk")
    assert second.done(Lock(2, app="shop", name="other", holder="ben@desk")).code == 0
    second.ask(Lock(3, holder="ben@desk", wait=20, **LOGIN))
    first.leave()
    assert second.read() == Done(3, 0)


def test_what_the_host_does_by_itself_is_waited_for(connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(naming, "LOCKS", str(tmp_path))
    client = connect()
    with locks.Lock(Names("shop", "login")) as lock:
        assert lock.take(f"{locks.HOST}, which wakes it")
        client.ask(Lock(1, holder="anna@desk", **LOGIN))
        # An answer to what is asked later is there first.
        assert client.done(Run(2, ("env", "true"))) == Done(2, 0)
    assert client.read() == Done(1, 0)


def test_a_lock_has_the_name_of_an_experiment_and_no_other(connect) -> None:
    assert connect().done(Lock(1, app="..", name="x", holder="anna")).code == protocol.REFUSED


def test_a_line_that_is_no_request_ends_the_session_with_words(connect) -> None:
    client = connect()
    client.process.stdin.write(b"GET / HTTP/1.1\n")
    client.process.stdin.flush()
    assert client.process.wait(20) == 2
    assert "a line is no request" in client.process.stderr.read().decode()
