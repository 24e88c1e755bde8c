"""A playbook tells that a task has ended, and waits until the machine has been looked at."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from labrig.prove.attribution import Entries, Look
from labrig.prove.watching import SOCKET, Watcher

TASK = {"host": "web", "task": "Write it", "delegated": None}


def tell(path: str, *messages: dict[str, Any]) -> list[bytes]:
    """Say what a callback would, and return the answers."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(path)
        answers = []
        for message in messages:
            connection.sendall(json.dumps(message).encode() + b"\n")
            if "end" not in message:
                answers.append(connection.recv(1))
        return answers


def test_the_machine_of_a_task_is_looked_at_before_it_is_answered(tmp_path: Path) -> None:
    seen: list[str] = []

    def see(machine: str) -> Entries:
        seen.append(machine)
        return {("file", "/x"): {"size": len(seen)}}

    with Watcher(tmp_path / "s", ("web", "db"), see) as watcher:
        path = watcher.environment[SOCKET]
        assert tell(path, TASK, {**TASK, "delegated": "db"}, {"end": True}) == [b"\n", b"\n"]
        assert watcher.heard_all()
        assert seen == ["web", "web", "db"]
        assert [(look.machine, look.entries) for look in watcher.looks()] == [
            ("web", {("file", "/x"): {"size": 1}}),
            ("web", {("file", "/x"): {"size": 2}}),
            ("db", {("file", "/x"): {"size": 3}}),
        ]
        # A second playbook of the same deployment connects anew.
        assert tell(path, TASK) == [b"\n"]


def test_a_look_that_fails_keeps_no_playbook_waiting(tmp_path: Path) -> None:
    def see(machine: str) -> Entries:
        raise OSError("gone")

    with Watcher(tmp_path / "s", ("web",), see) as watcher:
        assert tell(watcher.environment[SOCKET], TASK) == [b"\n"]
        assert watcher.looks() == (Look("web", TASK, None),)
