"""`labrig group` beside starting and stopping: status, logs, exec, run, env, graph, test."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Done, environment

from labrig.engine import ownership
from labrig.engine.client import connect

GROUP = """
import labrig

labrig.group_name("bakery")


class Base(labrig.Service):
    image = "labrig/debian-12:latest"
    stop_signal = "SIGKILL"


class Database(Base):
    name = "db"
    cmd = ["sh", "-c", "echo db 1; sleep 0.3; echo db 2; exec sleep infinity"]
    ports = {5432: None}

    def post_start(self):
        labrig.Context["motto"] = self.execute("cat", stdin="it's $5 & more").stdout


class Application(Base):
    name = "app"
    dependencies = ["db"]
    env = {"MOTTO": "{motto}", "COLOUR": "green"}
    cmd = ["sh", "-c", "echo app 1 >&2; exec sleep infinity"]


class Migration(Base):
    name = "migrate"
    dependencies = ["db"]
    cmd = ["true"]
    one_shot = True


if __name__ == "__main__":
    labrig.cli()
"""
BROKEN = GROUP.replace("echo app 1 >&2; exec sleep infinity", "echo no such luck; exit 3")


def call(*words: str, cwd: Path, stdin: str = "") -> Done:
    done = subprocess.run(
        [sys.executable, "-m", "labrig", "group", "-f", "services.py", *words],
        cwd=cwd,
        env=environment(),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback (most recent call last)" not in done.stderr, done.stderr
    return Done(done.returncode, done.stdout, done.stderr)


def containers() -> set[str]:
    """Return the containers of every group of that name, and one-off ones."""
    client = connect()
    found = client.api.containers(all=True, filters={"label": f"{ownership.OWNER}={ownership.here()}/bakery"})
    client.close()
    return {one["Names"][0].lstrip("/") for one in found}


@contextlib.contextmanager
def killed(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Let no process outlive its test, whatever comes of that."""
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A group that runs."""
    folder = tmp_path_factory.mktemp("bakery")
    (folder / "services.py").write_text(GROUP)
    started = call("start", cwd=folder)
    assert started.code == 0, started.err
    yield folder
    assert call("stop", "--remove", cwd=folder).code == 0


@pytest.fixture
def stopped(tmp_path: Path) -> Iterator[Path]:
    """A group that does not run, and does not afterwards."""
    (tmp_path / "services.py").write_text(GROUP)
    before = containers()
    yield tmp_path
    left = containers() - before
    call("stop", "--remove", cwd=tmp_path)
    assert left == set()


def test_status_tells_each_service(running: Path) -> None:
    shown = call("status", cwd=running)
    assert shown.code == 0
    by_name = {line.split()[0]: line for line in shown.out.splitlines()}
    assert " running " in by_name["db"]
    assert "-> 5432/tcp" in by_name["db"]
    assert " done " in by_name["migrate"]

    document = json.loads(call("status", "--json", cwd=running).out)
    assert document["group"] == "bakery"
    assert {one["service"]: one["well"] for one in document["services"]} == {"db": True, "app": True, "migrate": True}


def test_logs_are_in_the_order_of_time_whoever_wrote_them(running: Path) -> None:
    call("exec", "db", "sh", "-c", "echo db 3 > /proc/1/fd/1", cwd=running)
    shown = call("logs", cwd=running).out.splitlines()
    assert [line.replace(" ", "") for line in shown] == ["db|db1", "db|db2", "app|app1", "db|db3"] or [
        line.replace(" ", "") for line in shown
    ] == ["db|db1", "app|app1", "db|db2", "db|db3"]
    assert len({line.index("|") for line in shown}) == 1
    assert call("logs", "--tail", "1", "db", cwd=running).out.split("|")[-1].strip() == "db 3"
    assert "T" in call("logs", "--timestamps", "app", cwd=running).out.split("|")[1].split()[0]


def test_logs_are_followed_until_ctrl_c(running: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "labrig", "group", "-f", "services.py", "logs", "--follow", "--tail", "0"]
    followed = tmp_path / "followed"
    with followed.open("w") as out:
        process = subprocess.Popen(command, cwd=running, env=environment(PYTHONUNBUFFERED="1"), stdout=out)
    with killed(process):
        until = time.monotonic() + 30
        # It may not listen yet when the first one is written.
        while "more" not in followed.read_text() and time.monotonic() < until:
            call("exec", "app", "sh", "-c", "echo more > /proc/1/fd/1", cwd=running)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    assert followed.read_text().splitlines()[0].replace(" ", "") == "app|more"


def test_exec_is_the_command(running: Path) -> None:
    script = 'id -un; pwd; echo "$X"; cat; exit 7'
    options = ("-u", "nobody", "-w", "/srv", "-e", "X=1 2")
    done = call("exec", *options, "app", "sh", "-c", script, cwd=running, stdin="typed")
    assert (done.code, done.out) == (7, "nobody\n/srv\n1 2\ntyped")


def test_exec_has_a_terminal_where_there_is_one(running: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "labrig", "group", "-f", "services.py", "exec", "app", "tty"]
    code = subprocess.run(
        command, cwd=running, env=environment(TERM="xterm"), stdin=theirs, stdout=theirs, timeout=60, check=False
    ).returncode
    os.close(theirs)
    said = os.read(ours, 1000)
    os.close(ours)
    assert code == 0
    assert said.startswith(b"/dev/pts/")


def test_services_that_are_unknown_or_do_not_run_are_named(running: Path) -> None:
    done = call("exec", "databse", "ls", cwd=running)
    assert done.code == 2
    assert "no service 'databse'" in done.err
    done = call("exec", "migrate", "ls", cwd=running)
    assert done.code == 1
    assert "service 'migrate' does not run: its container is exited" in done.err
    for verb in ("logs", "run"):
        assert call(verb, "nobody", cwd=running).code == 2


def test_run_is_like_the_service_and_leaves_nothing(running: Path) -> None:
    before = containers()
    script = 'echo "$MOTTO, $COLOUR"; cat; exit 9'
    done = call("run", "-e", "COLOUR=red", "app", "sh", "-c", script, cwd=running, stdin="typed")
    assert (done.code, done.out) == (9, "it's $5 & more, red\ntyped")
    assert containers() == before


def test_run_starts_what_the_service_needs(stopped: Path) -> None:
    # On an engine that is very busy, its name server misses a question now and then.
    script = "for try in 1 2 3; do getent ahostsv4 db && exit 0; sleep 1; done; exit 1"
    done = call("run", "app", "sh", "-c", script, cwd=stopped)
    assert done.code == 0, done.err
    assert " running " in call("status", cwd=stopped).out
    assert call("stop", "--remove", cwd=stopped).code == 0


def test_run_that_is_interrupted_leaves_nothing(running: Path) -> None:
    before = containers()
    command = [sys.executable, "-m", "labrig", "group", "-f", "services.py", "run", "app", "sleep", "100"]
    with killed(subprocess.Popen(command, cwd=running, env=environment(), start_new_session=True)) as process:
        until = time.monotonic() + 30
        while containers() == before and time.monotonic() < until:
            time.sleep(0.1)
        assert containers() != before
        # `sleep` as the first process of its container does not hear the first one.
        while process.poll() is None and time.monotonic() < until:
            os.killpg(process.pid, signal.SIGINT)
            time.sleep(0.5)
        assert process.wait(20) == 130
    assert containers() == before


def test_env_is_read_by_the_shell(running: Path) -> None:
    exports = "python -m labrig group -f services.py env --prefix shop_"
    script = f'eval "$({exports})"; echo "$SHOP_MOTTO"; echo $SHOP_DB_PORT_5432'
    env = environment(PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    said = subprocess.run(
        ["bash", "-c", script], cwd=running, env=env, capture_output=True, text=True, check=True
    ).stdout
    motto, port = said.splitlines()
    assert motto == "it's $5 & more"
    assert f"{port} -> 5432/tcp" in call("status", cwd=running).out
    assert json.loads(call("env", "--format", "json", cwd=running).out)["DB_PORT_5432"] == int(port)


def test_env_of_a_group_that_never_ran_says_so(stopped: Path) -> None:
    done = call("env", cwd=stopped)
    assert done.code == 1
    assert "group 'bakery' has no values" in done.err


def test_the_graph_is_drawn_without_an_engine(tmp_path: Path) -> None:
    (tmp_path / "services.py").write_text(GROUP)
    command = [sys.executable, "-m", "labrig", "group", "-f", "services.py", "graph"]
    nowhere = environment(DOCKER_HOST="unix:///nowhere")
    said = subprocess.run(command, cwd=tmp_path, env=nowhere, capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[0].startswith("app")
    assert "└── db" in said
    subprocess.run([*command, "--svg", "graph.svg"], cwd=tmp_path, env=nowhere, capture_output=True, check=True)
    assert (tmp_path / "graph.svg").read_text().startswith("<svg ")


def test_test_keeps_the_exit_code_saves_logs_and_leaves_nothing(stopped: Path) -> None:
    done = call("test", "--logs", "kept", "sh", "-c", 'echo "$MOTTO"; exit 4', cwd=stopped)
    assert (done.code, done.out) == (4, "it's $5 & more\n")
    assert (stopped / "kept/db.log").read_text() == "db 1\ndb 2\n"
    assert json.loads((stopped / "kept/app.json").read_text())["State"]["Running"] is True
    assert (stopped / "kept").stat().st_mode & 0o077 == 0


def test_test_runs_pytest_with_the_values(stopped: Path) -> None:
    (stopped / "test_bakery.py").write_text(
        "import os\n\ndef test_motto():\n    assert os.environ['MOTTO'] == \"it's $5 & more\"\n\n"
        "def test_other():\n    assert False\n"
    )
    done = call("test", "-k", "motto", cwd=stopped)
    assert done.code == 0, done.out + done.err
    assert "1 passed, 1 deselected" in done.out


def test_a_service_that_fails_fails_the_test_before_its_command(stopped: Path) -> None:
    (stopped / "services.py").write_text(BROKEN)
    done = call("test", "--logs", "kept", "touch", "began", cwd=stopped)
    assert done.code == 1
    assert "exited with 3" in done.err
    assert not (stopped / "began").exists()
    assert "no such luck" in (stopped / "kept/app.log").read_text()
    assert "db 1" in (stopped / "kept/db.log").read_text()


def test_test_leaves_running_what_ran_before(running: Path) -> None:
    before = containers()
    done = call("test", "true", cwd=running)
    assert done.code == 0
    assert "left running, as they were before: app, db" in done.err
    assert containers() == before


def test_an_interrupted_test_leaves_nothing(stopped: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "labrig",
        "group",
        "-f",
        "services.py",
        "test",
        "sh",
        "-c",
        "touch began; sleep 100",
    ]
    with killed(subprocess.Popen(command, cwd=stopped, env=environment(), start_new_session=True)) as process:
        until = time.monotonic() + 40
        while not (stopped / "began").exists() and time.monotonic() < until:
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(40) == 130


def test_a_command_of_a_hook_that_fails_is_told_with_what_it_said(stopped: Path) -> None:
    command = 'self.execute("sh", "-c", "echo no such table >&2; exit 3")'
    (stopped / "services.py").write_text(GROUP.replace('self.execute("cat", stdin="it\'s $5 & more").stdout', command))
    done = call("start", "db", cwd=stopped)
    assert done.code == 1
    assert "post_start raised" in done.err
    assert "sh in service db ended with 3: no such table" in done.err
