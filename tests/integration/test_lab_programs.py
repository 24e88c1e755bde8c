"""The programs of a lab host, installed on a machine by the collection."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import labrig
from trials.lab import Lab

ROOT = Path(__file__).parents[2]
PLAY = [{"hosts": "all", "gather_facts": False, "tasks": [{"labrig.core.lab_programs": {}}]}]


@pytest.fixture(scope="module")
def machine():
    with Lab() as lab:
        yield lab.start()


def play(machine, folder, *words):
    (folder / "play.yml").write_text(json.dumps(PLAY))
    return subprocess.run(
        [
            Path(sys.executable).parent / "ansible-playbook",
            *("-i", f"{machine.container},", "-c", "community.docker.docker", "play.yml", *words),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections")},
    )


def test_the_programs_are_installed_once_and_run(machine, tmp_path):
    told = play(machine, tmp_path, "--check")
    assert "changed=1" in told.stdout, told.stdout
    assert machine.execute(["labrig-lab", "version"]).code != 0
    for changed in (1, 0):
        done = play(machine, tmp_path, "--diff")
        assert f"changed={changed} " in done.stdout, done.stdout
    found = machine.execute(["labrig-lab", "version"])
    assert (found.stdout.decode(), found.code) == (f"{labrig.__version__}\n", 0)
