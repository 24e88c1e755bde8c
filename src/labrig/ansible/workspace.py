"""What Ansible finds when it runs for one path: configuration, inventory, roles, collections, environment."""

from __future__ import annotations

import hashlib
import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from labrig.ansible import names
from labrig.ansible.scenario import Platform, Scenario
from labrig.errors import UsageError

# The collection's plugin, found by its folder: the project under test may hold another release of the collection.
SESSION_CONNECTION = "session"
# The kernel's limit for the path of a socket is 108 bytes with the zero at the end.
LONGEST_SOCKET = 107
# No process of the docker command for each task. It speaks to local sockets only.
API_CONNECTION = "community.docker.docker_api"
# Understood by Testinfra's Ansible backend, which runs what it reads from the inventory through `docker exec`.
CLI_CONNECTION = "community.docker.docker"
# Molecule's own defaults, which scenarios count on.
SETTINGS: dict[str, dict[str, Any]] = {
    "defaults": {
        "display_failed_stderr": True,
        "forks": 50,
        "retry_files_enabled": False,
        "host_key_checking": False,
        "nocows": 1,
        "interpreter_python": "auto_silent",
    },
}
LOCAL_ENGINE = "unix:///var/run/docker.sock"
MOLECULE_VARS = {
    "molecule_file": "{{ lookup('env', 'MOLECULE_FILE') }}",
    "molecule_ephemeral_directory": "{{ lookup('env', 'MOLECULE_EPHEMERAL_DIRECTORY') }}",
    "molecule_scenario_directory": "{{ lookup('env', 'MOLECULE_SCENARIO_DIRECTORY') }}",
    "molecule_yml": "{{ lookup('file', molecule_file) | from_yaml }}",
    "molecule_instance_config": "{{ lookup('env', 'MOLECULE_INSTANCE_CONFIG') }}",
    "molecule_no_log": False,
}
# Below a workspace's folder, first on the path.
PROGRAMS = "bin"
# Testinfra starts these, for modules and for the inventory.
RECORDED = {"ansible": "adhoc", "ansible-inventory": "inventory"}
DEFAULT_ROLES = ("~/.ansible/roles", "/usr/share/ansible/roles", "/etc/ansible/roles")
DEFAULT_COLLECTIONS = ("~/.ansible/collections", "/usr/share/ansible/collections")


@dataclass(frozen=True)
class Workspace:
    """A folder laid out for Ansible runs of one scenario on one set of machines.

    Attributes:
        scenario: The scenario, with its paths in the tree that is deployed.
        folder: The workspace; everything below it may be removed.
        env: The whole environment for Ansible and for tests.
        roles: Where roles are searched, in order.
        collections: Where collections are searched, in order, before those of the Python environment.
        sessions: The socket at which sessions in the machines are to be had while a playbook runs; None where tasks
            reach the machines another way.
    """

    scenario: Scenario
    folder: Path
    env: Mapping[str, str]
    roles: tuple[Path, ...]
    collections: tuple[Path, ...]
    sessions: Path | None = None

    @property
    def inventory(self) -> Path:
        """The inventory that playbooks run with."""
        return self.folder / "inventory"

    @property
    def modules(self) -> Path:
        """Where runs keep what they make of modules: all runs of one tree the same, as its modules are the same."""
        tree = hashlib.sha256(os.fsencode(self.scenario.project)).hexdigest()[:16]
        return self.folder.parent / f"modules-{tree}"

    @property
    def test_inventory(self) -> Path:
        """The inventory file that tests read."""
        return self.folder / "tests" / "ansible_inventory.yml"


def lay_out(
    scenario: Scenario, folder: Path, containers: Mapping[str, str], origin: Path, environment: Mapping[str, str]
) -> Workspace:
    """Write a workspace.

    Args:
        scenario: What will run.
        folder: An empty folder.
        containers: The container of each platform.
        origin: The project's folder as the user has it, where installed roles and collections may stand beside it.
        environment: The environment that labrig was called with.
    """
    for name in ("inventory", "tests", "roles", "collections/ansible_collections", "tmp"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    sessions = session_socket(folder / "sessions.sock", environment)
    _write_inventory(scenario, folder / "inventory", containers, connection(sessions, environment))
    _write_inventory(scenario, folder / "tests", containers, {"ansible_connection": CLI_CONNECTION})
    (folder / "molecule.yml").write_text(scenario.text, encoding="utf-8")
    (folder / "ansible.cfg").write_text(_configuration(scenario), encoding="utf-8")
    _write_programs(folder / PROGRAMS)
    _link_own_names(scenario, folder, origin)
    roles = _search_path(
        scenario,
        environment,
        "ROLES",
        [folder / "roles", scenario.project / "roles"],
        [scenario.project / ".ansible" / "roles", origin / "roles", origin / ".ansible" / "roles", origin.parent],
        DEFAULT_ROLES,
    )
    collections = _search_path(
        scenario,
        environment,
        "COLLECTIONS",
        [folder / "collections", scenario.project / "collections"],
        [scenario.project / ".ansible" / "collections", origin / "collections", origin / ".ansible" / "collections"],
        DEFAULT_COLLECTIONS,
    )
    env = _environment(scenario, folder, environment, roles, collections)
    return Workspace(scenario, folder, env, roles, collections, sessions)


def session_socket(socket: Path, environment: Mapping[str, str]) -> Path | None:
    """Return the socket if sessions can be had there: the engine is on this machine, the path is not too long."""
    is_local = environment.get("DOCKER_HOST", "unix://").startswith("unix://") or not environment["DOCKER_HOST"]
    return socket if is_local and len(os.fsencode(socket)) <= LONGEST_SOCKET else None


def connection(sessions: Path | None, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of the fastest way to the machines, measured."""
    host = environment.get("DOCKER_HOST", "")
    if sessions:
        return {"ansible_connection": SESSION_CONNECTION}
    if not host:
        return {"ansible_connection": API_CONNECTION}
    if host.startswith("unix://"):
        # The plugin does not read the environment.
        return {"ansible_connection": API_CONNECTION, "ansible_docker_docker_host": host}
    return {"ansible_connection": CLI_CONNECTION}


def _environment(
    scenario: Scenario,
    folder: Path,
    environment: Mapping[str, str],
    roles: tuple[Path, ...],
    collections: tuple[Path, ...],
) -> dict[str, str]:
    here = Path(sys.executable).parent
    return {
        **environment,
        "MOLECULE_DEBUG": "False",
        "MOLECULE_FILE": str(folder / "molecule.yml"),
        "MOLECULE_INVENTORY_FILE": str(folder / "tests" / "ansible_inventory.yml"),
        "MOLECULE_EPHEMERAL_DIRECTORY": str(folder),
        "MOLECULE_SCENARIO_DIRECTORY": str(scenario.directory),
        "MOLECULE_PROJECT_DIRECTORY": str(scenario.project),
        "MOLECULE_INSTANCE_CONFIG": str(folder / "instance_config.yml"),
        "MOLECULE_DEPENDENCY_NAME": "galaxy",
        "MOLECULE_DRIVER_NAME": "docker",
        "MOLECULE_PROVISIONER_NAME": "ansible",
        "MOLECULE_SCENARIO_NAME": scenario.name,
        "MOLECULE_VERIFIER_NAME": scenario.verifier.name,
        "MOLECULE_VERIFIER_TEST_DIRECTORY": str(scenario.verifier.directory),
        # The docker command follows contexts, which labrig does not: all look at one engine.
        "DOCKER_HOST": environment.get("DOCKER_HOST") or LOCAL_ENGINE,
        "ANSIBLE_PIPELINING": "True",
        "ANSIBLE_NOCOLOR": "1",
        **scenario.env,
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"),
        "ANSIBLE_ROLES_PATH": ":".join(map(str, roles)),
        "ANSIBLE_COLLECTIONS_PATH": ":".join(map(str, collections)),
        # The ansible and python of labrig's own environment come first.
        "PATH": f"{folder / PROGRAMS}:{here}:{environment.get('PATH', os.defpath)}",
    }


def _write_programs(folder: Path) -> None:
    """Write the programs of Ansible that tests start, so that what those look at is recorded with the tests."""
    folder.mkdir(exist_ok=True)
    for name, word in RECORDED.items():
        program = folder / name
        record = folder.parent / f"{name}.reads"
        words = [sys.executable, "-m", "labrig.ansible.recorder", str(record), "ansible", word]
        program.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n', encoding="utf-8")
        program.chmod(0o755)


def _search_path(
    scenario: Scenario,
    environment: Mapping[str, str],
    what: str,
    first: list[Path],
    last: list[Path],
    default: tuple[str, ...],
) -> tuple[Path, ...]:
    """Return where roles or collections are searched: in the tree, where the scenario says, the user, then the rest."""
    named: list[Path] = []
    sources = (scenario.env.get(f"ANSIBLE_{what}_PATH"), environment.get(f"ANSIBLE_{what}_PATH"))
    for text in (*sources, scenario.settings.get("defaults", {}).get(f"{what.lower()}_path")):
        named.extend(_from(scenario.directory, one) for one in str(text or "").split(":") if one)
    everything = [*first, *named, *last, *(Path(one).expanduser() for one in default)]
    return tuple(dict.fromkeys(everything))


def _from(directory: Path, path: str) -> Path:
    return Path(os.path.normpath(directory / Path(os.path.expandvars(path)).expanduser()))


def _link_own_names(scenario: Scenario, folder: Path, origin: Path) -> None:
    if names.is_role(scenario.project):
        playbooks = "\n".join(
            path.read_text(encoding="utf-8", errors="replace") for path in scenario.playbooks.values()
        )
        own = names.role_names(origin.name, names.role_meta(scenario.project), playbooks)
        for name in own:
            _link(folder / "roles" / name, scenario.project)
    for name, root in names.collection_roots(scenario.project).items():
        _link(folder / "collections" / "ansible_collections" / name, root)


def _link(link: Path, target: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        link.symlink_to(target)


def _configuration(scenario: Scenario) -> str:
    sections: dict[str, dict[str, Any]] = {name: dict(keys) for name, keys in SETTINGS.items()}
    for name, keys in scenario.settings.items():
        sections.setdefault(name, {}).update(keys)
    # Search paths are handed over in the environment, merged with where the tree itself keeps things.
    for key in ("roles_path", "collections_path"):
        sections["defaults"].pop(key, None)
    lines = []
    for name, keys in sections.items():
        lines += [f"[{name}]", *(f"{key} = {value}" for key, value in keys.items()), ""]
    return "\n".join(lines)


def _write_inventory(
    scenario: Scenario, folder: Path, containers: Mapping[str, str], connection: dict[str, str]
) -> None:
    groups: dict[str, Any] = {"all": {"vars": MOLECULE_VARS, "hosts": {}}, "ungrouped": {"vars": {}}}
    for platform in scenario.platforms:
        host = _host(platform, containers[platform.name], connection, scenario.connection)
        groups["all"]["hosts"][platform.name] = host
        for group in platform.groups:
            found = groups.setdefault(group, {})
            found.setdefault("hosts", {})[platform.name] = {}
            for child in platform.children:
                children = found.setdefault("children", {})
                children.setdefault(child, {}).setdefault("hosts", {})[platform.name] = {}
    (folder / "ansible_inventory.yml").write_text(yaml.safe_dump(groups, sort_keys=False), encoding="utf-8")
    inventory = scenario.inventory
    if inventory.links:
        for name, source in inventory.links.items():
            target = _from(scenario.directory, source)
            if not target.exists():
                raise UsageError(f"{scenario.file}: provisioner.inventory.links.{name}: {target} does not exist")
            _link(folder / name, target)
        return
    if inventory.hosts:
        (folder / "hosts").write_text(yaml.safe_dump(dict(inventory.hosts), sort_keys=False), encoding="utf-8")
    for kind, variables in (("host_vars", inventory.host_vars), ("group_vars", inventory.group_vars)):
        for name, content in variables.items():
            (folder / kind).mkdir(exist_ok=True)
            (folder / kind / str(name)).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def _host(platform: Platform, container: str, connection: dict[str, str], options: Mapping[str, Any]) -> dict[str, Any]:
    user = platform.options.get("user")
    return {
        **connection,
        "ansible_host": container,
        **({"ansible_user": str(user)} if user else {}),
        **options,
    }
