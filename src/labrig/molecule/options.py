"""What a platform of Molecule's docker driver asks for, as options of a machine that Molecule's user works with: pure.

A proof leaves out what would make its two machines collide, ports of the host for example; here there is one machine.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from labrig.ansible.scenario import Platform
from labrig.engine.machines import MachineSpec
from labrig.errors import UsageError
from labrig.prove import platforms


def machine(platform: Platform, image: str, networks: Mapping[str, str], volumes: Mapping[str, str]) -> MachineSpec:
    """Return what the platform's machine is made of; networks and volumes as for a proof."""
    spec = platforms.machine(platform, image, networks, volumes)
    asked = platform.options
    extra = {**spec.extra, **_ports(asked)}
    if asked.get("cpus"):
        extra["nano_cpus"] = int(float(asked["cpus"]) * 1e9)
    if asked.get("restart_policy"):
        retries = int(asked.get("restart_retries") or 0)
        extra["restart_policy"] = {"Name": str(asked["restart_policy"]), "MaximumRetryCount": retries}
    if asked.get("links"):
        # The other end of a link is a container that the scenario does not make.
        extra["links"] = dict(str(one).partition(":")[::2] for one in asked["links"])
    addresses = {
        networks[str(one["name"])]: str(one["ipv4_address"])
        for one in asked.get("networks") or ()
        if one.get("ipv4_address")
    }
    return dataclasses.replace(spec, extra=extra, addresses=addresses)


def network_names(chosen: tuple[Platform, ...]) -> tuple[str, ...]:
    """Return the networks that the machines are on, and those that the scenario only defines."""
    defined = (str(one["name"]) for platform in chosen for one in platform.options.get("docker_networks") or ())
    return tuple(dict.fromkeys((*platforms.network_names(chosen), *defined)))


def address_pools(chosen: tuple[Platform, ...], network: str) -> tuple[dict[str, str], ...]:
    """Return the subnets of a network, with ``subnet`` and ``gateway``, as ``docker_networks`` defines them."""
    return tuple(
        {key: str(pool[key]) for key in ("subnet", "gateway", "iprange") if pool.get(key)}
        for platform in chosen
        for one in platform.options.get("docker_networks") or ()
        if str(one["name"]) == network
        for pool in one.get("ipam_config") or ()
    )[:1]


def labels(platform: Platform) -> dict[str, str]:
    """Return the labels that the scenario gives to the machine."""
    return {str(key): str(value) for key, value in (platform.options.get("labels") or {}).items()}


def _ports(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return Docker's ``ports``: what is published, and where; what is only exposed goes to nobody outside.

    >>> _ports({"published_ports": ["127.0.0.1:8053:53/udp", "8080:80"]})
    {'ports': {'53/udp': [('127.0.0.1', 8053)], '80/tcp': [8080]}}
    """
    ports: dict[str, list[Any]] = {}
    for one in asked.get("published_ports") or ():
        text, _, protocol = str(one).partition("/")
        *host, inner = text.rsplit(":", 2)
        if not all(number.isdigit() for number in (inner, *host[-1:])):
            raise UsageError(f"published_ports: expected [ADDRESS:]PORT:PORT[/PROTOCOL], found {one!r}")
        outer: Any = None
        if host:
            outer = (host[0], int(host[1])) if len(host) == 2 else int(host[0])
        ports.setdefault(f"{inner}/{protocol or 'tcp'}", []).append(outer)
    return {"ports": ports} if ports else {}
