"""Sessions in a machine: commands do there what they do as processes of the engine's own."""

from __future__ import annotations

import concurrent.futures
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import docker
import pytest
import yaml

from labrig.engine.ownership import labels
from labrig.session.agent import END_OF_INPUT, ERRORS, EXIT, INPUT, OPEN, OUTPUT
from labrig.session.broker import FAILED, Broker, receive, send

IMAGE = "labrig/debian-12:latest"
ROOT = Path(__file__).parents[2]
PYTHON = ["/bin/sh", "-c", "/usr/bin/python3 && sleep 0"]


class Said(NamedTuple):
    code: int | None
    out: bytes
    errors: bytes
    failed: str = ""


class Place(NamedTuple):
    container: str
    socket: Path

    def run(self, *arguments: str, stdin: bytes = b"", user: str = "") -> Said:
        with socket.socket(socket.AF_UNIX) as end:
            end.connect(str(self.socket))
            asked = {"container": self.container, "user": user, "arguments": arguments, "input": bool(stdin)}
            send(end, OPEN, 0, json.dumps(asked).encode())
            if stdin:
                send(end, INPUT, 0, stdin)
            send(end, END_OF_INPUT, 0, b"")
            told = {OUTPUT: b"", ERRORS: b""}
            while True:
                kind, payload = receive(end)
                if kind == EXIT:
                    return Said(int(payload), told[OUTPUT], told[ERRORS])
                if kind == FAILED:
                    return Said(None, told[OUTPUT], told[ERRORS], payload.decode())
                told[kind] += payload

    def shell(self, script: str, **options: object) -> Said:
        return self.run("/bin/sh", "-c", script, **options)  # type: ignore[arg-type]

    def python(self, source: str) -> Said:
        return self.run(*PYTHON, stdin=source.encode())

    def plainly(self, source: str) -> Said:
        """The same through the engine, without a session."""
        command = ["docker", "exec", "-i", self.container, *PYTHON]
        done = subprocess.run(command, input=source.encode(), check=False, capture_output=True)
        return Said(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def client() -> Iterator[docker.DockerClient]:
    made = docker.from_env()
    yield made
    made.close()


@pytest.fixture(scope="module")
def container(client: docker.DockerClient) -> Iterator[str]:
    own = labels(kind="machine", project="test")
    made = client.containers.run(IMAGE, ["sleep", "1200"], detach=True, init=True, labels=own)
    yield made.name
    made.remove(force=True, v=True)


@pytest.fixture
def place(client: docker.DockerClient, container: str, tmp_path: Path) -> Iterator[Place]:
    path = tmp_path / "s"
    with Broker(client, path):
        yield Place(container, path)


def test_a_command_gives_output_errors_and_exit_code(place: Place) -> None:
    assert place.shell(r"printf 'a\000\377'; echo no >&2; exit 7") == (7, b"a\x00\xff", b"no\n", "")


def test_a_command_killed_by_a_signal_ends_as_in_a_shell(place: Place) -> None:
    assert place.shell("kill -TERM $$").code == 143


def test_whoever_writes_to_nobody_ends(place: Place) -> None:
    assert place.shell("yes | head -n 1") == (0, b"y\n", b"", "")


def test_what_is_not_there_is_told(place: Place) -> None:
    code, _, errors, _ = place.run("/usr/bin/unheard-of")

    assert code == 127
    assert b"No such file" in errors


def test_megabytes_pass_both_ways_at_once(place: Place) -> None:
    content = os.urandom(6 << 20)

    assert place.run("cat", stdin=content) == (0, content, b"", "")


def test_how_long_a_command_ran_in_the_machine_is_kept(
    client: docker.DockerClient, container: str, tmp_path: Path
) -> None:
    with Broker(client, tmp_path / "s") as broker:
        before = time.time()
        Place(container, tmp_path / "s").shell("sleep 1")
        (served,) = broker.served

    assert served.container == container
    assert before - 0.1 < served.began < served.ended - 1
    assert served.ended < time.time() + 0.1


def test_commands_run_side_by_side(place: Place) -> None:
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        said = list(pool.map(lambda number: place.shell(f"sleep 1; echo {number}").out, range(12)))

    assert said == [b"%d\n" % number for number in range(12)]
    assert time.monotonic() - began < 9


def test_what_stays_in_the_background_is_not_waited_for(place: Place) -> None:
    began = time.monotonic()

    assert place.shell("sleep 60 & echo started").out == b"started\n"
    assert time.monotonic() - began < 20


def test_a_user_is_that_user_with_its_groups(place: Place) -> None:
    assert place.shell("id -un; id -Gn; echo $HOME", user="www-data").out == b"www-data\nwww-data\n/var/www\n"


def test_nothing_of_a_session_outlives_it(client: docker.DockerClient, container: str, tmp_path: Path) -> None:
    with Broker(client, tmp_path / "s"):
        place = Place(container, tmp_path / "s")
        place.shell("true")
        assert b"labrig-agent" in place.shell("cat /proc/[0-9]*/comm").out

    for _ in range(100):
        if b"labrig-agent" not in client.containers.get(container).exec_run("sh -c 'cat /proc/[0-9]*/comm'").output:
            return
        time.sleep(0.1)
    pytest.fail("the agent still runs")


def test_a_session_that_was_killed_fails_what_runs_and_begins_anew(place: Place) -> None:
    said = place.shell("kill -9 $PPID; sleep 5")

    assert said.code is None
    assert said.failed
    assert place.shell("echo again").out == b"again\n"


def test_without_python_commands_still_run(client: docker.DockerClient, tmp_path: Path) -> None:
    own = labels(kind="machine", project="test")
    bare = client.containers.run(IMAGE, ["sleep", "600"], detach=True, init=True, labels=own)
    try:
        bare.exec_run("sh -c 'mkdir /aside; mv /usr/bin/python3* /aside'")
        with Broker(client, tmp_path / "s"):
            place = Place(str(bare.name), tmp_path / "s")
            assert place.shell("cat; echo done; exit 3", stdin=b"x" * 300_000) == (
                3,
                b"x" * 300_000 + b"done\n",
                b"",
                "",
            )
            place.shell("mv /aside/* /usr/bin")
            assert place.python("print(1 + 1)").out == b"2\n"
    finally:
        bare.remove(force=True, v=True)


def test_a_container_that_is_gone_is_told(place: Place) -> None:
    said = Place("labrig-no-such-container", place.socket).shell("true")

    assert said.code is None
    assert "No such container" in said.failed


@pytest.mark.parametrize(
    "source",
    [
        "import sys; print(sys.argv, __name__, sys.stdin.read(), [p for p in sys.path if p])",
        "import sys; sys.exit(300)",
        "import sys; sys.exit('in words')",
        "import sys; sys.exit()",
        "import os; os._exit(9)",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "print('out'); import sys; print('err', file=sys.stderr); raise KeyError('here')",
        """import atexit, threading, time; atexit.register(print, 'at the end')
threading.Thread(target=lambda: (time.sleep(0.2), print('thread'))).start()""",
        "import os; print(sorted(os.environ.items()), os.getcwd(), os.getuid(), os.getgroups())",
        "import subprocess; print(subprocess.run('echo child; exit 4', shell=True).returncode)",
        "import signal as s; print([s.getsignal(n) for n in (s.SIGCHLD, s.SIGINT, s.SIGPIPE, s.SIGXFSZ, s.SIGTERM)])",
        "import os; print(sorted(map(int, os.listdir('/proc/self/fd')))[:3], os.getsid(0) == os.getpid() or 'sh')",
        "class A: pass\nimport pickle; print(pickle.loads(pickle.dumps(A())).__class__.__module__)",
        "this is no python",
    ],
)
def test_a_source_runs_as_in_an_interpreter_of_its_own(place: Place, source: str) -> None:
    expected = place.plainly(source)
    for _ in range(2):
        said = place.python(source)
        assert said.code == expected.code
        assert said.out.splitlines()[:1] == expected.out.splitlines()[:1] or "getsid" in source
        assert said.errors.splitlines()[-1:] == expected.errors.splitlines()[-1:]


def test_sources_do_not_see_each_other(place: Place) -> None:
    place.python("import os, json, sys; json.mark = os.environ['MARK'] = 'mine'; sys.path.append('/mine')")

    said = place.python("import os, json, sys; print(hasattr(json, 'mark'), 'MARK' in os.environ, '/mine' in sys.path)")
    assert said.out == b"False False False\n"


def test_variables_of_the_command_are_set(place: Place) -> None:
    command = ["/bin/sh", "-c", "/bin/sh -c 'A=\"b c\" /usr/bin/python3 && sleep 0'"]

    assert place.run(*command, stdin=b"import os; print(os.environ['A'])").out == b"b c\n"


def test_a_time_zone_and_libraries_that_came_meanwhile_are_seen(place: Place) -> None:
    assert place.python("import time; print(time.tzname)").out == b"('UTC', 'UTC')\n"
    place.shell("ln -sf /usr/share/zoneinfo/Asia/Tokyo /etc/localtime")
    folder = "/usr/local/lib/python3.11/dist-packages"
    place.shell(f"mkdir -p {folder} /elsewhere; echo /elsewhere > {folder}/new.pth; echo x=1 > /elsewhere/newly.py")
    try:
        source = "import time, newly; print(time.tzname, newly.x)"
        assert place.python(source) == place.plainly(source)
    finally:
        place.shell(f"rm -rf /etc/localtime {folder}/new.pth /elsewhere")


PLAYBOOK = """
- hosts: all
  gather_facts: true
  gather_subset: [min]
  tasks:
    - {ansible.builtin.copy: {content: "{{ 'ä' * 70000 }}", dest: /etc/made, mode: "0640"}, register: copied}
    - {ansible.builtin.copy: {src: binary, dest: /srv/binary, mode: "0755"}}
    - {ansible.builtin.fetch: {src: /srv/binary, dest: "{{ playbook_dir }}/fetched", flat: true}}
    - {ansible.builtin.command: sh -c 'echo $WORD; exit 3', environment: {WORD: a}, register: bad, ignore_errors: true}
    - {ansible.builtin.shell: {cmd: sleep 1; echo late}, async: 30, poll: 1, register: later}
    - {ansible.builtin.file: {path: "/srv/{{ item }}", state: directory, mode: "0755"}, loop: [a, b], register: looped}
    - {ansible.builtin.stat: {path: /etc/made}, register: found}
    - {ansible.builtin.raw: echo raw, register: raw}
    - {ansible.builtin.script: say.sh, register: script}
    - {ansible.builtin.meta: reset_connection}
    - {ansible.builtin.slurp: {src: /srv/nothing}, register: missing, ignore_errors: true}
    - ansible.builtin.command: id -un
      become: true
      become_user: www-data
      become_method: ansible.builtin.su
      become_flags: -s /bin/sh
      register: other
    - ansible.builtin.copy:
        content: "{{ [copied.checksum, bad.rc, bad.stdout, later.stdout, looped.results | map(attribute='path'),
          found.stat.checksum, found.stat.mode, raw.stdout, script.stdout, missing.msg, other.stdout,
          ansible_facts.distribution, ansible_facts.user_id] | to_json }}"
        dest: "{{ playbook_dir }}/told.json"
        mode: "0600"
      delegate_to: localhost
      connection: local
"""


def test_ansible_comes_to_the_same_as_through_the_engine(place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "play"
    folder.mkdir()
    (folder / "play.yml").write_text(PLAYBOOK)
    binary = os.urandom(3 << 20)
    (folder / "binary").write_bytes(binary)
    (folder / "say.sh").write_text("#!/bin/sh\necho from a script\n")
    told = []
    for connection in ("community.docker.docker_api", "labrig.core.session"):
        host = {"ansible_host": place.container, "ansible_connection": connection}
        (folder / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": {"machine": host}}}))
        done = subprocess.run(
            [sys.executable, "-m", "ansible", "playbook", "-i", "hosts.yml", "play.yml"],
            cwd=folder,
            env=os.environ
            | {
                "LABRIG_SESSIONS": str(place.socket),
                "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
                "ANSIBLE_PIPELINING": "1",
                "ANSIBLE_PYTHON_INTERPRETER": "auto_silent",
            },
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        told.append(json.loads((folder / "told.json").read_text()))
        assert (folder / "fetched").read_bytes() == binary
        place.shell("rm -rf /etc/made /srv/*")
    assert told[0] == told[1]
    assert told[1][3] == "late"
