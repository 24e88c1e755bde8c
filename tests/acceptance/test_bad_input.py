"""Bad input and failing surroundings: a clear message, the right exit code, nothing left behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import IMAGE, TASKS, Done, Project, environment, left_behind, molecule

from labrig.engine.client import connect

Labrig = Callable[..., Done]
HANG = "- {name: Wait for nothing, ansible.builtin.command: sleep 600}\n"


def test_no_engine(labrig: Labrig, project: Project) -> None:
    done = labrig("prove", cwd=project.folder, env=environment(DOCKER_HOST="unix:///nowhere/docker.sock"))
    assert done.code == 3
    assert "no Docker Engine answers at unix:///nowhere/docker.sock" in done.err
    assert "hint:" in done.err
    assert done.verdict is not None
    assert done.verdict["verdict"] == "error"


def test_no_scenario(labrig: Labrig, tmp_path: Path) -> None:
    done = labrig("prove", cwd=tmp_path)
    assert done.code == 2
    assert "has no Molecule scenario" in done.err


def test_two_scenarios_and_none_named(labrig: Labrig, project: Project) -> None:
    project.write(molecule__other__molecule_yml=molecule(), molecule__other__converge_yml="[]")
    done = labrig("prove", cwd=project.folder)
    assert done.code == 2
    assert "2 scenarios and none is named: default, other" in done.err


def test_broken_yaml_says_file_and_line(labrig: Labrig, project: Project) -> None:
    project.write(molecule__default__molecule_yml="platforms:\n  - name: [web\n")
    done = labrig("prove", cwd=project.folder)
    assert done.code == 2
    assert "molecule/default/molecule.yml:3:" in done.err


def test_an_unknown_key_names_the_nearest(labrig: Labrig, project: Project) -> None:
    project.write(labrig_yml="productoin: main\n")
    done = labrig("prove", cwd=project.folder)
    assert done.code == 2
    assert "labrig.yml:1: unknown key 'productoin'" in done.err
    assert "did you mean production?" in done.err


# The second can't be the name of an image either.
@pytest.mark.parametrize("ref", ["v1.0.1", "v1.0.O"])
def test_an_unknown_ref(labrig: Labrig, project: Project, ref: str) -> None:
    project.git("tag", "v1.0.0")
    done = labrig("prove", "--production", ref, cwd=project.folder)
    assert done.code == 2
    assert f"'{ref}' is neither a git ref" in done.err
    assert "did you mean v1.0.0?" in done.err


def test_an_image_that_is_not_to_be_had(labrig: Labrig, project: Project) -> None:
    platform = {"name": "web", "image": "localhost:9/acme/none:1"}
    project.commit(molecule__default__molecule_yml=molecule(platform))
    done = labrig("prove", "--production", "HEAD", cwd=project.folder)
    assert done.code == 3
    assert "image localhost:9/acme/none:1 is not on this engine and cannot be pulled" in done.err
    assert "--image" in done.err


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ({"tasks__main_yml": "- {acme.absent.thing: {}}\n"}, "collection acme.absent"),
        ({"tasks__main_yml": "- {ansible.builtin.include_role: {name: acme.gone}}\n"}, "role acme.gone"),
        ({"requirements_yml": "collections: [acme.required]\n"}, "collection acme.required"),
    ],
)
def test_content_that_is_not_installed_is_named(
    labrig: Labrig, project: Project, files: dict[str, str], named: str
) -> None:
    project.write(**files)
    done = labrig("prove", "--production", "HEAD", cwd=project.folder)
    assert done.code == 3, done.err
    assert f"{named}, which" in done.err


def test_production_that_does_not_deploy_is_no_fault_of_the_change(labrig: Labrig, project: Project) -> None:
    project.commit(tasks__main_yml="- {name: Was broken, ansible.builtin.command: /bin/false}\n")
    project.commit(tasks__main_yml=TASKS)
    done = labrig("prove", cwd=project.folder)
    assert done.code == 3
    assert "production's state could not be made" in done.err
    assert "Was broken" in done.err
    assert done.verdict is not None
    assert done.verdict["verdict"] == "error"


def test_a_task_that_hangs_is_ended_and_named(labrig: Labrig, project: Project) -> None:
    project.write(tasks__main_yml=HANG)
    done = labrig("prove", "--production", "HEAD", "--timeout", "20s", cwd=project.folder)
    assert done.code == 1, done.err
    assert "did not finish within 20 s" in done.err
    assert "Wait for nothing" in done.err


def test_a_machine_that_never_boots(labrig: Labrig, project: Project) -> None:
    platform = {"name": "web", "image": IMAGE, "command": "/lib/systemd/systemd --version"}
    project.commit(molecule__default__molecule_yml=molecule(platform))
    done = labrig("prove", "--production", "HEAD", cwd=project.folder)
    assert done.code == 3
    assert "machine web" in done.err
    assert "did not boot" in done.err
    assert "its container has stopped" in done.err


def test_two_proofs_of_a_project_at_once(labrig: Labrig, project: Project) -> None:
    command = [sys.executable, "-m", "labrig", "prove", "--production", "HEAD", "--no-restart"]
    both = [
        subprocess.Popen(command, cwd=project.folder, env=environment(), stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=600)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said


@contextmanager
def hanging(project: Project, until: str) -> Iterator[subprocess.Popen[str]]:
    """Start a proof whose deployment hangs, and wait until it has said something."""
    project.write(tasks__main_yml=HANG)
    command = [sys.executable, "-m", "labrig", "prove", "--production", "HEAD"]
    env = environment(PYTHONUNBUFFERED="1")
    with subprocess.Popen(command, cwd=project.folder, env=env, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert any(until in line for line in process.stderr), f"it ended before it said {until!r}"
        yield process


@pytest.mark.parametrize("moment", ["fresh    boot", "fresh    deploy", "upgrade  deploy"])
def test_a_killed_proof_leaves_nothing(project: Project, moment: str) -> None:
    client = connect()
    before = left_behind(client)
    with hanging(project, moment) as process:
        process.kill()
    until = time.monotonic() + 10
    while time.monotonic() < until and (left_behind(client) - before or ours(project.folder)):
        time.sleep(0.2)
    assert left_behind(client) <= before
    client.close()
    assert not ours(project.folder)
    assert not list(Path("/tmp").glob(f"labrig-*-{process.pid}*"))


def test_an_interrupted_proof_cleans_up_and_says_so(project: Project) -> None:
    client = connect()
    before = left_behind(client)
    with hanging(project, "upgrade  deploy") as process:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted" in said
    assert left_behind(client) <= before
    client.close()


def ours(folder: Path) -> list[str]:
    """Return the playbook processes of the project; none outlives its run."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_text(errors="replace").split("\0")
        except OSError:
            continue
        if "playbook" in words and any(str(folder) in word for word in words):
            found.append(path.name)
    return found
