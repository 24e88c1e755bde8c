from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from labrig.errors import EnvironmentFailed, UsageError
from labrig.experiments import state
from labrig.experiments.command import Command
from labrig.experiments.protocol import PROGRAMS, Done
from labrig.experiments.state import Bucket, Script, Tree, Value

MYSQL = '{"image": "mysql:5.7",\n\n "commands": []}'


def run(command: Command) -> Done:
    """Run a command here, as the lab host's program would there."""
    assert command.argv[0] in PROGRAMS
    done = subprocess.run(command.argv, input=command.stdin, capture_output=True, text=True, check=False)
    return Done(1, done.returncode, done.stdout, done.stderr)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in {
        "default": "top",
        "services/docker/mysql/default": f"{MYSQL}\n",
        "services/docker/mysql/shop": "own\n\n",
        "services/docker/redis/shop/default": "below",
        "empty/default": "",
    }.items():
        path = tmp_path / "state" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "state"


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("/services/docker/mysql/shop", Value("/services/docker/mysql/shop", "own\n")),
        ("/services/docker/mysql/other", Value("/services/docker/mysql/default", MYSQL)),
        ("/services/docker/redis/shop", Value("/services/docker/redis/shop/default", "below")),
        ("/services/docker/mysql/shop/under/a/file", Value("/services/docker/mysql/default", MYSQL)),
        ("/services/docker/none", Value("/default", "top")),
        ("/empty/x", Value("/default", "top")),
    ],
)
def test_a_folder_has_the_value_or_the_nearest_default_above(tree: Path, key: str, found: Value) -> None:
    assert Tree(run, str(tree)).find(key) == found
    assert Tree(run, f"{tree}/").find(key) == found


def test_what_a_folder_has_not_is_none(tree: Path) -> None:
    (tree / "default").unlink()
    assert Tree(run, str(tree)).find("/a/b") is None
    assert Tree(run, str(tree / "missing")).find("/a/b") is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not read a file")
def test_a_file_that_nobody_may_read_is_trouble_and_not_absent(tree: Path) -> None:
    (tree / "default").chmod(0)
    for path in (*tree.parents, tree):
        if path.stat().st_uid == 0 and not path.stat().st_mode & 0o005 and path != Path("/"):
            path.chmod(0o755)

    def as_nobody(command: Command) -> Done:
        return run(Command(("env", "setpriv", "--reuid=65534", "--clear-groups", *command.argv)))

    with pytest.raises(EnvironmentFailed, match=r"state cannot be read: grep: .*/default: Permission denied"):
        Tree(as_nobody, str(tree)).find("/a")


def script(tmp_path: Path, text: str) -> Script:
    path = tmp_path / "get state"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return Script(run, f"'{path}' --lab")


def test_a_script_is_given_the_key_and_what_it_prints_is_the_value(tmp_path: Path) -> None:
    found = script(tmp_path, 'printf "%s|" "$@"; echo').find("/a/$(touch x)/b c")
    assert found == Value("/a/$(touch x)/b c", "--lab|/a/$(touch x)/b c|")


def test_a_script_that_prints_nothing_or_fails_has_no_value(tmp_path: Path) -> None:
    assert script(tmp_path, "exit 0").find("/a") is None
    assert script(tmp_path, "echo half; exit 1").find("/a") is None


def test_a_script_that_is_not_there_is_trouble(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailed, match=r"script '/missing/get-state' cannot be run: .*No such file"):
        Script(run, "/missing/get-state").find("/a")


def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **files: Any) -> Any:
    for name, content in files.items():
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        monkeypatch.setattr(state, name, str(path))
    return state.of_host(run, "lab1")


def test_the_labs_own_file_names_the_state_before_labtests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = {"provider": "local", "service": "tree", "options": {"path": "/srv/state"}}
    monkeypatch.setattr(state, "LAB", str(tmp_path / "none"))
    monkeypatch.setattr(state, "LABTEST", str(tmp_path / "none-either"))
    assert state.of_host(run, "lab1") is None
    labtest = {
        "provider": "aws",
        "service": "s3",
        "options": {"bucket": "labtest", "cache": True, "cache_path": "/testing/state/"},
    }
    assert hosts(tmp_path, monkeypatch, LABTEST=labtest) == Bucket("labtest")
    assert hosts(tmp_path, monkeypatch, LAB={"domain": "lab.example"}) == Bucket("labtest")
    assert hosts(tmp_path, monkeypatch, LAB={"domain": "lab.example", "state": own}) == Tree(run, "/srv/state")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "not JSON"),
        ([], "expected an object, found list"),
        (
            {"provider": "gcp", "service": "gcs"},
            "there is no state gcp/gcs: there are local/tree, local/script, aws/s3",
        ),
        ({"provider": "local", "service": "script"}, "local/script needs option command"),
        (
            {"provider": "aws", "service": "s3", "options": {"bucket": "a", "regoin": "x"}},
            "regoin: unknown option: did you mean region?",
        ),
        ({"provider": "aws", "service": "s3", "options": {"bucket": ["a"]}}, "bucket: expected a text"),
        (
            {"provider": "local", "service": "tree", "options": {"path": "state"}},
            "path: expected one that begins with /",
        ),
    ],
)
def test_a_wrong_configuration_is_told_with_its_file_and_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: Any, said: str
) -> None:
    monkeypatch.setattr(state, "LAB", str(tmp_path / "none"))
    with pytest.raises(UsageError, match=f"LABTEST on lab1: {said}".replace("?", r"\?")):
        hosts(tmp_path, monkeypatch, LABTEST=content)
