"""Engines that stop, whose disk is full, or that have the other cgroup version."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import TASKS, Done, Project, environment
from engines import own_engine

Labrig = Callable[..., Done]


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder whose path is short enough for sockets."""
    return tmp_path_factory.mktemp("e")


@pytest.mark.parametrize("cgroup", [1, 2])
def test_a_proof_on_either_cgroup_version(labrig: Labrig, project: Project, folder: Path, cgroup: int) -> None:
    with own_engine(folder, cgroup=cgroup) as engine:
        env = environment(DOCKER_HOST=engine.host)
        assert f"cgroup v{cgroup}" in labrig("doctor", env=env).out
        done = labrig("prove", "--production", "HEAD", cwd=project.folder, env=env)
        assert done.code == 0, done.err
        assert engine.docker("ps", "--all", "--quiet") == ""


def test_an_engine_that_stops_half_way(project: Project, folder: Path) -> None:
    project.write(tasks__main_yml="- {name: Wait, ansible.builtin.command: sleep 600}\n")
    with own_engine(folder) as engine:
        command = [sys.executable, "-m", "labrig", "prove", "--production", "HEAD"]
        env = environment(DOCKER_HOST=engine.host, PYTHONUNBUFFERED="1")
        with subprocess.Popen(command, cwd=project.folder, env=env, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            assert any("fresh    deploy" in line for line in process.stderr)
            engine.stop()
            said = process.communicate(timeout=120)[1]
    assert process.returncode == 3, said
    assert "Docker Engine" in said


def test_a_full_disk_is_not_blamed_on_the_change(labrig: Labrig, project: Project, folder: Path) -> None:
    project.write(
        tasks__main_yml=TASKS
        + "- {name: Fill it, ansible.builtin.command: dd if=/dev/zero of=/srv/full bs=1M count=2000}\n"
    )
    with own_engine(folder, size="600m") as engine:
        env = environment(DOCKER_HOST=engine.host)
        done = labrig("prove", "--production", "HEAD", cwd=project.folder, env=env)
        assert engine.docker("ps", "--all", "--quiet") == ""
    assert done.code == 3, done.err
    assert "a disk is full" in done.err
