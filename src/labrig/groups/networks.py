"""The networks of a group on the engine: made when a service needs them, removed when the group is."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping

from docker import DockerClient
from docker.errors import APIError

from labrig.engine import networks as engine_networks
from labrig.engine.client import engine_errors
from labrig.errors import UsageError
from labrig.groups.definition import Definition, Network
from labrig.groups.naming import NETWORK, Identity


class Networks:
    """The networks of one operation; its methods may be called from any thread.

    Args:
        client: The engine.
        whose: The group.
        declared: The group's networks by name, as its services describe them.
        default_name: What the user calls the group's own network; None is a name of labrig's.
        size: How many containers a network has to have room for.
    """

    def __init__(
        self,
        client: DockerClient,
        whose: Identity,
        declared: Mapping[str, Network],
        *,
        default_name: str | None,
        size: int,
    ) -> None:
        self._client = client
        self._whose = whose
        self._declared = declared
        self._default_name = default_name
        self._size = size
        self._ids: dict[str, str] = {}
        self._lock = threading.Lock()

    def name(self, network: Network) -> str:
        """Return what a network is called on the engine."""
        return self._whose.network(self._declared.get(network.name, network), self._default_name)

    def ids(self, definition: Definition) -> dict[str, str]:
        """Return the ids of a service's networks by their names on the engine; those that are not there are made.

        Raises:
            UsageError: An external network is not there.
        """
        return {self.name(one.network): self._id(one.network) for one in definition.networks}

    def names(self, definition: Definition) -> dict[str, str]:
        """Return the names on the engine of a service's networks, by the names in its definition."""
        return {one.network.name: self.name(one.network) for one in definition.networks}

    def _id(self, network: Network) -> str:
        network = self._declared.get(network.name, network)
        name = self.name(network)
        with self._lock:
            if name not in self._ids:
                self._ids[name] = find(self._client, name) or self._made(network, name)
            return self._ids[name]

    def _made(self, network: Network, name: str) -> str:
        if network.external:
            raise UsageError(f"there is no network {name!r}, which is said to be external", hint="create it first")
        labels = {**self._whose.labels(), NETWORK: network.name}
        if network.driver == "bridge":
            return engine_networks.create(self._client, name, labels, hosts=self._size, internal=network.internal)
        with engine_errors(f"create network {name}"):
            made = self._client.networks.create(name, driver=network.driver, labels=labels, internal=network.internal)
        return str(made.id)


def find(client: DockerClient, name: str) -> str | None:
    """Return the id of the network of exactly this name, or None."""
    with engine_errors(f"look for network {name}"):
        # Docker's filter takes a name for a pattern.
        found = client.api.networks(names=[name])
    return next((str(one["Id"]) for one in found if one["Name"] == name), None)


def remove(client: DockerClient, whose: Identity) -> None:
    """Remove the networks of a group; one that somebody else's container is in stays."""
    with engine_errors(f"remove the networks of group {whose.group}"):
        for one in client.api.networks(filters={"label": whose.filter}):
            with contextlib.suppress(APIError):
                client.api.remove_network(one["Id"])
