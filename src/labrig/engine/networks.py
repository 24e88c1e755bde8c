"""Networks and volumes of machines."""

from __future__ import annotations

from collections.abc import Mapping

from docker import DockerClient

from labrig.engine.client import engine_errors


def create(client: DockerClient, name: str, labels: Mapping[str, str]) -> None:
    """Create a bridge network with an address range that the engine chooses."""
    with engine_errors(f"create network {name}"):
        client.networks.create(name, driver="bridge", labels=dict(labels), check_duplicate=True)


def create_volume(client: DockerClient, name: str, labels: Mapping[str, str]) -> None:
    """Create a local volume."""
    with engine_errors(f"create volume {name}"):
        client.volumes.create(name, labels=dict(labels))
