"""What a project says it needs of roles and collections, and whether it is installed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from labrig import yaml_file
from labrig.ansible.workspace import Workspace
from labrig.errors import EnvironmentFailed

FILES = (
    "requirements.yml",
    "requirements.yaml",
    "collections.yml",
    "roles/requirements.yml",
    "collections/requirements.yml",
    "meta/requirements.yml",
)


@dataclass(frozen=True)
class Requirement:
    """A role or collection that a requirements file names."""

    sort: Literal["role", "collection"]
    name: str
    file: Path


def check(workspace: Workspace) -> None:
    """Raise unless everything that the project's requirements files name is installed.

    Raises:
        EnvironmentFailed: A role or collection is missing; it is named.
        UsageError: A requirements file is not YAML.
    """
    for needed in named(workspace):
        installed = (
            has_role(workspace, needed.name) if needed.sort == "role" else has_collection(workspace, needed.name)
        )
        if not installed:
            raise EnvironmentFailed(
                f"{needed.sort} {needed.name}, which {needed.file} requires, is not installed",
                hint=f"ansible-galaxy {needed.sort} install -r {needed.file}",
            )


def named(workspace: Workspace) -> Iterator[Requirement]:
    """Yield what the requirements files beside the project and the scenario name."""
    scenario = workspace.scenario
    for folder in dict.fromkeys((scenario.project, scenario.directory)):
        for file in dict.fromkeys(folder / name for name in FILES):
            if file.is_file():
                yield from _read(file)


def has_role(workspace: Workspace, name: str) -> bool:
    """Tell whether a role is where the workspace searches for roles."""
    return any((folder / name).is_dir() for folder in workspace.roles)


def has_collection(workspace: Workspace, name: str) -> bool:
    """Tell whether a collection is where the workspace or Python searches for collections."""
    inside = Path("ansible_collections", *name.split("."))
    return any((Path(folder) / inside).is_dir() for folder in [*map(str, workspace.collections), *sys.path])


def _read(file: Path) -> Iterator[Requirement]:
    content = yaml_file.read(file)
    roles, collections = (
        (content, [])
        if isinstance(content, list)
        else (((content or {}).get("roles") or [], (content or {}).get("collections") or []))
    )
    for one in roles:
        name = _role_name(one)
        if name:
            yield Requirement("role", name, file)
    for one in collections:
        name = str(one.get("name") or "") if isinstance(one, dict) else str(one).split(":")[0]
        # A URL, a file or a folder names its collection only inside.
        if name.count(".") == 1 and "/" not in name:
            yield Requirement("collection", name, file)


def _role_name(one: Any) -> str:
    if isinstance(one, dict):
        if one.get("include"):
            return ""
        source = str(one.get("name") or one.get("role") or one.get("src") or "")
    else:
        parts = str(one).split(",")
        source = parts[2] if len(parts) > 2 else parts[0]
    return source.rstrip("/").rsplit("/", 1)[-1].removesuffix(".git").removesuffix(".tar.gz")
