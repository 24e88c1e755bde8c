"""The names by which a project may call its own role or collection, pure but for reading its metadata."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROLE_FOLDERS = ("tasks", "handlers", "defaults", "meta", "vars")
_FOLDER_PREFIXES = ("ansible-role-", "ansible_role_", "ansible-", "role-")
_GALAXY_NAME = re.compile(r"[a-z][a-z0-9_]*")


def is_role(project: Path) -> bool:
    """Tell whether the folder is a role."""
    return (project / "tasks").is_dir() or (project / "meta" / "main.yml").is_file()


def role_names(folder: str, meta: dict[str, Any], playbooks: str) -> set[str]:
    """Return every name under which playbooks may refer to the role that a project is.

    Args:
        folder: The name of the project's folder.
        meta: The content of meta/main.yml.
        playbooks: The text of its playbooks: a ``namespace.role`` that ends in the role's name is the role itself.

    >>> sorted(role_names("ansible-role-nginx", {"galaxy_info": {"author": "geerlingguy"}}, ""))
    ['ansible-role-nginx', 'geerlingguy.nginx', 'nginx']
    """
    galaxy = meta.get("galaxy_info") or {}
    short = _short_name(folder, galaxy)
    names = {folder, short}
    for key in ("namespace", "author"):
        namespace = str(galaxy.get(key) or "")
        if _GALAXY_NAME.fullmatch(namespace.replace("-", "_")):
            names.add(f"{namespace}.{short}")
            break
    names.update(re.findall(rf"(?<![\w./-])([\w-]+\.{re.escape(short)})(?![\w.-])", playbooks))
    return names


def galaxy_name(folder: str, meta: dict[str, Any]) -> str:
    """Return the name under which Molecule and ansible-lint install the role that a project is.

    >>> galaxy_name("ansible-role-nginx", {"galaxy_info": {"author": "geerlingguy"}})
    'geerlingguy.nginx'
    >>> galaxy_name("motd", {"galaxy_info": {"author": "Jo Doe"}})
    'motd'
    """
    galaxy = meta.get("galaxy_info") or {}
    namespace = str(galaxy.get("namespace") or galaxy.get("author") or "")
    short = _short_name(folder, galaxy)
    return f"{namespace}.{short}" if namespace and not re.match(r"\w+ \w+", namespace) else short


def _short_name(folder: str, galaxy: dict[str, Any]) -> str:
    named = str(galaxy.get("role_name") or "")
    prefix = next((p for p in _FOLDER_PREFIXES if folder.startswith(p) and len(folder) > len(p)), "")
    return named or folder.removeprefix(prefix)


def role_meta(project: Path) -> dict[str, Any]:
    """Return the content of the role's meta/main.yml; empty where there is none that can be read."""
    return _mapping(project / "meta" / "main.yml")


def collection_roots(project: Path) -> dict[str, Path]:
    """Return the collections that the project is, or is a part of: ``namespace/name`` with the folder."""
    roots: dict[str, Path] = {}
    for folder in (project, *list(project.parents)[:3]):
        galaxy = _mapping(folder / "galaxy.yml")
        if galaxy.get("namespace") and galaxy.get("name"):
            roots[f"{galaxy['namespace']}/{galaxy['name']}"] = folder
            break
    return roots


def _mapping(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}
