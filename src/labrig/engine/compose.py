"""Compose files in the normal form of the Compose specification, as Docker Compose v2 itself makes it.

In the normal form every short notation is written out: ports, volumes and dependencies are mappings, paths are
absolute, files of variables are merged, ``extends`` and ``include`` are resolved, and each network, volume, secret and
config has the name that the engine will know it by. Anchors, and several files on top of one another, are for Compose.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labrig import yaml_file
from labrig.engine import cli
from labrig.engine.cli import Done
from labrig.errors import EnvironmentFailed, LabrigError, UsageError

Model = dict[str, Any]
"""A compose file in normal form: ``services``, ``networks``, ``volumes``, ``secrets``, ``configs`` and ``name``.

Values are what they mean: a dollar sign is one dollar sign. ``dumps`` writes it so that Compose reads the same again.
"""

CONFIG_SECONDS = 60.0
NO_COMPOSE = (
    "install Docker Compose v2: package docker-compose-v2 or docker-compose-plugin, or docker-compose on Debian 13"
)
# What a service of the Compose specification may say, for telling what a wrong key was probably to be.
SERVICE_KEYS = """
    annotations attach blkio_config build cap_add cap_drop cgroup cgroup_parent command configs container_name cpu_count
    cpu_percent cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares cpus cpuset credential_spec depends_on
    deploy develop device_cgroup_rules devices dns dns_opt dns_search domainname entrypoint env_file environment expose
    extends external_links extra_hosts group_add healthcheck hostname image init ipc isolation labels links logging
    mac_address mem_limit mem_reservation mem_swappiness memswap_limit network_mode networks oom_kill_disable
    oom_score_adj pid pids_limit platform ports privileged profiles pull_policy read_only restart runtime scale secrets
    security_opt shm_size stdin_open stop_grace_period stop_signal storage_opt sysctls tmpfs tty ulimits user
    userns_mode uts volumes volumes_from working_dir
"""
TOP_KEYS = "configs include name networks secrets services version volumes"

_UNKNOWN_KEY = re.compile(
    r"(?:validating (?P<file>.+?): )?(?P<where>\S+) Additional property (?P<key>\S+) is not allowed"
)
_WRONG_VALUE = re.compile(
    r"(?:validating (?P<file>.+?): )?(?P<where>services\.\S+|\w+\.\S+) (?P<what>must .+|contains .+)"
)
_SERVICE = re.compile(r'service "(?P<service>[^"]+)" (?P<what>.+?)(?:: invalid compose project)?$')
_VARIABLE = re.compile(r"error while interpolating (?P<where>\S+): (?P<what>.+)")
_UNSET = re.compile(r'The \\?"(?P<name>[^"\\]+)\\?" variable is not set')


@dataclass(frozen=True)
class ComposeFile:
    """Where a model comes from.

    Attributes:
        files: The compose files, each on top of the one before; at least one.
        project: What Compose calls the project: names of networks and volumes begin with it. Empty leaves it to
            Compose: the file's ``name``, or that of its folder.
        environment: The variables that the files may ask for.
        profiles: The profiles whose services count; ``*`` is all.
    """

    files: Sequence[Path]
    project: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    profiles: Sequence[str] = ()

    @property
    def directory(self) -> Path:
        """The folder that relative paths start from: that of the first file."""
        return self.files[0].resolve().parent

    def where(self, *steps: str | int) -> str:
        """Return ``FILE:LINE`` of what stands at the end of these steps, in the last file that has it."""
        for path in reversed(self.files):
            found = place(path, steps)
            if found is not None:
                return found
        return str(self.files[0])


def place(path: Path, steps: Sequence[str | int]) -> str | None:
    """Return ``FILE:LINE`` of what stands at the end of these steps, None where the first two are not there."""
    content = _content(path)
    for step in steps[:2]:
        if not isinstance(content, Mapping) or step not in content:
            return None
        content = content[step]
    return f"{path}:{yaml_file.line_of(yaml_file.read_text(path), steps)}" if steps else str(path)


def version(environment: Mapping[str, str] | None = None) -> str:
    """Return the version of Docker Compose, ``2.26.1`` for example.

    Raises:
        EnvironmentFailed: There is none, or it is the Compose v1 that was written in Python.
    """
    done = cli.attempt(["compose", "version", "--short"], "find Compose", env=environment, seconds=CONFIG_SECONDS)
    if done.code != 0:
        raise EnvironmentFailed(
            "there is no Docker Compose v2: the command `docker compose` is not there", hint=NO_COMPOSE
        )
    return done.stdout.strip().removeprefix("v")


def load(source: ComposeFile) -> Model:
    """Return the normal form of compose files.

    Raises:
        UsageError: A file is not there or is not a compose file; the message names file, service and key as far as
            Compose tells them.
        EnvironmentFailed: There is no Compose v2.
    """
    for path in source.files:
        if not path.is_file():
            raise UsageError(f"{path}: there is no such compose file")
    arguments = ["compose", *(["--project-name", source.project] if source.project else [])]
    for path in source.files:
        arguments += ["--file", str(path.resolve())]
    for profile in source.profiles:
        arguments += ["--profile", profile]
    done = cli.attempt(
        [*arguments, "config", "--format", "json"],
        f"read {source.files[0]}",
        env=source.environment,
        seconds=CONFIG_SECONDS,
        cwd=source.directory,
    )
    if done.code != 0:
        # Only now: asking each time would cost as much as the work itself.
        version(source.environment)
        raise refusal(source, done)
    unset = sorted(set(_UNSET.findall(done.stderr)))
    if unset:
        raise UsageError(
            f"{source.files[0]}: no value is given for {', '.join(unset)}, which Compose would leave empty",
            hint=f"give it a value, or write ${{{unset[0]}:-}} in the file where empty is meant",
        )
    return read(done.stdout)


def read(text: str) -> Model:
    """Return the model that Compose printed."""
    model: Model = _dollars(json.loads(text), "$$", "$")
    for part in ("services", "networks", "volumes", "secrets", "configs"):
        model[part] = model.get(part) or {}
    return model


def dumps(model: Model) -> str:
    """Return a compose file that Compose reads as this model; JSON, which is YAML."""
    return json.dumps(_dollars(model, "$", "$$"), indent=2)


def refusal(source: ComposeFile, done: Done) -> UsageError:
    """Return what Compose said against a file as an error that names file, line, service and key.

    >>> said = 'service "a" depends on undefined service "b": invalid compose project'
    >>> refusal(ComposeFile([Path("c.yaml")], "p"), Done(15, "", said)).message
    'c.yaml: service a: depends on undefined service "b"'
    """
    lines = [line for line in done.stderr.strip().splitlines() if line and not line.startswith("time=")]
    said = (lines[-1] if lines else f"exit code {done.code}").removesuffix(": invalid compose project")
    if unknown := _UNKNOWN_KEY.search(said):
        return _unknown_key(source, *_steps(source, unknown["file"], unknown["where"]), unknown["key"])
    if wrong := _WRONG_VALUE.search(said) or _VARIABLE.search(said):
        file, steps = _steps(source, wrong.groupdict().get("file"), wrong["where"])
        return UsageError(f"{place(file, steps) or file}: {_words(steps)}: {wrong['what']}")
    if service := _SERVICE.search(said):
        steps = ["services", service["service"]]
        return UsageError(f"{source.where(*steps)}: {_words(steps)}: {service['what']}")
    if said.startswith("yaml:"):
        for path in source.files:
            # Compose says the line alone, and often another one than the wrong one.
            yaml_file.read(path)
    for path in source.files:
        steps = _holding(path, said.rpartition(": ")[2])
        if steps:
            return UsageError(f"{place(path, steps)}: {_words(steps)}: {said}")
    return UsageError(f"{source.files[0]}: {said}")


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a hint at the known word that is most like this one; empty where none is."""
    near = difflib.get_close_matches(word, sorted(known), n=1)
    return f"did you mean {near[0]}?" if near else ""


def _unknown_key(source: ComposeFile, file: Path, steps: Sequence[str], key: str) -> UsageError:
    at = place(file, [*steps, key]) or source.where(*steps, key)
    known = "" if steps else TOP_KEYS
    if len(steps) == 2 and steps[0] == "services":
        known = SERVICE_KEYS
    what = f"{_words(steps)}: " if steps else ""
    return UsageError(f"{at}: {what}the Compose specification has no key {key} here", hint=nearest(key, known.split()))


def _steps(source: ComposeFile, file: str | None, where: str) -> tuple[Path, list[str]]:
    """Return the file and the steps that Compose names; names of services may hold dots, as its words do."""
    path = next(
        (given for given in source.files if file and given.resolve() == Path(file)), Path(file or source.files[0])
    )
    if where == "(root)":
        return path, []
    first, _, rest = where.partition(".")
    names = (_content(path) or {}).get(first) if isinstance(_content(path), Mapping) else None
    for name in sorted(names if isinstance(names, Mapping) else (), key=len, reverse=True):
        if rest == name or rest.startswith(f"{name}."):
            return path, [first, name, *filter(None, rest[len(name) + 1 :].split("."))]
    return path, where.split(".")


def _holding(path: Path, value: str) -> list[str]:
    """Return the steps to the one key of the one service that holds this value; empty where there are more."""
    content = _content(path)
    services = content.get("services") if isinstance(content, Mapping) else None
    found = [
        ["services", str(name), str(key)]
        for name, service in (services.items() if isinstance(services, Mapping) else ())
        for key, given in (service.items() if isinstance(service, Mapping) else ())
        if value and value in str(given)
    ]
    return found[0] if len(found) == 1 else []


def _content(path: Path) -> Any:
    """Return what a file holds; None where it cannot be read as plain YAML, as with the tags of Compose."""
    try:
        return yaml_file.read(path)
    except LabrigError:
        return None


def _words(steps: Sequence[str]) -> str:
    """Return steps as words: services.web.build is ``service web: build``."""
    kinds = {
        "services": "service",
        "networks": "network",
        "volumes": "volume",
        "secrets": "secret",
        "configs": "config",
    }
    if len(steps) < 2 or steps[0] not in kinds:
        return ".".join(steps)
    rest = ".".join(steps[2:])
    return f"{kinds[steps[0]]} {steps[1]}" + (f": {rest}" if rest else "")


def _dollars(value: Any, old: str, new: str) -> Any:
    if isinstance(value, str):
        return value.replace(old, new)
    if isinstance(value, Mapping):
        return {key: _dollars(part, old, new) for key, part in value.items()}
    if isinstance(value, list):
        return [_dollars(part, old, new) for part in value]
    return value
