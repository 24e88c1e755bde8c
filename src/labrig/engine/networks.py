"""Networks and volumes: each network gets a small subnet of its own, out of one range."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Network
from pathlib import Path

from docker import DockerClient
from docker.errors import APIError
from docker.types import IPAMConfig, IPAMPool

from labrig.engine import subnets
from labrig.engine.client import engine_errors, is_local
from labrig.errors import EnvironmentFailed

# Containers that a network has room for, unless more are asked for: a /26, of which the range holds 1024.
HOSTS = 60
ROUTES = Path("/proc/net/route")
# As often as others may have taken the very subnet that was free a moment ago.
TRIES = 30


def create(
    client: DockerClient,
    name: str,
    labels: Mapping[str, str],
    pools: Sequence[Mapping[str, str]] = (),
    *,
    hosts: int = HOSTS,
    internal: bool = False,
) -> str:
    """Create a bridge network and return its id.

    Without ``pools`` it gets a free subnet of the range of ``labrig.engine.subnets``: Docker's own pools end with the
    thirtieth network. The engine refuses what overlaps, so processes that take the same at once do not disturb each
    other, whoever's they are: one gets it, the others try the next.

    Args:
        client: The engine.
        name: What it is called.
        labels: Whose it is.
        pools: Its address ranges with ``subnet``, ``gateway`` and ``iprange``, where they are not to be chosen.
        hosts: How many containers it has to have room for.
        internal: Nothing outside can be reached from it.

    Raises:
        EnvironmentFailed: The engine refuses, or no subnet is left.
    """
    with engine_errors(f"create network {name}"):
        if pools:
            return _create(client, name, labels, pools, internal=internal)
        length, within = subnets.prefix(hosts), subnets.chosen_range()
        tried: list[IPv4Network] = []
        for _ in range(TRIES):
            start = secrets.randbelow(1 << max(0, length - within.prefixlen))
            used = [*_used(client, within), *tried]
            subnet = next(subnets.free(within, used, length, start=start), None)
            if subnet is None:
                raise EnvironmentFailed(
                    f"cannot create network {name}: no subnet for {hosts} containers (/{length}) is left in {within}",
                    hint=f"`labrig clean` removes what is left over; {subnets.VARIABLE} names another range",
                )
            try:
                return _create(client, name, labels, [{"subnet": str(subnet)}], internal=internal)
            except APIError as error:
                if "overlap" not in str(error.explanation).lower():
                    raise
                tried.append(subnet)
    raise EnvironmentFailed(
        f"cannot create network {name}: the engine refused {TRIES} subnets of {within} for overlapping with others",
        hint=f"{subnets.VARIABLE} names another range",
    )


def _create(
    client: DockerClient, name: str, labels: Mapping[str, str], pools: Sequence[Mapping[str, str]], *, internal: bool
) -> str:
    asked = [IPAMPool(pool.get("subnet"), pool.get("iprange"), pool.get("gateway")) for pool in pools]
    made = client.api.create_network(
        name,
        driver="bridge",
        labels=dict(labels),
        check_duplicate=True,
        internal=internal,
        ipam=IPAMConfig(pool_configs=asked),
    )
    return str(made["Id"])


def _used(client: DockerClient, within: IPv4Network) -> Iterator[IPv4Network]:
    for network in client.api.networks():
        for pool in (network.get("IPAM") or {}).get("Config") or ():
            # IPv6, and subnets of foreign drivers that are none.
            with contextlib.suppress(ValueError):
                yield IPv4Network(pool.get("Subnet", ""))
    if is_local() and ROUTES.is_file():
        yield from subnets.routes(ROUTES.read_text(encoding="ascii"), within)


def create_volume(client: DockerClient, name: str, labels: Mapping[str, str]) -> None:
    """Create a local volume."""
    with engine_errors(f"create volume {name}"):
        client.volumes.create(name, labels=dict(labels))
