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
    {'ports': {'53/udp': [('127.0.0.1', '8053')], '80': ['8080']}}
    """
    published = [str(one) for one in asked.get("published_ports") or ()]
    if not published:
        return {}
    from docker.utils.ports import build_port_bindings  # noqa: PLC0415  # Docker's library, only where it is needed

    try:
        return {"ports": build_port_bindings(published)}
    except ValueError as error:
        raise UsageError(f"published_ports: {error}") from error
