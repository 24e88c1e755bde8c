"""`labrig prove --all` on a repository of roles."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from conftest import CONVERGE, IMAGE, TASKS, Done, Project, environment, left_behind, molecule

from labrig.engine.client import connect

Labrig = Callable[..., Done]
WAIT = "- {name: Wait for nothing, ansible.builtin.command: sleep 600}\n"


@pytest.fixture
def roles(tmp_path: Path) -> Project:
    """Return a repository with two released roles."""
    folder = tmp_path / "infrastructure"
    folder.mkdir()
    made = Project(folder)
    made.git("init", "--quiet", "--initial-branch=main")
    for role in ("motd", "note"):
        made.write(
            **{
                f"roles__{role}__tasks__main_yml": TASKS.replace("motd", role),
                f"roles__{role}__molecule__default__molecule_yml": molecule(),
                f"roles__{role}__molecule__default__converge_yml": CONVERGE.replace("motd", role),
            }
        )
    return made.commit()


def test_each_role_gets_its_verdict_and_all_of_them_one_exit_code(
    labrig: Labrig, roles: Project, tmp_path: Path
) -> None:
    roles.write(
        roles__note__tasks__main_yml=TASKS.replace("/etc/motd", "/etc/remark"),
        roles__broken__molecule__default__molecule_yml="platforms: [\n",
    )
    report, junit = tmp_path / "report", tmp_path / "junit.xml"
    words = ("--production", "HEAD", "--no-restart", "--no-explain", "--report", str(report), "--junit", str(junit))

    done = labrig("prove", "--all", *words, cwd=roles.folder)

    assert done.code == 1, done.err
    assert done.verdict is not None
    assert done.verdict["schema"] == "labrig.verdicts/1"
    assert {one["name"]: (one["verdict"], one["exit_code"]) for one in done.verdict["verdicts"]} == {
        "roles/broken/default": ("error", 2),
        "roles/motd/default": ("proven", 0),
        "roles/note/default": ("disproved", 1),
    }
    note = done.verdict["verdicts"][2]
    assert {one["key"] for one in note["differences"]} == {"/etc/note"}
    assert "file /etc/note exists only on the upgraded machine" in done.err
    assert "not YAML" in done.err
    assert done.err.strip().splitlines()[-1] == "disproved: 1 disproved, 1 error, 1 proven"
    page = (report / "index.html").read_text()
    for one in done.verdict["verdicts"]:
        assert f'href="{one["report"]}"' in page
        assert one["verdict"].capitalize() in (report / one["report"]).read_text()
    suites = ElementTree.parse(junit).getroot()
    assert [(one.get("name"), one.get("failures"), one.get("errors")) for one in suites] == [
        ("roles/broken/default", "0", "2"),
        ("roles/motd/default", "0", "0"),
        ("roles/note/default", "1", "0"),
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_ends_all_proofs_and_leaves_nothing(roles: Project, number: signal.Signals) -> None:
    roles.write(roles__motd__tasks__main_yml=WAIT, roles__note__tasks__main_yml=WAIT)
    client = connect()
    before = left_behind(client)
    command = [sys.executable, "-m", "labrig", "prove", "--all", "--jobs", "2", "--production", IMAGE]
    env = environment(PYTHONUNBUFFERED="1")
    with subprocess.Popen(command, cwd=roles.folder, env=env, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        deploys = set()
        for line in process.stderr:
            if line.rstrip().endswith("deploy"):
                deploys.add(line.split()[2])
            if len(deploys) == 2:
                break
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.strip().splitlines()[-1] == "labrig: interrupted"
    assert left_behind(client) <= before
    client.close()


def test_without_an_engine_each_is_an_error_and_the_files_are_written(labrig: Labrig, roles: Project) -> None:
    images = ("--image", f"{IMAGE}=one", "--image", f"{IMAGE}=two")
    env = environment(DOCKER_HOST="unix:///nowhere/docker.sock")
    done = labrig("prove", "--all", *images, cwd=roles.folder, env=env)
    assert done.code == 3
    assert done.verdict is not None
    assert [one["name"] for one in done.verdict["verdicts"]] == [
        f"roles/{role}/default on {image}" for role in ("motd", "note") for image in ("one", "two")
    ]
    assert "no Docker Engine answers" in json.dumps(done.verdict)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--all", "--keep"), "--all goes without --keep"),
        (("--all", "--project", "nowhere"), "nowhere is not a folder"),
        (("--all", "--exclude", "*"), "is left to prove"),
        (("--project", "roles/motd", "--project", "roles/note"), "add --all"),
        (("--project", "roles/motd", "--image", "a=b", "--image", "a=c"), "add --all"),
        (("--project", "roles/motd", "--jobs", "2"), "--jobs goes with --all"),
    ],
)
def test_a_wrong_call_starts_nothing(labrig: Labrig, roles: Project, words: tuple[str, ...], said: str) -> None:
    done = labrig("prove", *words, cwd=roles.folder)
    assert done.code == 2
    assert said in done.err
    assert done.verdict is None
