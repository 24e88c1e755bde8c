"""Testinfra through sessions: every answer is the one that Docker's plain backend gives."""

from __future__ import annotations

import concurrent.futures
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
import yaml
from testinfra.host import Host

import testinfra
from labrig.engine.ownership import labels
from labrig.session import testinfra as sessions

IMAGE = "labrig/debian-12:latest"
ROOT = Path(__file__).parents[2]
# Where root may do nothing that it could not do without: sudo, as far as Testinfra asks for it.
SUDO = """#!/bin/sh
[ "$1" = -u ] && { shift; user=$1; shift; exec setpriv --reuid="$user" --regid="$user" --init-groups "$@"; }
exec "$@"
"""


@pytest.fixture(scope="module")
def client() -> Iterator[docker.DockerClient]:
    made = docker.from_env()
    yield made
    made.close()


def start(client: docker.DockerClient) -> str:
    own = labels(kind="machine", project="test")
    # No locale: an interpreter makes one of its own then, which is not to reach the commands.
    made = client.containers.run(IMAGE, ["sleep", "1200"], detach=True, init=True, labels=own, environment={"LANG": ""})
    return str(made.name)


@pytest.fixture(scope="module")
def container(client: docker.DockerClient) -> Iterator[str]:
    name = start(client)
    made = client.containers.get(name)
    made.exec_run(["sh", "-c", 'printf "%s" "$1" > /usr/local/bin/sudo; chmod +x /usr/local/bin/sudo', "sh", SUDO])
    yield name
    made.remove(force=True, v=True)


@pytest.fixture(autouse=True)
def _known() -> Iterator[None]:
    sessions.register()
    yield
    sessions.close()


@pytest.fixture
def fast(container: str) -> Host:
    return testinfra.get_host(f"labrig://{container}")


def agents(container: str) -> int:
    said = subprocess.run(
        ["docker", "exec", container, "sh", "-c", "cat /proc/[0-9]*/comm"], check=False, capture_output=True, text=True
    )
    return said.stdout.split().count("labrig-agent")


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("true", ()),
        ("exit 7", ()),
        ("kill -TERM $$", ()),
        ("kill -KILL $$", ()),
        ("echo out; echo err >&2; exit 300", ()),
        ("printf '\\000\\377\\n\\r\\t no line'", ()),
        ("head -c 3000000 /dev/zero | tr '\\0' x; head -c 200000 /dev/zero >&2", ()),
        ("printf %s; echo $#", ("a'b\"c $HOME `id`\n*",)),
        ("echo %s | od -c", ("ä€😀",)),
        ("unheard-of-command --x", ()),
        ("/etc/passwd", ()),
        ("exec 3</nowhere", ()),
        ("if", ()),
        ("cat; readlink /proc/self/fd/0; [ -t 0 ] || echo no terminal", ()),
        ("ls /proc/self/fd; cat /proc/self/comm /proc/self/oom_score_adj; ulimit -a", ()),
        # The lower ones, as the C library ignores two that it keeps to itself in whatever it spawns.
        (r"sed -n -E 's/^(Sig(Blk|Ign|Cgt)):.*(.{7})$/\1 \3/p' /proc/self/status; yes | head -n 1", ()),
        ("python3 -c 'import sys, locale; print(sys.stdin.read(), locale.getpreferredencoding(), sys.argv)'", ()),
        ("python3", ()),
        ("echo stays >/dev/null & echo said", ()),
        ("find / -name passwd -path '/etc/*' 2>/dev/null; stat -c %a /etc/shadow", ()),
    ],
)
def test_a_command_says_what_it_says_through_docker(
    container: str, fast: Host, command: str, arguments: tuple[str, ...]
) -> None:
    assert_same(testinfra.get_host(f"docker://{container}"), fast, command, *arguments)


@pytest.mark.parametrize("spec", ["{}", "www-data@{}", "{}?sudo=true", "{}?sudo=true&sudo_user=www-data"])
def test_a_command_runs_as_the_same_user_in_the_same_surroundings(container: str, spec: str) -> None:
    plain, fast = (testinfra.get_host(f"{scheme}://{spec.format(container)}") for scheme in ("docker", "labrig"))

    assert_same(plain, fast, "env | sort; pwd; umask; id; cat /etc/shadow; exit 5")


def assert_same(plain: Host, fast: Host, command: str, *arguments: str) -> None:
    expected = plain.run(command, *arguments)
    for _ in range(2):
        said = fast.run(command, *arguments)
        assert (said.rc, said.stdout_bytes, said.stderr_bytes, said.command) == (
            expected.rc,
            expected.stdout_bytes,
            expected.stderr_bytes,
            expected.command,
        )


def test_what_no_command_can_hold_is_refused_in_the_same_words(container: str, fast: Host) -> None:
    with pytest.raises(ValueError, match="null byte"):
        testinfra.get_host(f"docker://{container}").run("echo \0")
    with pytest.raises(ValueError, match="null byte"):
        fast.run("echo \0")


def test_one_process_stays_for_all_commands_and_goes_when_asked(container: str, fast: Host) -> None:
    for _ in range(20):
        fast.run("true")
    assert agents(container) == 1

    sessions.close()
    assert agents(container) == 0
    assert fast.run("echo again").stdout == "again\n"


def test_commands_of_several_threads_run_side_by_side(fast: Host) -> None:
    assert fast.run("rm -f /tmp/pipe && mkfifo /tmp/pipe").succeeded
    # Each of the two waits for the other.
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        reader = pool.submit(fast.run, "timeout 20 cat /tmp/pipe")
        writer = pool.submit(fast.run, "timeout 20 sh -c 'echo through > /tmp/pipe'")

        assert (reader.result().stdout, writer.result().rc) == ("through\n", 0)


def test_a_forked_process_has_sessions_of_its_own(fast: Host) -> None:
    assert fast.run("echo parent").stdout == "parent\n"
    child = os.fork()
    if not child:
        os._exit(0 if fast.run("echo child").stdout == "child\n" else 1)

    assert fast.run("echo parent").stdout == "parent\n"
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_command_that_is_not_waited_for_any_more_ends(fast: Host) -> None:
    def give_up(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, 1)
    try:
        with pytest.raises(TimeoutError):
            fast.run("sleep 987")
    finally:
        signal.signal(signal.SIGALRM, before)

    assert fast.run("ps -eo args | grep -c '^sleep 98[7]'").stdout == "0\n"


def test_ending_interpreters_by_name_does_not_end_the_session(fast: Host) -> None:
    assert fast.run("pgrep -x python3").stdout == ""
    assert fast.run("pkill -x python3; echo done").stdout == "done\n"


def test_a_session_that_was_ended_says_so_and_the_next_command_has_a_new_one(fast: Host) -> None:
    with pytest.raises(sessions.SessionEnded, match=r"kill -9 \$PPID"):
        fast.run("kill -9 $PPID; sleep 5")

    assert fast.run("echo again").stdout == "again\n"


def test_a_session_that_ended_between_two_commands_is_not_noticed(container: str, fast: Host) -> None:
    fast.run("true")
    subprocess.run(["docker", "exec", container, "pkill", "-9", "labrig-agent"], check=True)
    for _ in range(100):
        if not agents(container):
            break
        time.sleep(0.1)

    assert fast.run("echo again").stdout == "again\n"


def test_a_container_that_stops_is_told_as_through_docker(client: docker.DockerClient) -> None:
    name = start(client)
    machine = client.containers.get(name)
    try:
        codes = []
        for scheme in ("docker", "labrig"):
            host = testinfra.get_host(f"{scheme}://{name}")
            threading.Timer(1.0, machine.kill).start()
            codes.append(host.run("echo begun; sleep 30").rc)
            after = host.run("true")
            assert (after.rc, b"is not running" in after.stderr_bytes) == (1, True)
            machine.start()
            assert host.run("echo up").stdout == "up\n"
        assert codes[0] == codes[1]
    finally:
        machine.remove(force=True, v=True)
    assert b"No such container" in testinfra.get_host(f"labrig://{name}").run("true").stderr_bytes


def test_without_python_commands_run_through_docker(client: docker.DockerClient) -> None:
    name = start(client)
    machine = client.containers.get(name)
    try:
        machine.exec_run("sh -c 'mkdir /aside; mv /usr/bin/python3* /aside'")
        said = testinfra.get_host(f"labrig://{name}").run("echo out; echo err >&2; exit 3")
        assert (said.rc, said.stdout, said.stderr) == (3, "out\n", "err\n")
    finally:
        machine.remove(force=True, v=True)


TESTS = """
import os
import testinfra
from testinfra.utils.ansible_runner import AnsibleRunner

testinfra_hosts = AnsibleRunner(os.environ["MOLECULE_INVENTORY_FILE"]).get_hosts("web")

def test_backend(host):
    assert host.backend.get_connection_type() == "ansible"
    assert host.backend.get_hostname() == "one"

def test_inventory(host):
    variables = host.ansible.get_variables()
    assert variables["group_names"] == ["all", "web"]
    assert (variables["color"], variables["inventory_hostname"]) == ("green", "one")

def test_user_and_become(host):
    assert host.check_output("id -un") == "www-data"

def test_other_host(host):
    other = host.get_host("ansible://two", ansible_inventory=os.environ["MOLECULE_INVENTORY_FILE"])
    assert other.check_output("id -un") == "root"
    assert other.ansible("command", "id -un", check=False)["stdout"] == "root"

def test_agent(host):
    found = host.check_output("cat /proc/[0-9]*/comm").split()
    assert ("labrig-agent" in found) == (os.environ["THROUGH"] == "session")
"""


@pytest.mark.parametrize(
    ("through", "more"),
    [("exec", []), ("session", []), ("session", ["-n", "2"])],
    ids=["exec", "session", "xdist"],
)
def test_an_inventory_of_molecule_means_what_it_meant(
    container: str, tmp_path: Path, through: str, more: list[str]
) -> None:
    host = {"ansible_host": container, "ansible_connection": "community.docker.docker"}
    become = {"ansible_become": True, "ansible_become_user": "www-data", "color": "green"}
    groups = {"all": {"hosts": {"one": {**host, **become}, "two": host}}, "web": {"hosts": {"one": {}}}}
    (tmp_path / "inventory.yml").write_text(yaml.safe_dump(groups))
    (tmp_path / "test_it.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--docker-through={through}", *more]
    command += ["--connection=ansible", "--ansible-inventory=inventory.yml", "test_it.py"]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    inventory = str(tmp_path / "inventory.yml")
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PATH": path, "THROUGH": through, "MOLECULE_INVENTORY_FILE": inventory},
        check=False,
        capture_output=True,
        text=True,
    )

    assert "5 passed" in done.stdout, done.stdout + done.stderr
    assert agents(container) == 0
