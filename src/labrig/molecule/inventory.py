"""The inventory that Testinfra reads: Molecule's own, with the one connection that Testinfra knows."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from molecule.config import Config

    from labrig.molecule.place import Place

FOLDER = "test-inventory"
GENERATED = "ansible_inventory.yml"


def for_tests(config: Config, place: Place) -> Path:
    """Write the inventory beside the one that playbooks read, with links to the rest of that; return its folder.

    Scenarios that share their state share that folder, too, and one of them may be writing there: each has a folder of
    its own here, and what Molecule writes is asked of Molecule, not read.
    """
    source = Path(config.scenario.inventory_directory)
    folder = Path(config.scenario.ephemeral_directory) / f"{FOLDER}-{config.scenario.name}"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for part in source.iterdir():
        if part.name != GENERATED:
            (folder / part.name).symlink_to(part)
    assert config.provisioner is not None  # noqa: S101  # whoever has tests has one
    groups: dict[str, Any] = copy.deepcopy(config.provisioner.inventory)
    names = {str(one["name"]) for one in config.platforms.instances}
    for group in groups.values():
        _reconnect(group, names, place)
    (folder / GENERATED).write_text(yaml.safe_dump(groups, sort_keys=False), encoding="utf-8")
    return folder


def _reconnect(group: dict[str, Any], names: set[str], place: Place) -> None:
    for name, variables in (group.get("hosts") or {}).items():
        if name in names and str(variables.get("ansible_connection", "")).endswith((".session", ".docker_api")):
            for key in [key for key in variables if key.startswith(("ansible_labrig_", "ansible_docker_"))]:
                del variables[key]
            variables.update(place.test_connection(name))
    for child in (group.get("children") or {}).values():
        _reconnect(child, names, place)
