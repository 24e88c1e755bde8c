"""The collection's modules and pytest's fixtures, on real machines."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from trials.lab import Lab

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


def docker(*words, check=True):
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, f"docker {' '.join(words)}: {done.stderr[-2000:]}"
    return done.stdout.strip()


@pytest.fixture(scope="module")
def pair():
    with Lab() as lab:
        yield [lab.start().container for _ in range(2)]


@pytest.fixture
def play(pair, tmp_path):
    """Return a function that runs a playbook on both machines, ``web1`` and ``web2``."""
    lines = [f"web{place} ansible_host={name}" for place, name in enumerate(pair, start=1)]
    (tmp_path / "hosts").write_text("\n".join([*lines, "[all:vars]", "ansible_connection=community.docker.docker\n"]))

    def run(*plays, words=(), env=None):
        (tmp_path / "play.yml").write_text(json.dumps(plays))
        return subprocess.run(
            [BIN / "ansible-playbook", "-i", "hosts", "play.yml", *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            env={
                **os.environ,
                "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
                "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
                **(env or {}),
            },
        )

    return run


@pytest.fixture
def different(pair):
    docker("exec", pair[1], "sh", "-c", "chmod 0600 /etc/motd; touch /etc/extra")
    yield
    docker("exec", pair[1], "sh", "-c", "chmod 0644 /etc/motd; rm /etc/extra")


def a_play(*tasks, hosts="all", **more):
    return {"hosts": hosts, "gather_facts": False, "tasks": list(tasks), **more}


WHOLE = {"labrig.core.machine_state": {}}
CAPTURE = {"labrig.core.machine_state": {"only": ["/etc"]}}
COMPARE = {"labrig.core.machine_state_compare": {"left": "web1", "right": "web2"}, "run_once": True}
MODE = "file /etc/motd: mode is 0644 on web1 and 0600 on web2"


@pytest.mark.parametrize(("pipelining", "capture"), [("0", WHOLE), ("1", CAPTURE)], ids=["no pipelining", "pipelining"])
def test_a_play_asserts_that_two_hosts_are_alike(play, pair, tmp_path, pipelining, capture):
    done = play(a_play(capture, COMPARE), env={"ANSIBLE_PIPELINING": pipelining})
    assert done.returncode == 0, done.stdout
    assert "changed=0" in done.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"hosts", "play.yml"}


def test_a_play_fails_with_the_sentence_where_they_differ(play, different):
    # In check mode, as one looks at servers before a change.
    done = play(a_play(CAPTURE, COMPARE), words=["--check"])
    assert done.returncode == 2
    assert "different: web1 and web2: 2 differences of" in done.stdout
    assert MODE in done.stdout
    assert "file /etc/extra exists only on web2" in done.stdout


def test_what_is_allowed_does_not_fail_a_play(play, different):
    compare = {
        "left": "web1",
        "right": "web2",
        "allowed": [
            {"dimension": "file", "key": key, "reason": "for this test"} for key in ("/etc/motd", "/etc/extra", "/none")
        ],
    }
    shown = {"ansible.builtin.debug": {"msg": "unused: {{ found.unused }}"}, "run_once": True}
    done = play(
        a_play(CAPTURE, {"labrig.core.machine_state_compare": compare, "run_once": True, "register": "found"}, shown)
    )
    assert done.returncode == 0, done.stdout
    assert "file /none" in done.stdout.partition("unused: ")[2]


def test_a_host_is_compared_with_its_own_past(play, pair, tmp_path):
    """The state is kept in a file, and a later run says what has become different."""
    keep = {"labrig.core.machine_state": {"dest": "states/{{ inventory_hostname }}.jsonl.gz", "only": ["/etc"]}}
    (tmp_path / "states").mkdir()
    assert play(a_play(keep, hosts="web1")).returncode == 0
    packed = (tmp_path / "states/web1.jsonl.gz").read_bytes()
    docker("exec", pair[0], "touch", "/etc/later")
    drift = {"left": "states/web1.jsonl.gz", "right": "web1", "fail_on_difference": False}
    asserted = {
        "ansible.builtin.assert": {
            "that": ["not drift.same", f"drift.sentences == {['file /etc/later is new after']!r}"]
        }
    }
    try:
        done = play(
            a_play(keep, {"labrig.core.machine_state_compare": drift, "register": "drift"}, asserted, hosts="web1"),
            words=["--check"],
        )
    finally:
        docker("exec", pair[0], "rm", "/etc/later")
    assert done.returncode == 0, done.stdout
    assert (tmp_path / "states/web1.jsonl.gz").read_bytes() == packed, "check mode leaves the file as it is"


def test_this_machine_is_read_over_the_local_connection(play):
    capture = {"labrig.core.machine_state": {"only": ["/etc"], "dimensions": ["file", "user"], "return_state": True}}
    asserted = {
        "ansible.builtin.assert": {
            "that": [
                "here.state | selectattr('key', 'equalto', '/etc/passwd') | list | length == 1",
                "here.entries == here.state | length",
                "again.sha256 == here.sha256",
            ]
        }
    }
    done = play(
        a_play(
            {**capture, "register": "here"},
            {**capture, "register": "again"},
            asserted,
            {"labrig.core.machine_state_compare": {"left": "{{ here.path }}", "right": "localhost"}},
            hosts="localhost",
            connection="local",
        )
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ({"labrig.core.machine_state": {"dimensions": ["no"]}}, "there is no no; there are package"),
        ({"labrig.core.machine_state": {"only": ["etc"]}}, "expected absolute paths, found etc"),
        ({"labrig.core.machine_state": {"dest": "no/folder"}}, "is not a folder"),
        (COMPARE, "web1 is neither a file nor a host whose state was captured in this run"),
    ],
)
def test_a_wrong_call_says_what_is_wrong(play, task, said):
    done = play(a_play(task, hosts="web1"))
    assert done.returncode == 2
    assert said in " ".join((done.stdout + done.stderr).split())


def test_a_controller_without_labrig_says_what_to_install(play, tmp_path):
    (tmp_path / "labrig").mkdir()
    (tmp_path / "labrig/__init__.py").write_text("raise ImportError('there is none')")
    for task in (CAPTURE, COMPARE):
        done = play(a_play(task, hosts="web1"), env={"PYTHONPATH": str(tmp_path)})
        assert done.returncode == 2
        assert "Install it beside ansible-core: pip install labrig" in " ".join((done.stdout + done.stderr).split())


TESTS = """
import pytest

def test_alike(machine_state, same_state):
    same_state(*(machine_state(f"container:{{name}}", only=["/etc"]) for name in ("{0}", "{1}")))

def test_through_testinfra(host, machine_state, same_state):
    before = machine_state(host, only=["/etc"], dimensions=["file"])
    host.check_output("touch /etc/passing; rm /etc/passing")
    same_state(before, machine_state(host, only=["/etc"], dimensions=["file"]))

def test_a_difference(host, machine_state, same_state):
    before = machine_state(host, only=["/etc"])
    host.check_output("chmod 0600 /etc/motd")
    try:
        same_state(before, machine_state(host, only=["/etc"]))
    finally:
        host.check_output("chmod 0644 /etc/motd")
"""


def test_fixtures_for_tests_of_others(pair, tmp_path):
    (tmp_path / "test_web.py").write_text(TESTS.format(*pair))
    done = subprocess.run(
        # By its module's name: whatever is installed, this is the one that is tested.
        [BIN / "pytest", "-p", "no:labrig", "-p", "labrig.pytest_plugin", f"--hosts=docker://{pair[0]}", "test_web.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed, 2 passed" in done.stdout
    assert "different: before and after: 1 difference of " in done.stdout
    assert "  file /etc/motd: mode was 0644 before and is 0600 after" in done.stdout
    assert "def check(" not in done.stdout, "what failed is said without labrig's own code"
