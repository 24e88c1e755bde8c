"""LabTest's own configuration, read as labrig's: its options, their defaults, and where it is looked for."""

from __future__ import annotations

import configparser
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labrig import yaml_file
from labrig.errors import UsageError

# In the order in which they are looked for in a folder.
FILES = (".labtest.yml", ".labtest.yaml", "setup.cfg", "package.json")
SECTION = "labtest"
OPTIONS: Mapping[str, str] = {
    "host": "host",
    "test_domain": "domain",
    "app_name": "app",
    "app_build_command": "build_command",
    "app_build_image": "build_image",
    "before_start_command": "before_start",
    "code_repo_url": "repository",
    "container_build_command": "container_build_command",
    "docker_image_pattern": "image",
    "environment": "environment",
    "host_name_pattern": "host_name",
    "services": "services",
    "use_ssh_config": "ssh_config",
    "verbose": "verbose",
}
# Options of which only what labrig does itself is known.
BUILT_IN: Mapping[str, tuple[str, ...]] = {"build_provider": ("default", "local"), "container_provider": ("local",)}
SERVICE_OPTIONS: Mapping[str, str] = {
    "service": "service",
    "provision_type": "provision",
    "shared_app_name": "app",
    "shared_instance_name": "experiment",
    "shared_experiment_name": "experiment",
}
OPTIONS_OF_SERVICE: Mapping[str, str] = {
    "image": "image",
    "commands": "command",
    "environment": "environment",
    "initial_data_source": "initial_data",
    "wait_for_service": "wait",
    "wait_timeout": "wait_timeout",
    "wait_attempts": "wait_attempts",
}
# What LabTest does where an option is not given, and labrig otherwise.
DEFAULTS: Mapping[str, Any] = {"ssh_config": False}
SERVICE_DEFAULTS: Mapping[str, Any] = {"wait": False, "wait_attempts": 6}
_PATTERN = re.compile(r"%\((\w+)\)s|%%")
_YES = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
_SWITCHES = {"use_ssh_config", "verbose"}
_PATTERNS = {"docker_image_pattern", "host_name_pattern"}

Way = tuple[str | int, ...]


def content(path: Path, text: str) -> dict[str, Any] | None:
    """Return the section that a file has, or None where it has none.

    Raises:
        UsageError: It is not what its name says.
    """
    if path.name == "setup.cfg":
        parser = configparser.ConfigParser(interpolation=None)
        try:
            parser.read_string(text)
        except configparser.Error as error:
            raise UsageError(f"{path}: not INI: {' '.join(str(error).split())}") from error
        return dict(parser[SECTION]) if parser.has_section(SECTION) else None
    if path.suffix == ".json":
        try:
            whole = json.loads(text)
        except json.JSONDecodeError as error:
            raise UsageError(f"{path}:{error.lineno}:{error.colno}: not JSON: {error.msg}") from error
    else:
        whole = yaml_file.parse_mapping(text, path)
    found = whole.get(SECTION) if isinstance(whole, dict) else None
    if found is not None and not isinstance(found, dict):
        raise UsageError(f"{path}: {SECTION}: expected a mapping, found {type(found).__name__}")
    return found


def translated(found: Mapping[str, Any]) -> tuple[dict[str, Any], dict[Way, Way], list[tuple[Way, str]]]:
    """Return labrig's options for LabTest's, how their own file calls them, and what can't be said with labrig's.

    Options that labrig alone has are taken as they are.

    >>> translated({"test_domain": "lab.example", "expires": "1d"})[:2]
    ({'ssh_config': False, 'domain': 'lab.example', 'expires': '1d'}, {('domain',): ('test_domain',)})
    """
    options: dict[str, Any] = dict(DEFAULTS)
    ways: dict[Way, Way] = {}
    wrong: list[tuple[Way, str]] = []
    for key, value in found.items():
        if key in BUILT_IN:
            if value not in BUILT_IN[key]:
                known = " or ".join(BUILT_IN[key])
                wrong.append(((key,), f"only {known} is known: labrig builds with Docker on the lab host"))
            continue
        name = OPTIONS.get(key, key)
        if name != key and name in found:
            wrong.append(((key,), f"it is {name} by another name, and both are given"))
            continue
        ways[(name,)] = (key,)
        if name == "services" and isinstance(value, dict):
            options[name] = {}
            for service, own in value.items():
                options[name][service] = _service((key, service), own, ways, wrong)
        else:
            options[name] = _read(key, value)
    return options, {way: own for way, own in ways.items() if way != own}, wrong


def _read(key: str, value: Any) -> Any:
    if key in _PATTERNS and isinstance(value, str):
        return _PATTERN.sub(lambda one: f"${{{one[1]}}}" if one[1] else "%", value)
    if key in _SWITCHES and not isinstance(value, bool):
        return _YES.get(str(value).strip().lower(), value)
    if key == "environment" and isinstance(value, str):
        return [one.strip() for one in value.split(",") if one.strip()]
    return value


def _service(way: Way, own: Any, ways: dict[Way, Way], wrong: list[tuple[Way, str]]) -> Any:
    if not isinstance(own, dict):
        return own
    options: dict[str, Any] = dict(SERVICE_DEFAULTS) if own.get("provision_type") in {None, "independent"} else {}
    target = ("services", *way[1:])
    for key, value in own.items():
        if key == "provider":
            if value != "docker":
                wrong.append(((*way, key), "only docker is known: services are containers on the lab host"))
        elif key == "options" and isinstance(value, dict):
            for option, given in value.items():
                name = OPTIONS_OF_SERVICE.get(option, option)
                options[name] = given
                ways[(*target, name)] = (*way, key, option)
        else:
            name = SERVICE_OPTIONS.get(key, key)
            options[name] = value
            ways[(*target, name)] = (*way, key)
    return options
