"""What a project is: a role, a collection, or playbooks; found out from what lies in its folder."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from labrig.ansible import names
from labrig.errors import UsageError

Kind = Literal["role", "collection", "playbooks"]
# The usual names of the playbook that deploys everything, the best first.
MAIN_PLAYBOOKS = ("site", "main", "playbook", "deploy", "setup")
PLAYBOOK_FOLDERS = ("", "playbooks")
# Where people keep what belongs to the inventory, beside playbooks or in a folder of its own.
INVENTORY_FOLDERS = ("", "inventory", "inventories/production", "inventories")
VARIABLES = ("group_vars", "host_vars")
_NAME = re.compile(r"[A-Za-z_][\w.-]*")
_EVERYBODY = frozenset({"all", "ungrouped", "localhost"})


@dataclass(frozen=True)
class Deployment:
    """One thing of a project that is deployed, and deserves a scenario.

    Attributes:
        name: What it is called in its project: a role's or a playbook's own name.
        role: The name under which a playbook finds the role; empty for a playbook.
        playbook: The playbook, relative to the project; None for a role.
        groups: The groups that the playbook's plays name; its machine has to be in all of them.
    """

    name: str
    role: str = ""
    playbook: Path | None = None
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Project:
    """A project of Ansible content.

    Attributes:
        folder: Its root, absolute.
        kind: What it is.
        name: What it is called: a role's or a collection's name, the folder's otherwise.
        deployments: What it deploys, the most important first.
        links: ``group_vars`` and ``host_vars``, relative to the project, where playbooks have them.
        paths: ``roles`` and ``collections``, where the project has such folders for its playbooks.
    """

    folder: Path
    kind: Kind
    name: str
    deployments: tuple[Deployment, ...]
    links: tuple[Path, ...] = ()
    paths: tuple[str, ...] = ()


def recognise(folder: Path) -> Project:
    """Return what the project in a folder is.

    Raises:
        UsageError: It is neither a role nor a collection, and has no playbook; or there is nothing to deploy in it.
    """
    folder = folder.resolve()
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder", hint="name the project's folder with --project DIR")
    if (folder / "galaxy.yml").is_file():
        return _collection(folder)
    if names.is_role(folder):
        role = names.galaxy_name(folder.name, names.role_meta(folder))
        return Project(folder, "role", role, (Deployment(role.rpartition(".")[2], role=role),))
    return _playbooks(folder)


def _collection(folder: Path) -> Project:
    found = next(iter(names.collection_roots(folder)), "").replace("/", ".")
    if not found:
        raise UsageError(f"{folder / 'galaxy.yml'}: expected a namespace and a name")
    roles = sorted(path.name for path in (folder / "roles").glob("*") if names.is_role(path))
    deployments = [Deployment(role, role=f"{found}.{role}") for role in roles]
    if not deployments:
        raise UsageError(
            f"{folder} is collection {found} without a role: there is nothing that a scenario could deploy",
            hint="write a role in roles/NAME first",
        )
    return Project(folder, "collection", found, tuple(deployments))


def _playbooks(folder: Path) -> Project:
    found = [
        path.relative_to(folder)
        for place in PLAYBOOK_FOLDERS
        for pattern in ("*.yml", "*.yaml")
        for path in sorted((folder / place).glob(pattern))
        if _plays(path)
    ]
    if not found:
        raise UsageError(
            f"{folder} is neither a role (tasks/ or meta/main.yml) nor a collection (galaxy.yml), and has no playbook",
            hint="name the project's folder with --project DIR",
        )
    usual = [path for name in MAIN_PLAYBOOKS for path in found if path.stem == name]
    # Where one playbook deploys everything, the others are parts of it.
    chosen = usual[:1] or found
    deployments = tuple(Deployment(path.stem, playbook=path, groups=_groups(folder / path)) for path in chosen)
    links = [
        next((Path(place, kind) for place in INVENTORY_FOLDERS if (folder / place / kind).is_dir()), None)
        for kind in VARIABLES
    ]
    paths = tuple(name for name in ("roles", "collections") if (folder / name).is_dir())
    return Project(folder, "playbooks", folder.name, deployments, tuple(filter(None, links)), paths)


def _plays(path: Path) -> list[dict[str, Any]]:
    """Return the plays of a file; empty for one that is no playbook."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return []
    plays = content if isinstance(content, list) else []
    if not plays or not all(isinstance(one, dict) for one in plays):
        return []
    is_playbook = all(any(key.endswith(("hosts", "import_playbook")) for key in map(str, one)) for one in plays)
    return plays if is_playbook else []


def _groups(path: Path) -> tuple[str, ...]:
    """Return the names in the host patterns of a playbook and of those that it imports."""
    found: list[str] = []
    for play in _plays(path):
        imported = play.get("import_playbook") or play.get("ansible.builtin.import_playbook")
        if imported and "{{" not in str(imported):
            found += _groups(path.parent / str(imported))
        hosts = play.get("hosts") or ()
        for pattern in hosts if isinstance(hosts, list) else [hosts]:
            words = re.split(r"[:,]", str(pattern)) if "{{" not in str(pattern) else []
            found += (word.strip() for word in words if _NAME.fullmatch(word.strip()))
    return tuple(dict.fromkeys(name for name in found if name not in _EVERYBODY))
