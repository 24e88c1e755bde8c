"""What acceptance tests share: the command as a user runs it, and small projects as users have them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest

from labrig.engine import ownership, sweep
from labrig.engine.client import connect
from trials import lab_image

ROOT = Path(__file__).parents[2]
IMAGE = "labrig/debian-12:latest"
REAPED_WITHIN = 30.0
IDENTITY = {
    "GIT_AUTHOR_NAME": "tester",
    "GIT_AUTHOR_EMAIL": "tester@localhost",
    "GIT_COMMITTER_NAME": "tester",
    "GIT_COMMITTER_EMAIL": "tester@localhost",
}

CONVERGE = "- {name: Converge, hosts: all, gather_facts: false, roles: [motd]}\n"
TASKS = """
- name: Write the message
  ansible.builtin.copy: {dest: /etc/motd, content: "welcome\\n", mode: "0644"}
"""
TEST = """
def test_message(host):
    assert host.file("/etc/motd").content_string.startswith("welcome")
"""


@dataclass(frozen=True)
class Done:
    """What a command came to."""

    code: int
    out: str
    err: str
    verdict: dict[str, Any] | None = None

    @property
    def failing(self) -> set[tuple[str, str | None]]:
        """The checks that failed."""
        assert self.verdict is not None, f"no verdict was written:\n{self.err}"
        return {(check["name"], check["path"]) for check in self.verdict["checks"] if check["result"] == "fail"}

    def result(self, name: str, path: str | None) -> str:
        """The result of one check."""
        assert self.verdict is not None, f"no verdict was written:\n{self.err}"
        return next(
            str(check["result"]) for check in self.verdict["checks"] if (check["name"], check["path"]) == (name, path)
        )


def environment(**over: str) -> dict[str, str]:
    """Return a user's environment: nothing of the test run's own reaches the command."""
    clean = {
        key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "TOX", "ANSIBLE", "MOLECULE"))
    }
    return {**clean, **IDENTITY, "COLUMNS": "200", **over}


@pytest.fixture
def labrig(tmp_path: Path) -> Callable[..., Done]:
    """Return a function that runs ``labrig`` with the given words; ``prove`` brings its JSON verdict."""

    def run(*words: str, cwd: Path = tmp_path, env: dict[str, str] | None = None, seconds: int = 900) -> Done:
        written = tmp_path / "verdict.json"
        written.unlink(missing_ok=True)
        more = ["--json", str(written)] if words[0] == "prove" else []
        done = subprocess.run(
            [sys.executable, "-m", "labrig", *words, *more],
            cwd=cwd,
            env=env or environment(),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert "Traceback (most recent call last)" not in done.stderr.replace("      Traceback", ""), done.stderr
        return Done(
            done.returncode, done.stdout, done.stderr, json.loads(written.read_text()) if written.exists() else None
        )

    return run


class Project:
    """A small role in a git repository of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, **files: str) -> Project:
        """Write files; ``__`` in a name is a folder's end, and ``_yml`` or ``_py`` the ending."""
        for name, content in files.items():
            path = self.folder / re.sub(r"_(yml|py)$", r".\1", name.replace("__", "/"))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return self

    def git(self, *words: str) -> str:
        """Run git there."""
        env = environment()
        return subprocess.run(
            ["git", *words], cwd=self.folder, env=env, check=True, capture_output=True, text=True
        ).stdout

    def commit(self, **files: str) -> Project:
        """Write files and commit everything."""
        self.write(**files)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "a change")
        return self


def molecule(*platforms: dict[str, Any], **more: Any) -> str:
    """Return a molecule.yml; without platforms one machine called ``web``."""
    return json.dumps(
        {
            "driver": {"name": "docker"},
            "platforms": platforms or [{"name": "web", "image": IMAGE}],
            "provisioner": {"name": "ansible"},
            "verifier": {"name": "testinfra"},
            **more,
        }
    )


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a role that is released in its first commit."""
    folder = tmp_path / "motd"
    folder.mkdir()
    made = Project(folder)
    made.git("init", "--quiet", "--initial-branch=main")
    return made.commit(
        tasks__main_yml=TASKS,
        molecule__default__molecule_yml=molecule(),
        molecule__default__converge_yml=CONVERGE,
    )


def pytest_configure() -> None:
    """Let what tests start be interrupted: workers of pytest-xdist ignore that, and processes inherit it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def own_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Begin with an empty store: what an earlier run of the tests has proven is proven again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABRIG_CACHE", str(tmp_path_factory.mktemp("store")))
        yield


def left_behind(client: docker.DockerClient) -> set[str]:
    """Return what is on the engine of runs that are over; others may be going on meanwhile."""
    found = (thing for thing in sweep.find(client) if thing.ownership.run)
    over = {thing.name for thing in found if not ownership.is_alive(thing.ownership.run)}
    # Images that lab hosts start from are kept, also when the run that made one ends in the middle of another's test.
    return {name for name in over if not name.startswith(f"{lab_image.REPOSITORY}:")}


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """Fail a test after which anything of a run is still there."""
    client = connect()
    before = left_behind(client)
    yield
    # What a killed run has left, its reaper removes; other tests kill theirs at the same time.
    until = time.monotonic() + REAPED_WITHIN
    while not left_behind(client) <= before and time.monotonic() < until:
        time.sleep(0.5)
    assert left_behind(client) <= before, "something of a run is left on the engine"
    client.close()
