"""Runs of ansible-playbook that share what they make of modules."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLAYBOOK = """
- hosts: localhost
  gather_facts: false
  tasks:
    - {own: {}, register: said}
    - {ansible.builtin.copy: {content: "{{ said.told }}", dest: "{{ playbook_dir }}/told", mode: "0600"}}
"""
MODULE = """#!/usr/bin/python
from ansible.module_utils.basic import AnsibleModule
AnsibleModule(argument_spec={}).exit_json(told=TOLD)
"""


def run(folder: Path, modules: Path) -> str:
    environment = {
        "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "collections/ansible_collections/labrig/core/plugins/callback"),
        "ANSIBLE_CALLBACKS_ENABLED": "events",
        "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"),
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        "LABRIG_MODULES": str(modules),
    }
    command = [sys.executable, "-m", "ansible", "playbook", "-i", "localhost,", "-c", "local", "play.yml"]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return (folder / "told").read_text()


def test_a_module_is_made_by_the_first_run_and_stays_when_that_ends(tmp_path: Path) -> None:
    (tmp_path / "library").mkdir()
    (tmp_path / "play.yml").write_text(PLAYBOOK)
    module = tmp_path / "library/own.py"
    first, second = tmp_path / "one tree", tmp_path / "another"
    for modules in (first, second):
        modules.mkdir()

    module.write_text(MODULE.replace("TOLD", "'first'"))
    assert run(tmp_path, first) == "first"
    assert list((tmp_path / "tmp").iterdir()) == []

    # Not what anybody should do within one tree: it shows which of the two was taken.
    module.write_text(MODULE.replace("TOLD", "'second'"))
    assert run(tmp_path, first) == "first"
    assert run(tmp_path, second) == "second"
