"""A connection to a lab host. ssh is a program here that runs its command on this machine; the host's side is real."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from local_ssh import LocalSsh

from labrig import clock
from labrig.errors import EnvironmentFailed
from labrig.experiments import connection, protocol
from labrig.experiments.command import Command
from labrig.experiments.connection import Busy, lab
from labrig.experiments.naming import Names
from labrig.experiments.protocol import Hello

NAMES = Names("shop", "login")
HELLO = Hello(
    version="0.1.0", who="anna", user="990:990", host="lab", domain="lab.example", range="10.213.0.0/16", subnets=(),
    engine="20.10", trouble="", memory=2**30, disk=2**30, time="2027-01-01T00:00:00+00:00",
)  # fmt: skip
SERVE = """\
#!{python}
import sys
from labrig.experiments import naming
from labrig.experiments.host.serve import serve
from labrig.experiments.protocol import Hello
naming.LOCKS = {folder!r}
serve(Hello(**{hello!r}), sys.stdin.buffer, sys.stdout.buffer)
"""

Install = Callable[[str], None]


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Return a function that makes a text the program ``labrig-lab`` of the host."""
    monkeypatch.setattr(connection, "_HELLO_SECONDS", 20.0)
    return partial(LocalSsh(tmp_path, monkeypatch).program, "labrig-lab")


@pytest.fixture
def served(host: Install, tmp_path: Path) -> Install:
    host(SERVE.format(python=sys.executable, folder=str(tmp_path), hello=vars(HELLO)))
    return host


def sh(text: str, stdin: str = "") -> Command:
    return Command(("env", "sh", "-c", text), stdin=stdin)


@pytest.mark.usefixtures("served")
def test_commands_run_there_and_their_codes_and_outputs_come_back() -> None:
    with lab("lab1") as there:
        assert there.hello.range == "10.213.0.0/16"
        done = there.run(sh("cat; echo oops >&2; exit 3", stdin="geheim\n"))
        assert (done.code, done.out, done.err) == (3, "geheim\n", "oops\n")


@pytest.mark.usefixtures("served")
def test_the_time_is_that_of_the_hosts_clock_and_passes() -> None:
    with lab("lab1") as there:
        first = there.now
        clock.sleep(0.05)
        assert timedelta(0) < there.now - first < timedelta(seconds=20)
    assert timedelta(0) <= first - datetime(2027, 1, 1, tzinfo=UTC) < timedelta(seconds=20)


@pytest.mark.usefixtures("served")
def test_many_commands_run_side_by_side() -> None:
    """Each waits until the other has begun: one after the other they would wait for ever."""
    with lab("lab1") as there:
        meet = "touch $0/{own}; until test -e $0/{other}; do sleep 0.02; done; echo {own}"
        folder = there.run(sh("mktemp -d")).out.strip()
        answers = there.run_all(
            {
                own: Command(("env", "sh", "-c", meet.format(own=own, other=other), folder))
                for own, other in (("a", "b"), ("b", "a"))
            }
        )
    assert {name: one.out for name, one in answers.items()} == {"a": "a\n", "b": "b\n"}


@pytest.mark.usefixtures("served")
def test_what_a_command_writes_is_heard_as_it_comes_and_is_in_the_answer() -> None:
    heard: list[tuple[str, bool]] = []
    with lab("lab1") as there:
        done = there.run(sh("echo one; echo two >&2"), hear=lambda text, is_error: heard.append((text, is_error)))
    assert ("".join(text for text, is_error in heard if not is_error), done.out) == ("one\n", "one\n")
    assert ("".join(text for text, is_error in heard if is_error), done.err) == ("two\n", "two\n")


@pytest.mark.usefixtures("served")
def test_a_command_that_takes_too_long_is_ended() -> None:
    with lab("lab1") as there:
        assert there.run(sh("sleep 60"), seconds=0.2).code == protocol.LATE


@pytest.mark.usefixtures("served")
def test_a_lock_is_held_until_the_connection_ends_and_others_are_told_whose_it_is() -> None:
    with lab("lab1") as first:
        first.lock(NAMES)
        with (
            lab("lab1") as second,
            pytest.raises(Busy, match=f"shop/login is being changed: .*{connection.who()}") as caught,
        ):
            second.lock(NAMES)
        assert caught.value.exit_code == 2
        assert "--wait" in caught.value.hint
    with lab("lab1") as third:
        third.lock(NAMES)


@pytest.mark.usefixtures("served")
def test_who_waits_for_a_lock_gets_it() -> None:
    with lab("lab1") as first, lab("lab1") as second:
        first.lock(NAMES)
        threading.Timer(0.3, first.close).start()
        second.lock(NAMES, wait=20)


@pytest.mark.usefixtures("served")
def test_a_connection_that_breaks_is_an_error_of_the_environment_and_says_so() -> None:
    with lab("lab1") as there:
        threading.Timer(0.3, there._process.kill).start()
        with pytest.raises(EnvironmentFailed, match="the connection to lab1 broke"):
            there.run(sh("sleep 60"))
        assert there.is_over
        with pytest.raises(EnvironmentFailed, match="the connection to lab1 broke"):
            there.run(sh("true"))


@pytest.mark.usefixtures("served")
def test_the_user_of_the_role_is_logged_in_as_unless_another_is_named(tmp_path: Path) -> None:
    for host, expected in (("lab1", ["-l", "labrig"]), ("anna@lab1", [])):
        with lab(host):
            found = (tmp_path / "arguments").read_text().split("\n")
        assert [one for one in found if one in {"-l", "labrig"}] == expected
        assert found[-3:-1] == [host, "labrig-lab serve"]


@pytest.mark.usefixtures("host")
def test_a_host_without_labrigs_programs_is_told_to_be_none_yet() -> None:
    with pytest.raises(EnvironmentFailed, match="lab1 has not labrig's programs") as caught, lab("lab1"):
        pass
    assert "labrig.core.lab" in caught.value.hint


def test_what_else_answers_there_is_shown(host: Install) -> None:
    host("#!/bin/sh\necho 'Welcome to this computer!'; cat >/dev/null\n")
    with pytest.raises(EnvironmentFailed, match=r"something else .* 'Welcome to this computer!'"), lab("lab1"):
        pass


@pytest.mark.parametrize(("number", "hint"), [(protocol.NUMBER - 1, "labrig.core.lab"), (protocol.NUMBER + 1, "pip")])
def test_a_host_of_another_version_is_named_with_what_to_do(host: Install, number: int, hint: str) -> None:
    """Also where the other version says more, or less, than this one knows."""
    host(f'#!/bin/sh\necho \'{{"hello": {{"protocol": {number}, "version": "9.9"}}}}\'; cat >/dev/null\n')
    with pytest.raises(EnvironmentFailed, match=f"labrig 9.9, which speak protocol {number}") as caught, lab("lab1"):
        pass
    assert hint in caught.value.hint


def test_a_host_without_an_engine_is_refused_before_anything_is_done(host: Install) -> None:
    told = Hello(**{**vars(HELLO), "engine": "", "trouble": "/run/docker.sock: No such file"}).line().decode().strip()
    host(f"#!/bin/sh\ncat <<'END'\n{told}\nEND\ncat >/dev/null\n")
    with pytest.raises(EnvironmentFailed, match=r"no Docker Engine to be had: /run/docker\.sock"), lab("lab1"):
        pass


def test_a_host_that_says_nothing_is_not_waited_for_for_ever(host: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_HELLO_SECONDS", 0.3)
    host("#!/bin/sh\ncat >/dev/null\n")
    with pytest.raises(EnvironmentFailed, match="says nothing"), lab("lab1"):
        pass


@pytest.mark.parametrize(
    ("host", "said", "hint"),
    [
        ("anna@no-such-host.invalid", "Could not resolve hostname", "check the name"),
        ("anna@127.0.0.1", "Connection refused", "does sshd run there"),
    ],
)
def test_a_host_that_is_not_reached_is_told_in_the_words_of_ssh(
    tmp_path: Path, host: str, said: str, hint: str
) -> None:
    """With the real ssh, and a port where nothing listens."""
    config = tmp_path / "config"
    config.write_text("Port 1\n")
    with pytest.raises(EnvironmentFailed, match=said) as caught, lab(host, config=config):
        pass
    assert caught.value.exit_code == 3
    assert hint in caught.value.hint


@pytest.mark.usefixtures("served")
def test_ctrl_c_ends_what_runs_there_and_the_connection_can_be_used_to_put_things_back(tmp_path: Path) -> None:
    # Heard as the labrig command hears it: whoever runs these tests may ignore SIGINT, or have it go to any thread.
    script = f"""
import signal
from labrig import interrupts
from labrig.experiments.command import Command
from labrig.experiments.connection import lab
interrupts.hear(signal.SIGINT)
with lab("lab1") as there:
    try:
        there.run(Command(("env", "sh", "-c", "echo $$ > {tmp_path}/pid; sleep 60")))
    except KeyboardInterrupt:
        asked = Command(("env", "sh", "-c", "kill -0 $(cat {tmp_path}/pid) || echo ended"))
        print(there.run(asked).out, end="")
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        try:
            while not (tmp_path / "pid").exists():
                clock.sleep(0.02)
            process.send_signal(signal.SIGINT)
            said, _ = process.communicate(timeout=20)
        finally:
            process.kill()
    assert said == "ended\n"
    assert process.returncode == 0
