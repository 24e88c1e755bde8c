"""What differs between two equal deployments is measured, allowed by the project, and told of in a verdict."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from conftest import Done, Project

Labrig = Callable[..., Done]

TOKEN = """
- name: Make a token, each machine its own
  ansible.builtin.shell: od -An -tx8 -N8 /dev/urandom > /etc/token
  args: {creates: /etc/token}
"""


def test_a_random_value_is_measured_allowed_and_told(labrig: Labrig, project: Project) -> None:
    project.commit(tasks__main_yml=TOKEN)
    measured = labrig("prove", "--calibrate", cwd=project.folder)
    assert measured.code == 1, measured.err
    assert "file /etc/token: content differs" in measured.err
    assert measured.out.startswith("allowed:\n- dimension: file\n  key: /etc/token\n  fields:\n  - content\n")
    assert measured.verdict is not None
    assert [one["key"] for one in measured.verdict["differences"]] == ["/etc/token"]

    unused = "- {dimension: file, key: /etc/other, reason: never there, check: same-state, expires: 2999-01-01}\n"
    expired = "- {dimension: file, key: /etc/old, reason: once there, expires: 2020-01-01}\n"
    project.write(labrig_yml=measured.out + unused + expired)
    proven = labrig("prove", "--production", "HEAD", "--no-restart", cwd=project.folder)
    assert proven.code == 0, proven.err
    assert proven.verdict is not None
    (allowed,) = [one for one in proven.verdict["ignored"] if one["rule"] == "allowed by labrig.yml"]
    assert allowed["reason"].startswith("file /etc/token (content), only for same-state: TODO: say why it may differ.")
    assert proven.verdict["notes"] == [
        "allowed difference file /etc/other, only for same-state matched nothing in this proof",
        "allowed difference file /etc/old expired on 2020-01-01 and holds no more: once there",
    ]
    assert all(f"note: {note}" in proven.err for note in proven.verdict["notes"])
    last = proven.err.strip().splitlines()[-1]
    assert last.startswith("proven: safe: new and old servers end up the same but for 1 allowed difference, and")

    again = labrig("prove", "--calibrate", cwd=project.folder)
    assert (again.code, again.out) == (0, ""), again.err


def test_what_does_not_deploy_is_not_calibrated(labrig: Labrig, project: Project) -> None:
    project.commit(tasks__main_yml="- {name: Break it, ansible.builtin.command: /bin/false}\n")
    done = labrig("prove", "--calibrate", cwd=project.folder)
    assert (done.code, done.out) == (1, "")
    assert "'motd : Break it'" in done.err


@pytest.mark.parametrize(
    "option", ["--production=HEAD", "--keep", "--no-restart", "--junit=x.xml", "--report=x", "--profile"]
)
def test_calibration_has_nothing_to_do_with_production_or_reports(
    labrig: Labrig, project: Project, option: str
) -> None:
    done = labrig("prove", "--calibrate", option, cwd=project.folder)
    assert done.code == 2
    assert f"--calibrate goes without {option.partition('=')[0]}" in done.err
