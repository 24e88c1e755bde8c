"""What an outcome hangs on that no input shows is told; what only looks like it is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from labrig.ansible import events
from labrig.ansible.events import Ended
from labrig.ansible.reads import Reads
from labrig.prove import outside

RUN = Path("/tmp/labrig-run")


def task(action: str, *, reached: tuple[str, ...] = (), result: str = "changed") -> Ended:
    found = {
        "event": "end",
        "host": "web",
        "task": "Do it",
        "action": action,
        "role": "web",
        "path": "tasks/main.yml:3",
        "result": result,
        "ignored": False,
        "seconds": 1.0,
        "message": "",
        "items": [],
        "paths": [],
        "names": [],
        "began": 1.0,
        "guards": [],
        "reached": list(reached),
    }
    (event,) = events.parse([json.dumps(found)])
    assert isinstance(event, Ended)
    return event


@pytest.mark.parametrize(
    "text",
    [
        "- debug: msg={{ now() }}",
        "built: {{ ansible_date_time.iso8601 }}",
        "built: {{ ansible_facts['date_time'].date }}",
        "stamp: {{ '%Y' | strftime }}",
        "- ansible.builtin.shell: date > /etc/built",
        "- command: date +%s",
        "  cmd: /bin/date +%s",
        "#!/bin/sh\ndate\n",
        "- shell: echo $(date) > /x",
        "- shell: echo `date -u` > /x",
        "- shell: mkdir x && date >> y",
        "port: {{ 100 | random }}",
        "word: {{ lookup('community.general.random_string') }}",
        "word: {{ lookup(\"ansible.builtin.password\", '/dev/null') }}",
        "- shell: openssl rand -hex 8",
        "- shell: head -c 8 /dev/urandom",
        "$ANSIBLE_VAULT;1.1;AES256\n6162",
        "password: !vault |\n  $ANSIBLE_VAULT;1.1;AES256",
    ],
)
def test_clocks_chance_and_secrets_are_found(text: str) -> None:
    assert list(outside.of_text("tasks/main.yml", text))


@pytest.mark.parametrize(
    "text",
    [
        "- name: Bring everything up to date",
        "# keeps the date of the file",
        "- apt: update_cache=true  # up to date",
        "update: latest\ndate_format: iso",
        "port: {{ 100 | random(seed=inventory_hostname) }}",
        "random_page_cost: 4",
        "known: unknown (it is now known)",
        "mandate: yes",
    ],
)
def test_words_that_look_like_them_are_not(text: str) -> None:
    assert list(outside.of_text("tasks/main.yml", text)) == []


def test_the_line_is_told() -> None:
    assert list(outside.of_text("tasks/main.yml", "- a\n- b\n- shell: date > /x\n")) == [
        "tasks/main.yml:3 reads the clock: shell: date >"
    ]


def test_plugins_are_read_as_python() -> None:
    assert list(outside.of_text("filter_plugins/x.py", "import datetime\nx = datetime.datetime.now()\n"))
    assert list(outside.of_text("filter_plugins/x.py", "def date(x):\n    return x\n")) == []


@pytest.mark.parametrize(
    "one",
    [
        task("ansible.builtin.pip"),
        task("git"),
        task("get_url", reached=("https://example.com",)),
        task("ansible.builtin.command", reached=("https://example.com",)),
        task("ansible.builtin.apt_key", reached=("https://example.com",)),
        task("ansible.builtin.apt", reached=("https://example.com",)),
    ],
)
def test_tasks_that_go_elsewhere_are_told(one: Ended) -> None:
    (reason,) = outside.of_tasks([one])
    assert reason.startswith("task 'Do it' (tasks/main.yml:3) ")


@pytest.mark.parametrize(
    "one",
    [
        task("ansible.builtin.apt"),
        task("apt_repository", reached=("http://archive.example.com",)),
        task(
            "uri", reached=("http://localhost", "http://127.0.0.1", "http://[::1]", "http://web", "http://172.17.0.2")
        ),
        task("get_url", reached=("https://example.com",), result="skipped"),
    ],
)
def test_archives_the_machine_itself_and_what_is_skipped_are_not(one: Ended) -> None:
    assert list(outside.of_tasks([one], {"web", "172.17.0.2"})) == []


def test_programs_connections_and_files_of_this_machine_are_told() -> None:
    reads = Reads(
        programs=frozenset({"/bin/sh -c date", "/sbin/ldconfig -p", "docker exec mine"}),
        addresses=frozenset({"10.0.0.1", "172.17.0.2", f"{RUN}/sessions.sock"}),
        wrote=frozenset({"/home/me/facts.json", f"{RUN}/x", "/dev/null", "/home/me/.ansible/tmp/x"}),
    )
    found = outside.of_reads(reads, ours=lambda words: words.startswith("docker"), own=RUN, known={"172.17.0.2"})
    assert list(found) == [
        "a program on this machine is started: /bin/sh -c date",
        "10.0.0.1 is connected to from this machine",
        "/home/me/facts.json is written on this machine",
    ]
