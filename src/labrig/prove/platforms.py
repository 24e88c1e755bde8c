"""From a platform of molecule.yml to the machine that stands for it: pure."""

from __future__ import annotations

import fnmatch
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from labrig.ansible.scenario import Platform
from labrig.engine.machines import CGROUP_TREE, PRIVILEGED_CAPABILITIES, USUAL_CAPABILITIES, MachineSpec

# Options of Molecule's docker driver that go to Docker as they are, under Docker's own name for them.
PASSED_ON = {
    "security_opts": "security_opt",
    "devices": "devices",
    "shm_size": "shm_size",
    "dns_servers": "dns",
    "etc_hosts": "extra_hosts",
    "sysctls": "sysctls",
    "pid_mode": "pid_mode",
    "memory": "mem_limit",
    "memory_swap": "memswap_limit",
    "runtime": "runtime",
    "platform": "platform",
    "user": "user",
    "tty": "tty",
}
# What would make two machines of one proof collide on the engine, or is Docker's business and not the machine's.
NOT_TAKEN = ("published_ports", "restart_policy", "restart_retries", "pull", "recreate", "log_driver")


def image_for(image: str, substitutions: Mapping[str, str]) -> str:
    """Return the image to use where a scenario names ``image``; patterns are those of file names.

    >>> image_for("geerlingguy/docker-debian12-ansible:latest", {"geerlingguy/docker-*": "labrig/debian-12:latest"})
    'labrig/debian-12:latest'
    """
    for pattern, substitute in substitutions.items():
        # Docker reads a name without a tag as :latest, and so do people who write patterns.
        if pattern in (image, f"{image}:latest") or fnmatch.fnmatchcase(image, pattern):
            return substitute
        if image.removesuffix(":latest") == pattern:
            return substitute
    return image


def machine(
    platform: Platform, image: str, networks: Mapping[str, str], volumes: Mapping[str, str] | None = None
) -> MachineSpec:
    """Return what the platform's machine is made of.

    Args:
        platform: The platform.
        image: The image that it starts from on this path.
        networks: The scenario's network names with those of this path's own networks.
        volumes: The scenario's volume names with those of this path's own volumes.
    """
    options = platform.options
    asked = tuple(str(one).upper().removeprefix("CAP_") for one in options.get("capabilities") or ())
    # No host lacks the usual capabilities, while many refuse all of them: "privileged" gets what it is meant for.
    usual = PRIVILEGED_CAPABILITIES if options.get("privileged") else USUAL_CAPABILITIES
    capabilities = tuple(dict.fromkeys((*usual, *(one for one in asked if one != "ALL"))))
    return MachineSpec(
        name=platform.name,
        image=image,
        hostname=platform.hostname,
        command=_command(options.get("command")),
        entrypoint=_command(options.get("entrypoint")),
        capabilities=capabilities,
        tmpfs=_tmpfs(options.get("tmpfs")),
        volumes=tuple(
            _own_volume(one, volumes or {}) for one in map(str, options.get("volumes") or ()) if not _is_cgroup(one)
        ),
        env={str(key): str(value) for key, value in (options.get("env") or {}).items()},
        networks=_networks(platform, networks),
        network_mode=options.get("network_mode") if not networks else None,
        extra={PASSED_ON[key]: options[key] for key in PASSED_ON if options.get(key)} | _ulimits(options),
    )


def network_names(platforms: tuple[Platform, ...]) -> tuple[str, ...]:
    """Return the networks that the scenario's machines are on, in order."""
    names = (str(one["name"]) for platform in platforms for one in platform.options.get("networks") or ())
    return tuple(dict.fromkeys(names))


def volume_names(platforms: tuple[Platform, ...]) -> tuple[str, ...]:
    """Return the named volumes that the scenario's machines mount: neither paths of the host nor unnamed ones."""
    sources = (str(one).split(":") for platform in platforms for one in platform.options.get("volumes") or ())
    return tuple(dict.fromkeys(parts[0] for parts in sources if len(parts) > 1 and _is_name(parts[0])))


def _own_volume(volume: str, volumes: Mapping[str, str]) -> str:
    source, separator, rest = volume.partition(":")
    return f"{volumes.get(source, source)}{separator}{rest}"


def _is_name(source: str) -> bool:
    return not source.startswith(("/", ".", "~"))


def _networks(platform: Platform, networks: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for one in platform.options.get("networks") or ():
        aliases = dict.fromkeys((platform.name, platform.hostname, *map(str, one.get("aliases") or ())))
        found[networks[str(one["name"])]] = tuple(aliases)
    return found


def _command(value: Any) -> tuple[str, ...] | None:
    if not value:
        return None
    words = shlex.split(value) if isinstance(value, str) else [str(one) for one in value]
    return tuple(words) or None


def _tmpfs(value: Any) -> dict[str, str]:
    if isinstance(value, dict):
        return {str(path): str(options or "") for path, options in value.items()}
    found = {}
    for one in value or ():
        path, _, options = str(one).partition(":")
        found[path] = options
    return found


def _is_cgroup(volume: str) -> bool:
    return CGROUP_TREE in volume.split(":")[:2]


def _ulimits(options: Mapping[str, Any]) -> dict[str, Any]:
    from docker.types import Ulimit  # noqa: PLC0415  # Docker's library, only where a scenario asks for it

    limits = []
    for one in options.get("ulimits") or ():
        name, _, values = str(one).partition(":")
        soft, _, hard = values.partition(":")
        limits.append(Ulimit(name=name, soft=int(soft), hard=int(hard or soft)))
    return {"ulimits": limits} if limits else {}


def owners(now: Mapping[str, Iterable[str]], former: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Return whose each address is, from the addresses of machines by name: now, and while they were production.

    Docker gives an address that is free again to the next machine: then it is whose it is now.

    >>> owners({"web": ["10.0.0.2"], "db": ["10.0.0.3"]}, {"web": ["10.0.0.3"], "db": ["10.0.0.4"]})
    {'10.0.0.3': 'db', '10.0.0.4': 'db', '10.0.0.2': 'web'}
    """
    return {address: name for known in (former, now) for name, some in known.items() for address in some}
