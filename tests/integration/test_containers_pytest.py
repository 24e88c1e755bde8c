"""The fixtures as users have them: their tests run in a pytest of their own, with and without pytest-xdist."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest
from docker import DockerClient

from labrig.engine import ownership, sweep
from labrig.engine.client import connect

IMAGE = "labrig/debian-12"
REAPED_WITHIN = 30.0

SHOP = """
import subprocess
import pytest
from labrig.containers import waiting

@pytest.fixture(scope="session")
def database(labrig_session):
    def make(owner):
        return owner.container({image!r}, "database").run("sh", "-c", "echo ready; exec sleep 1000")
    return labrig_session.shared_container("database", make).wait_for(waiting.log("ready"))

@pytest.mark.parametrize("number", range(4))
def test_uses_database(database, number):
    with open({seen!r}, "a") as file:
        file.write(database.id + "\\n")

def test_passes(labrig_test):
    labrig_test.container({image!r}, "fine").run("sleep", "1000")

def test_fails(labrig_test, database):
    job = labrig_test.container({image!r}, "job").run("sh", "-c", "echo out; echo err >&2; exit 4")
    web = labrig_test.container({image!r}, "web").network(labrig_test.network()).run("sleep", "1000")
    gone = labrig_test.container({image!r}, "gone").run("sh", "-c", "echo bye; exec sleep 1000")
    gone.wait_for(waiting.log("bye")).remove()
    assert job.wait_until_exit() == 0

def test_leaves_something(labrig_test):
    subprocess.run(["docker", "volume", "create", {volume!r}], check=True)
"""

# Passes connections on to the engine, until it is killed.
DOOR = """
import socket, sys, threading

def passes(one, other):
    try:
        while piece := one.recv(65536):
            other.sendall(piece)
        other.shutdown(socket.SHUT_WR)
    except OSError:
        pass

door = socket.socket(socket.AF_UNIX)
door.bind(sys.argv[1])
door.listen(50)
while True:
    one, other = door.accept()[0], socket.socket(socket.AF_UNIX)
    other.connect("/var/run/docker.sock")
    for pair in ((one, other), (other, one)):
        threading.Thread(target=passes, args=pair, daemon=True).start()
"""


@dataclass(frozen=True)
class Run:
    """What a run of pytest came to."""

    code: int
    out: str
    folder: Path


@pytest.fixture(scope="module")
def client() -> Iterator[DockerClient]:
    found = connect()
    yield found
    found.close()


@pytest.fixture(scope="module")
def volume(client: DockerClient) -> Iterator[str]:
    name = f"left-by-a-test-{uuid.uuid4().hex[:8]}"
    yield name
    sweep.discard(client, "volume", name)


def project(folder: Path, text: str) -> Path:
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_shop.py").write_text(text)
    return folder


def run(folder: Path, *options: str, **variables: str) -> Run:
    """Run its tests as a user does, not as part of this run of pytest."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")} | variables
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Run(done.returncode, done.stdout + done.stderr, folder)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, volume: str, client: DockerClient) -> Iterator[Run]:
    """The shop's tests in two workers, keeping what failed tests used."""
    folder = tmp_path_factory.mktemp("shop")
    project(folder, SHOP.format(image=IMAGE, volume=volume, seen=str(folder / "seen")))
    done = run(folder, "-n", "2", "--labrig-keep=failed", "--junitxml=junit.xml")
    yield done
    for name in re.findall(r"docker exec -it (\S+)", done.out):
        whose = client.containers.get(name).labels
        sweep.remove_run(client, whose[ownership.RUN])


def test_what_workers_share_is_made_once(shop: Run) -> None:
    assert "1 failed, 6 passed" in shop.out
    assert len(set((shop.folder / "seen").read_text().split())) == 1


def test_what_containers_of_a_failed_test_printed_and_how_they_ended_is_saved_and_reported(shop: Run) -> None:
    saved = shop.folder / ".labrig" / "tests" / "test_shop.py.test_fails"
    files = {path.name for path in saved.iterdir()}
    (job,) = (name.removesuffix(".out") for name in files if re.fullmatch(r"job-\d+\.out", name))
    assert (saved / f"{job}.out").read_text() == "out\n"
    assert (saved / f"{job}.err").read_text() == "err\n"
    assert json.loads((saved / f"{job}.inspect.json").read_text())["State"]["ExitCode"] == 4
    table = (saved / "containers.txt").read_text()
    assert f"{job} (image labrig/debian-12) has exited with code 4\n" in table
    assert re.search(r"^web-\d+ .* is running$", table, re.MULTILINE)
    assert re.search(r"^gone-\d+ .*, when the test removed it$", table, re.MULTILINE)
    assert re.search(r"^database-\d+ .* is running$", table, re.MULTILINE)
    assert f"labrig: container {job} (image labrig/debian-12) has exited with code 4" in shop.out
    assert f"logs, inspect output and exit codes of 4 containers: {saved}" in shop.out
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]
    assert (shop.folder / ".labrig" / ".gitignore").read_text() == "*\n"
    (noted,) = ElementTree.parse(shop.folder / "junit.xml").iterfind(".//property[@name='labrig_output']")
    assert noted.get("value") == str(saved)


def test_what_a_failed_test_used_is_kept_and_can_be_entered(shop: Run, client: DockerClient) -> None:
    kept = shop.out.partition("labrig: kept")[2]
    assert re.search(
        r"test_shop\.py::test_fails: stays until \d{4}-\d\d-\d\d \d\d:\d\d UTC, or until `labrig clean`", kept
    )
    web, database = sorted(re.findall(r"docker exec -it (\S+) sh", kept), key=lambda name: "database" in name)
    for name in (web, database):
        found = client.containers.get(name)
        assert found.exec_run("true").exit_code == 0
        assert found.labels[ownership.KEEP] == "yes"
        assert found.name not in {thing.name for thing in sweep.orphans(client)}
    labels = client.containers.get(web).labels
    assert labels[ownership.TEST] == "test_shop.py::test_fails"
    names = {thing.name for thing in sweep.find(client, run=labels[ownership.RUN])}
    assert any("-job-" in name for name in names)
    assert any("-network-" in name for name in names)
    assert not any("-fine-" in name for name in names)


def test_a_leak_names_the_test_and_what_it_left(shop: Run, volume: str) -> None:
    told = [line for line in shop.out.splitlines() if f"left volume {volume}" in line]
    assert len(told) == 1
    assert "test_shop.py::test_leaves_something" in told[0].split(" left ")[0].split(" or ")


def test_leaks_can_let_a_run_fail(tmp_path: Path, client: DockerClient) -> None:
    name = f"left-by-a-test-{uuid.uuid4().hex[:8]}"
    command = ["docker", "volume", "create", name]
    text = f"import subprocess\ndef test_leaves(labrig_test):\n    subprocess.run({command})\n"
    try:
        done = run(project(tmp_path, text), "--labrig-leaks=fail")
        assert (done.code, "1 passed" in done.out) == (1, True)
        assert f"test_shop.py::test_leaves left volume {name}: it appeared while it ran" in done.out
    finally:
        sweep.discard(client, "volume", name)


def test_what_a_module_of_tests_shares_goes_after_its_last(tmp_path: Path, client: DockerClient) -> None:
    text = f"""
import pytest
@pytest.fixture(scope="module")
def web(labrig_module):
    return labrig_module.container({IMAGE!r}, "web").run("sleep", "1000")
@pytest.mark.parametrize("number", [1, 2])
def test_web(web, number):
    print("the run is", web.owner.run)
    assert web.state().alive
def test_it_is_labelled(web):
    assert web.inspect()["Config"]["Labels"]["org.labrig.test"] == "test_shop.py"
"""
    done = run(project(tmp_path, text), "-s")
    assert (done.code, "3 passed" in done.out) == (0, True), done.out
    (name,) = set(re.findall(r"the run is (\d\S+)", done.out))
    assert sweep.find(client, run=name) == []


def test_a_run_without_containers_asks_no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    text = "import sys\ndef test_plain():\n    assert 'docker' not in sys.modules\n"
    assert run(project(tmp_path, text)).code == 0
    done = run(project(tmp_path, "def test_web(labrig_test):\n    pass\n"))
    assert (done.code, "no Docker Engine answers at unix:///nowhere" in done.out) == (1, True)
    assert "INTERNALERROR" not in done.out


def test_killed_pytest_and_workers_leave_nothing(tmp_path: Path, client: DockerClient) -> None:
    """SIGKILL, to all of them at once, while tests make things."""
    text = f"""
import os, pytest
@pytest.mark.parametrize("number", range(4))
def test_makes(labrig_session, labrig_test, number):
    labrig_session.shared_container("one", lambda owner: owner.container({IMAGE!r}).run("sleep", "1000"))
    with open("made", "a") as file:
        file.write(f"{{labrig_test.run}} {{labrig_session.together()[0].run}}\\n")
    while True:
        labrig_test.container({IMAGE!r}).network(labrig_test.network(hosts=2)).run("sleep", "1000")
"""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", "2"]
    process = subprocess.Popen(command, cwd=project(tmp_path, text), start_new_session=True, stdout=subprocess.DEVNULL)
    made = tmp_path / "made"
    try:
        until(lambda: made.exists() and len(made.read_text().splitlines()) == 2)
        runs = set(made.read_text().split())
        until(lambda: sum(len(sweep.find(client, run=one)) for one in runs) >= 5)
    finally:
        # Reapers are in sessions of their own.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert len(runs) == 3
    until(lambda: not any(sweep.find(client, run=one) for one in runs))
    until(lambda: not any(ownership.run_path(one, end).exists() for one in runs for end in (".lock", ".shared")))


def test_an_engine_that_goes_away_fails_the_test_and_not_pytest(tmp_path: Path, client: DockerClient) -> None:
    """A door to the engine that a test shuts behind itself."""
    door = tmp_path / "door.sock"
    text = f"""
import os, signal
def test_web(labrig_test):
    labrig_test.container({IMAGE!r}).run("sleep", "1000")
    print("the run is", labrig_test.run)
    os.kill(int(os.environ["DOORKEEPER"]), signal.SIGKILL)
    labrig_test.container({IMAGE!r}).run("sleep", "1000")
"""
    keeper = subprocess.Popen([sys.executable, "-c", DOOR, str(door)])
    try:
        until(door.exists)
        done = run(project(tmp_path, text), DOCKER_HOST=f"unix://{door}", DOORKEEPER=str(keeper.pid))
    finally:
        keeper.kill()
        keeper.wait()
    (name,) = set(re.findall(r"the run is (\d\S+)", done.out))
    try:
        assert "INTERNALERROR" not in done.out
        assert done.code == 1
        assert "the Docker Engine was lost while trying to " in done.out
        assert "labrig: could not remove everything" in done.out
        # The next session of this user finds what nobody could remove.
        assert {thing.ownership.run for thing in sweep.orphans(client)} >= {name}
    finally:
        sweep.remove_run(client, name)


def until(holds: object) -> None:
    end = time.monotonic() + REAPED_WITHIN
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.1)
