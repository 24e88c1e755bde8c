"""``labrig init`` in a role, a collection and a project of playbooks: what it writes is clean, and really works."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import IMAGE, Done, Project, environment

from labrig.engine import ownership

BIN = Path(sys.executable).parent
META = """---
galaxy_info:
  role_name: {name}
  namespace: acme
  author: the team
  description: Writes the message of the day
  license: MIT
  min_ansible_version: "2.19"
"""
GALAXY = """---
namespace: acme
name: tools
version: 1.0.0
readme: README.md
authors: [the team]
description: Writes the message of the day
license: [MIT]
tags: [tools]
repository: file:///srv/git/tools
"""
SITE = """---
- name: Web servers
  hosts: web
  gather_facts: false
  roles:
    - role: motd
"""
CLEAN_TASKS = """---
- name: Write the message
  ansible.builtin.copy:
    dest: /etc/motd
    content: "{{ motd_text | default('welcome') }}\\n"
    mode: "0644"
"""
KINDS = {
    "role": {"tasks__main_yml": CLEAN_TASKS, "meta__main_yml": META.format(name="motd")},
    "collection": {
        "galaxy_yml": GALAXY,
        "README.md": "# Tools\n",
        "CHANGELOG.md": "# Changes\n",
        "meta__runtime_yml": '---\nrequires_ansible: ">=2.19.0"\n',
        "roles__motd__tasks__main_yml": CLEAN_TASKS,
        "roles__motd__meta__main_yml": META.format(name="motd"),
    },
    "playbooks": {
        "site_yml": SITE,
        "roles__motd__tasks__main_yml": CLEAN_TASKS,
        "group_vars__web_yml": "---\nmotd_text: welcome to the web\n",
    },
}
PLACES = {"role": "molecule", "collection": "extensions/molecule", "playbooks": "molecule"}


@pytest.fixture
def made(tmp_path: Path) -> Callable[[str], Project]:
    """Return a function that makes a project of a kind, released and with a commit on top."""

    def make(kind: str) -> Project:
        folder = tmp_path / "tools"
        folder.mkdir()
        project = Project(folder)
        project.git("init", "--quiet", "--initial-branch=main")
        return project.commit(**KINDS[kind]).commit(notes_yml="---\n{}\n")

    return make


def tool(project: Project, *words: str) -> None:
    # Molecule and ansible-lint install what they look at into the user's home.
    own = {"HOME": str(project.folder.parent / "home"), "LABRIG_CACHE": str(ownership.cache_directory())}
    done = subprocess.run(
        [BIN / words[0], *words[1:]],
        cwd=project.folder,
        env=environment(PATH=f"{BIN}:{environment()['PATH']}", **own),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, f"{words}:\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("kind", list(KINDS))
def test_scenario_is_clean_and_stays_as_its_owner_makes_it(
    made: Callable[[str], Project], labrig: Callable[..., Done], kind: str
):
    project = made(kind)

    first = labrig("init", cwd=project.folder)

    assert first.code == 0, first.err
    place = project.folder / PLACES[kind] / "default"
    assert f"written        {PLACES[kind]}/default/molecule.yml" in first.err
    assert "labrig prove" in first.err
    tool(project, "yamllint", "--strict", PLACES[kind])
    tool(project, "ansible-lint", "--profile", "production")

    (place / "converge.yml").write_text("--- # my own\n")
    again = labrig("init", cwd=project.folder)
    assert again.code == 0
    assert "nothing to write: all of it is there" in again.err
    assert (place / "converge.yml").read_text() == "--- # my own\n"


@pytest.mark.parametrize(
    ("kind", "command"), [("role", "prove"), ("role", "test"), ("collection", "test"), ("playbooks", "prove")]
)
def test_scenario_works(made: Callable[[str], Project], labrig: Callable[..., Done], kind: str, command: str):
    project = made(kind)
    assert labrig("init", "--image", IMAGE, cwd=project.folder).code == 0
    project.git("add", "--all")
    if command == "test":
        tool(project, "molecule", "test")
        return

    done = labrig("prove", "--no-restart", cwd=project.folder)

    assert done.code == 0, done.err
    assert done.result("verified", "fresh") == "pass"


def test_folder_without_anything_to_deploy_is_told(tmp_path: Path, labrig: Callable[..., Done]):
    done = labrig("init", cwd=tmp_path)

    assert done.code == 2
    assert "is neither a role (tasks/ or meta/main.yml) nor a collection (galaxy.yml), and has no playbook" in done.err
