"""The files of a first scenario: pure, from what a project is to what is written for it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from labrig.ansible.project import Deployment, Project

# Where Molecule looks in a collection, and elsewhere.
FOLDERS = {"collection": Path("extensions/molecule"), "role": Path("molecule"), "playbooks": Path("molecule")}
MACHINE = "server"

_SCENARIO = """\
---
# {about}
# For `labrig prove` and `molecule test`; any key of Molecule's may be added.
driver:
  name: labrig

{platforms}
{provisioner}verifier:
  name: labrig
{rest}"""

_ROLE = """\
---
- name: Converge
  hosts: all
  roles:
    - role: {role}
"""

_PLAYBOOK = """\
---
- name: Converge
  ansible.builtin.import_playbook: {playbook}
"""

_TESTS = '''\
"""What has to hold once {name} is deployed. Testinfra gives each test the machine as `host`."""


def test_no_unit_has_failed(host):
    assert host.check_output("systemctl --failed --plain --no-legend") == ""
'''


def folder(project: Project, scenario: str) -> Path:
    """Return where a scenario's files are, relative to the project."""
    return FOLDERS[project.kind] / scenario


def scenarios(project: Project, name: str | None) -> dict[str, Deployment]:
    """Return the scenarios for a project by name: one for each thing that it deploys.

    Args:
        project: The project.
        name: The name of the one scenario that is wanted; None for all that are due.

    A scenario of one name deploys the role or the playbook of that name, or else the most important one.

    >>> list(scenarios(Project(Path("/x"), "role", "a.motd", (Deployment("motd", role="a.motd"),)), None))
    ['default']
    """
    first = project.deployments[0]
    if name is not None:
        return {name: next((one for one in project.deployments if one.name == name), first)}
    if len(project.deployments) == 1:
        return {"default": first}
    return {one.name: one for one in project.deployments}


def files(project: Project, scenario: str, deployment: Deployment, image: str) -> dict[Path, str]:
    """Return the content of a scenario's files, by their paths relative to the project."""
    place = folder(project, scenario)
    what = f"role {deployment.role}" if deployment.role else str(deployment.playbook)
    machine = {"name": MACHINE, "image": image, **({"groups": list(deployment.groups)} if deployment.groups else {})}
    text = _SCENARIO.format(
        about=f"One machine that {what} is deployed to.",
        platforms=_yaml({"platforms": [machine]}),
        provisioner=_provisioner(project, place),
        rest=_rest(deployment),
    )
    if deployment.playbook is not None:
        converge = _PLAYBOOK.format(playbook=os.path.relpath(deployment.playbook, place))
    else:
        converge = _ROLE.format(role=deployment.role)
    return {
        place / "molecule.yml": text,
        place / "converge.yml": converge,
        place / "tests" / f"test_{scenario.replace('-', '_')}.py": _TESTS.format(name=what),
    }


def _provisioner(project: Project, place: Path) -> str:
    env = {f"ANSIBLE_{name.upper()}_PATH": f"${{MOLECULE_PROJECT_DIRECTORY}}/{name}" for name in project.paths}
    links = {path.name: os.path.relpath(path, place) for path in project.links}
    content: dict[str, Any] = {"name": "ansible"}
    content |= {"env": env} if env else {}
    content |= {"inventory": {"links": links}} if links else {}
    return _yaml({"provisioner": content}) + "\n" if env or links else ""


def _rest(deployment: Deployment) -> str:
    if not deployment.role or "." in deployment.role:
        return ""
    return "\n# Without a namespace in meta/main.yml, Molecule would refuse the role's name.\nrole_name_check: 1\n"


def _yaml(content: Mapping[str, Any]) -> str:
    return yaml.dump(content, Dumper=_Indented, sort_keys=False, width=160)


class _Indented(yaml.SafeDumper):
    """Writes lists as yamllint and ansible-lint want them: further in than their key."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        super().increase_indent(flow, indentless=False)
