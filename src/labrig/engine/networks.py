"""Networks and volumes of machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from docker import DockerClient
from docker.types import IPAMConfig, IPAMPool

from labrig.engine.client import engine_errors


def create(client: DockerClient, name: str, labels: Mapping[str, str], pools: Sequence[Mapping[str, str]] = ()) -> None:
    """Create a bridge network.

    Args:
        client: The engine.
        name: What it is called.
        labels: Whose it is.
        pools: Its address ranges with ``subnet``, ``gateway`` and ``iprange``; the engine chooses where there is none.
    """
    ipam = (
        IPAMConfig(
            pool_configs=[IPAMPool(pool.get("subnet"), pool.get("iprange"), pool.get("gateway")) for pool in pools]
        )
        if pools
        else None
    )
    with engine_errors(f"create network {name}"):
        client.networks.create(name, driver="bridge", labels=dict(labels), check_duplicate=True, ipam=ipam)


def create_volume(client: DockerClient, name: str, labels: Mapping[str, str]) -> None:
    """Create a local volume."""
    with engine_errors(f"create volume {name}"):
        client.volumes.create(name, labels=dict(labels))
