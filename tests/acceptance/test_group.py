"""``labrig group`` as a user runs it, and a script of miniboss's with only its import changed."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest
from conftest import Done, environment

SLEEPER = """
import labrig

class Sleeper(labrig.Service):
    image = "labrig/debian-12:latest"
    cmd = ["sleep", "infinity"]
    stop_signal = "SIGKILL"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Yield a folder whose name no other group has, and see that nothing of its group is left."""
    made = tmp_path / f"shop-{os.getpid()}"
    made.mkdir()
    yield made
    # The database of a broken group is whatever a test left: its own file stops it.
    subprocess.run(
        [sys.executable, "-m", "labrig", "group", "-f", "group.py", "stop", "--remove", "--timeout", "1"],
        cwd=made,
        env=environment(),
        check=False,
        capture_output=True,
    )
    assert of_group(made) == set()


def write(folder: Path, text: str, preamble: str = SLEEPER) -> Path:
    """Write a group's file."""
    file = folder / "group.py"
    file.write_text(preamble + textwrap.dedent(text))
    return file


def of_group(folder: Path) -> set[str]:
    """Return the services of the folder's group that have a running container."""
    label = f"org.labrig.group={folder.name}"
    found = docker.from_env().containers.list(filters={"label": label})
    return {one.labels["org.labrig.group.service"] for one in found}


MINIBOSS = """
#! /usr/bin/env python3
import labrig as miniboss

miniboss.group_name("{group}")

class Database(miniboss.Service):
    name = "appdb"
    image = "labrig/debian-12:latest"
    cmd = "python3 -m http.server 5432"
    env = {{"POSTGRES_PASSWORD": "dbpwd", "POSTGRES_DB": "appdb", "NUMBER": 3}}
    ports = {{5432: {port}}}
    stop_signal = "SIGKILL"
    asked = 0

    def pre_start(self):
        print("pre_start sees", self.env["POSTGRES_DB"])

    def ping(self):
        import urllib.request
        Database.asked += 1
        try:
            return urllib.request.urlopen("http://127.0.0.1:{port}/").status == 200
        except OSError:
            return False

    def post_start(self):
        miniboss.Context["user_id"] = 42

class Application(miniboss.Service):
    name = "python-todo"
    image = "labrig/debian-12"
    entrypoint = ["/bin/sh", "-c"]
    cmd = ["exec sleep infinity"]
    env = {{"USER_ID": "{{user_id}}", "DB_URI": "postgresql://dbuser:dbpwd@appdb:5432/appdb"}}
    dependencies = ["appdb"]
    volumes = {{"/usr/share": {{"bind": "/shared", "mode": "ro"}}}}
    always_start_new = True
    stop_signal = "SIGKILL"
    user = "root"
    build_from = "python-todo/"
    dockerfile = "Dockerfile"

miniboss.on_start_services(lambda names: print("Started", " ".join(names)))
miniboss.on_stop_services(lambda names: print("Stopped", " ".join(names)))
miniboss.on_reload_service(lambda name: print("Reloaded", name))

if __name__ == "__main__":
    miniboss.cli()
"""


def free_port() -> int:
    """Return a port of the host that nobody listens on."""
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return int(made.getsockname()[1])


def test_a_script_of_miniboss_works_with_only_its_import_changed(folder: Path) -> None:
    file = write(folder, MINIBOSS.format(group=folder.name, port=free_port()), preamble="")

    def run(*words: str) -> Done:
        done = subprocess.run(
            [sys.executable, str(file), *words],
            cwd=folder.parent,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    started = run("start", "--timeout", "30")
    assert started.code == 0, started.err
    assert started.out.splitlines() == ["pre_start sees appdb", "Started appdb python-todo"]
    label = f"org.labrig.group={folder.name}"
    containers = docker.from_env().containers.list(filters={"label": label})
    application = next(one for one in containers if one.name.startswith("python-todo-"))
    assert "USER_ID=42" in application.attrs["Config"]["Env"]
    assert application.exec_run(["getent", "hosts", "appdb"]).exit_code == 0
    assert (folder / ".miniboss-context").exists()

    refused = run("start", "--exclude", "appdb")
    assert refused.code == 2
    assert "service 'appdb' is to be excluded, but 'python-todo' depends on it" in refused.err
    without = run("reload", "appdb")
    assert without.code == 2
    assert "field 'build_from' is not set" in without.err
    stopped = run("stop", "--exclude", "appdb")
    assert (stopped.code, stopped.out) == (0, "Stopped python-todo\n"), stopped.err
    assert of_group(folder) == {"appdb"}

    (folder / "python-todo").mkdir()
    (folder / "python-todo" / "Dockerfile").write_text("FROM labrig/debian-12:latest\nRUN echo new > /version\n")
    reloaded = run("reload", "python-todo")
    assert (reloaded.code, reloaded.out.splitlines()[-1]) == (0, "Reloaded python-todo"), reloaded.err
    assert of_group(folder) == {"appdb", "python-todo"}
    removed = run("stop", "--remove")
    assert (removed.code, removed.out) == (0, "Stopped python-todo appdb\n"), removed.err
    assert not (folder / ".miniboss-context").exists()


def test_a_service_that_fails_is_exit_code_1_with_its_readiness_and_its_last_lines(
    labrig: Callable[..., Done], folder: Path
) -> None:
    write(
        folder,
        """
        class Database(Sleeper):
            name = "db"
            cmd = ["sh", "-c", "echo reading the journal; exec sleep infinity"]

            def ping(self):
                return None

        class Application(Sleeper):
            name = "app"
            dependencies = ["db"]

        class Mail(Sleeper):
            name = "mail"
        """,
    )
    done = labrig("group", "-f", "group.py", "start", "--timeout", "0.5", cwd=folder)
    assert done.code == 1
    assert "db: failed: ping has not succeeded within 0.5 s" in done.err
    assert "readiness: ping was asked " in done.err
    assert "    reading the journal\n" in done.err
    assert "app: skipped: db failed" in done.err
    assert of_group(folder) == {"mail"}


def test_only_what_is_named_is_started_and_stopped(labrig: Callable[..., Done], folder: Path) -> None:
    write(
        folder,
        """
        for name, needed in {"db": [], "app": ["db"], "mail": []}.items():
            type(name, (Sleeper,), {"name": name, "dependencies": needed})
        """,
    )

    def group(*words: str) -> Done:
        done = labrig("group", "-f", "group.py", *words, cwd=folder)
        assert done.code == 0, done.err
        return done

    group("start", "app")
    assert of_group(folder) == {"db", "app"}
    group("stop", "app", "--no-deps")
    group("start", "mail", "--no-deps")
    assert of_group(folder) == {"db", "mail"}
    group("start", "--exclude", "mail")
    group("stop", "db", "--remove")
    assert of_group(folder) == {"mail"}
    group("restart")
    assert of_group(folder) == {"db", "app", "mail"}
    group("stop", "--remove")
    assert of_group(folder) == set()


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.1)


NEVER_READY = """
class Old(Sleeper):
    name = "old"

class Database(Sleeper):
    name = "db"

class Application(Sleeper):
    name = "app"
    dependencies = ["db"]

    def ping(self):
        open("asked", "w").close()
        return False
"""


def test_ctrl_c_stops_what_was_started_and_nothing_else(labrig: Callable[..., Done], folder: Path) -> None:
    write(folder, NEVER_READY)
    assert labrig("group", "-f", "group.py", "start", "old", cwd=folder).code == 0
    with subprocess.Popen(
        [sys.executable, "-m", "labrig", "group", "-f", "group.py", "start"],
        cwd=folder,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        until((folder / "asked").exists)
        assert of_group(folder) == {"old", "db", "app"}
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert of_group(folder) == {"old"}
    assert "app" in said
    assert "cancelled" in said


HELD_UP = """
import pathlib

class Database(Sleeper):
    name = "db"

    def ping(self):
        pathlib.Path("asked").touch()
        return pathlib.Path("go-on").exists()
"""


def test_two_starts_at_once_take_turns(folder: Path) -> None:
    write(folder, HELD_UP)

    def start() -> subprocess.Popen[str]:
        words = [sys.executable, "-m", "labrig", "group", "-f", "group.py", "start"]
        return subprocess.Popen(words, cwd=folder, env=environment(), stderr=subprocess.PIPE, text=True)

    with start() as first:
        until((folder / "asked").exists)
        with start() as second:
            assert second.stderr is not None
            assert "db  waiting: another labrig is at work on this group" in second.stderr.readline()
            (folder / "go-on").touch()
            _, of_second = second.communicate(timeout=60)
        _, of_first = first.communicate(timeout=60)
    assert (first.returncode, second.returncode) == (0, 0), of_first + of_second
    assert "was running" in of_second
    assert of_group(folder) == {"db"}


class Relay:
    """A way to the engine that can be cut."""

    def __init__(self, path: Path) -> None:
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(path))
        self._listening.listen(100)
        self._ends: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect("/var/run/docker.sock")
                self._ends += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while read := one.recv(65536):
                other.sendall(read)
            other.shutdown(socket.SHUT_WR)

    def cut(self) -> None:
        """Let the engine be away, for those that are connected and for those that will ask."""
        for one in (self._listening, *self._ends):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


def test_an_engine_that_goes_away_midway_ends_the_start_with_3(folder: Path) -> None:
    write(folder, NEVER_READY)
    relay = Relay(folder / "engine.sock")
    with subprocess.Popen(
        [sys.executable, "-m", "labrig", "group", "-f", "group.py", "start"],
        cwd=folder,
        env=environment(DOCKER_HOST=f"unix://{folder}/engine.sock"),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        until((folder / "asked").exists)
        relay.cut()
        _, said = process.communicate(timeout=60)
    assert process.returncode == 3, said
    assert "app: failed: the Docker Engine was lost" in said
    assert "Traceback" not in said


ONE = """
class One(Sleeper):
    name = "db"
"""


@pytest.mark.parametrize(
    ("words", "text", "message"),
    [
        (["group", "start"], "", "which group? no file is named"),
        (["group", "-f", "none.py", "start"], "", "none.py: there is no such file"),
        (["group", "-f", "group.py", "start"], "", "class Sleeper: field 'name': expected a non-empty string"),
        (
            ["group", "-f", "group.py", "start", "bd"],
            "class A(Sleeper):\n    name = 'db'\n",
            "there is no service 'bd'",
        ),
        (["group", "-f", "group.py", "strat"], ONE, "No such command 'strat'"),
        (
            ["group", "-f", "group.py", "start"],
            "class A(Sleeper):\n    name = 'a b'\n",
            "field 'name': 'a b' is no host",
        ),
    ],
)
def test_a_call_that_is_wrong_is_exit_code_2(
    labrig: Callable[..., Done], folder: Path, words: list[str], text: str, message: str
) -> None:
    write(folder, text)
    done = labrig(*words, cwd=folder)
    assert done.code == 2
    assert message in done.err


def test_no_engine_is_exit_code_3(labrig: Callable[..., Done], folder: Path) -> None:
    write(folder, ONE)
    away = environment(DOCKER_HOST=f"unix://{folder}/none.sock")
    done = labrig("group", "-f", "group.py", "start", cwd=folder, env=away)
    assert done.code == 3
    assert "no Docker Engine answers at unix://" in done.err
