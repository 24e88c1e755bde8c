"""A Molecule scenario as a value: what machines it has, which playbooks, tests, variables and options.

Reads both styles of molecule.yml: the older keys under ``provisioner`` and the newer ones under ``ansible``.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from labrig import yaml_file
from labrig.ansible.interpolation import interpolate
from labrig.errors import UsageError

SCENARIO_FOLDERS = ("molecule", "extensions/molecule")
BASE_CONFIG = Path(".config/molecule/config.yml")
DEFAULT_PLAYBOOKS = {"prepare": "prepare.yml", "converge": "converge.yml", "verify": "verify.yml"}
# Molecule named the playbook so before; roles still do.
FORMER_CONVERGE = "playbook.yml"


@dataclass(frozen=True)
class Platform:
    """One machine of a scenario; ``options`` are its keys in molecule.yml as they stand there.

    Attributes:
        image: The image that it starts from where it is blank.
        production_image: An image in production's state, which is what a proof upgrades.
        snapshot: The image that it starts from under Molecule instead of ``image``.
    """

    name: str
    image: str
    hostname: str
    groups: tuple[str, ...]
    children: tuple[str, ...]
    options: Mapping[str, Any]
    production_image: str | None = None
    snapshot: str | None = None


@dataclass(frozen=True)
class Verifier:
    """Where the tests are; ``directory`` is absolute."""

    name: str
    directory: Path
    env: Mapping[str, str]
    options: Mapping[str, Any]
    additional: tuple[str, ...]


@dataclass(frozen=True)
class Inventory:
    """What a scenario adds to the inventory of its machines; ``links`` are relative to the scenario."""

    hosts: Mapping[str, Any] = field(default_factory=dict)
    host_vars: Mapping[str, Any] = field(default_factory=dict)
    group_vars: Mapping[str, Any] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Scenario:
    """One scenario of a project, its variables replaced and its defaults filled in.

    Attributes:
        project: The root of the project, absolute.
        directory: The scenario's folder, absolute; playbooks run from there.
        file: Its molecule.yml; None for a scenario made of a playbook and an image.
        text: The content of the file after interpolation, which playbooks may read as ``molecule_yml``.
        playbooks: prepare, converge, verify: absolute paths of those that exist.
        options: Options of ansible-playbook, long names without dashes.
        arguments: Further arguments of ansible-playbook, as they are.
        env: Environment of the playbooks.
        settings: Sections and keys of ansible.cfg.
        connection: Variables that each machine gets.
    """

    name: str
    project: Path
    directory: Path
    file: Path | None
    text: str
    platforms: tuple[Platform, ...]
    playbooks: Mapping[str, Path]
    verifier: Verifier
    inventory: Inventory = Inventory()
    env: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    connection: Mapping[str, Any] = field(default_factory=dict)


def find(project: Path) -> dict[str, Path]:
    """Return the molecule.yml of each of a project's scenarios, by name."""
    found: dict[str, Path] = {}
    for folder in SCENARIO_FOLDERS:
        for path in sorted((project / folder).glob("*/molecule.yml")):
            found.setdefault(path.parent.name, path)
    return found


def choose(project: Path, name: str | None) -> Path:
    """Return the molecule.yml of the named scenario, or of the only one.

    Raises:
        UsageError: There is none of that name, there is none at all, or there are several and none is named.
    """
    found = find(project)
    if not found:
        raise UsageError(
            f"{project} has no Molecule scenario: expected molecule/<name>/molecule.yml",
            hint="name a project with --project DIR, or prove a playbook with --playbook FILE --image NAME",
        )
    listed = ", ".join(found)
    if name is None:
        if len(found) > 1:
            raise UsageError(
                f"{project} has {len(found)} scenarios and none is named: {listed}",
                hint="name one with --scenario NAME, or set `scenario:` in labrig.yml",
            )
        return next(iter(found.values()))
    if name not in found:
        raise UsageError(f"{project} has no scenario {name!r}", hint=f"there are: {listed}")
    return found[name]


def load(project: Path, file: Path, environment: Mapping[str, str]) -> Scenario:
    """Read a scenario.

    Args:
        project: The root of the project.
        file: The scenario's molecule.yml.
        environment: Variables that molecule.yml may refer to.

    Raises:
        UsageError: The file is not YAML, or lacks what a proof needs; with file, line and key.
    """
    project = project.resolve()
    directory = file.resolve().parent
    variables = {
        **environment,
        "MOLECULE_FILE": str(file),
        "MOLECULE_SCENARIO_NAME": directory.name,
        "MOLECULE_SCENARIO_DIRECTORY": str(directory),
        "MOLECULE_PROJECT_DIRECTORY": str(project),
    }
    text = interpolate(yaml_file.read_text(file), variables)
    content = yaml_file.parse_mapping(text, file)
    base = project / BASE_CONFIG
    if base.is_file():
        content = _merge(yaml_file.parse_mapping(interpolate(yaml_file.read_text(base), variables), base), content)
    return _scenario(project, directory, file, text, content)


def of_playbook(project: Path, playbook: Path, image: str) -> Scenario:
    """Return the scenario of a playbook without Molecule: one machine of that image, called ``machine``."""
    platform = Platform("machine", image, "machine", ("ungrouped",), (), {"image": image})
    directory = playbook.resolve().parent
    text = yaml.safe_dump({"platforms": [{"name": platform.name, "image": image}], "provisioner": {"name": "ansible"}})
    verifier = Verifier("testinfra", directory / "tests", {}, {}, ())
    return Scenario(
        playbook.stem, project.resolve(), directory, None, text, (platform,), {"converge": playbook.resolve()}, verifier
    )


def _scenario(project: Path, directory: Path, file: Path, text: str, content: dict[str, Any]) -> Scenario:
    provisioner = _section(file, content, "provisioner")
    native = _section(file, content, "ansible")
    verifier = _section(file, content, "verifier")
    inventory = _section(file, provisioner, "inventory")
    playbooks = {**_section(file, provisioner, "playbooks"), **_section(file, native, "playbooks")}
    executor = _section(file, _section(file, native, "executor"), "args")
    settings = _merge(_section(file, provisioner, "config_options"), _section(file, native, "cfg"))
    env = {**_section(file, provisioner, "env"), **_section(file, native, "env")}
    name = _section(file, content, "scenario").get("name") or directory.name
    return Scenario(
        name=str(name),
        project=project,
        directory=directory,
        file=file,
        text=text,
        platforms=_platforms(file, content),
        playbooks=_playbooks(file, directory, playbooks),
        verifier=Verifier(
            name=str(verifier.get("name") or "ansible"),
            directory=_absolute(directory, str(verifier.get("directory") or "tests")),
            env=_strings(_section(file, verifier, "env")),
            options=_section(file, verifier, "options"),
            additional=tuple(str(one) for one in verifier.get("additional_files_or_dirs") or ()),
        ),
        inventory=Inventory(
            hosts=_section(file, inventory, "hosts"),
            host_vars=_section(file, inventory, "host_vars"),
            group_vars=_section(file, inventory, "group_vars"),
            links=_strings(_section(file, inventory, "links")),
        ),
        env=_strings(env),
        settings=settings,
        options=_section(file, provisioner, "options"),
        arguments=tuple(
            str(one) for one in [*(provisioner.get("ansible_args") or ()), *(executor.get("ansible_playbook") or ())]
        ),
        connection=_section(file, provisioner, "connection_options"),
    )


def _platforms(file: Path, content: dict[str, Any]) -> tuple[Platform, ...]:
    listed = content.get("platforms") or []
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise UsageError(f"{file}: platforms: expected a list of mappings, found {type(listed).__name__}")
    platforms = []
    for index, one in enumerate(listed):
        try:
            platforms.append(platform(one))
        except UsageError as error:
            raise UsageError(f"{file}: platforms[{index}] ({one.get('name', 'no name')}): {error.message}") from error
    if not platforms:
        raise UsageError(f"{file}: platforms: expected at least one machine, found none")
    names = [platform.name for platform in platforms]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise UsageError(f"{file}: platforms: two machines are called {doubled[0]!r}")
    return _pair(platforms)


def platform(options: Mapping[str, Any]) -> Platform:
    """Return the machine that an entry of ``platforms`` describes.

    Raises:
        UsageError: It has no name, or neither an image nor a snapshot.
    """
    for key, value in (("name", options.get("name")), ("image", options.get("image") or options.get("snapshot"))):
        if not value:
            raise UsageError(f"expected a {key}, found none")
    return Platform(
        name=str(options["name"]),
        image=str(options.get("image") or options["snapshot"]),
        hostname=str(options.get("hostname") or options["name"]),
        groups=tuple(str(group) for group in options.get("groups") or ("ungrouped",)),
        children=tuple(str(child) for child in options.get("children") or ()),
        options=options,
        production_image=options.get("production_image"),
        snapshot=options.get("snapshot"),
    )


def _pair(platforms: list[Platform]) -> tuple[Platform, ...]:
    """Read platforms called exactly ``fresh`` and ``production`` as one machine and its production image.

    So a scenario that shows both machines to plain Molecule is proven as the one server that it is about.
    """
    by_name = {platform.name: platform for platform in platforms}
    if by_name.keys() != {"fresh", "production"}:
        return tuple(platforms)
    fresh, production = by_name["fresh"], by_name["production"]
    return (dataclasses.replace(fresh, production_image=production.snapshot or production.image),)


def _playbooks(file: Path, directory: Path, named: Mapping[str, Any]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for step, default in DEFAULT_PLAYBOOKS.items():
        path = _absolute(directory, str(named.get(step) or default))
        if step == "converge" and not path.is_file() and (path.parent / FORMER_CONVERGE).is_file():
            path = path.parent / FORMER_CONVERGE
        if path.is_file():
            found[step] = path
        elif step == "converge" or named.get(step):
            raise UsageError(f"{file}: the {step} playbook {path} does not exist")
    return found


def _absolute(directory: Path, path: str) -> Path:
    return Path(os.path.normpath(directory / Path(path).expanduser()))


def _section(file: Path, content: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = content.get(key)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise UsageError(f"{file}: {key}: expected a mapping, found {type(found).__name__}")
    return found


def _strings(mapping: Mapping[str, Any]) -> dict[str, str]:
    return {str(key): str(value) for key, value in mapping.items()}


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        former = merged.get(key)
        merged[key] = _merge(former, value) if isinstance(former, dict) and isinstance(value, dict) else value
    return merged
