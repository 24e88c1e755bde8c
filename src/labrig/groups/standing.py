"""What the engine has of a group: its containers, found by their labels alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from docker import DockerClient
from docker.errors import NotFound

from labrig.engine import ownership
from labrig.engine.client import engine_errors
from labrig.groups.collection import Collection
from labrig.groups.naming import SERVICE, Identity


@dataclass(frozen=True)
class Standing:
    """A container of a service as the engine has it.

    Attributes:
        status: Docker's word: ``running``, ``exited``, ...
        health: ``healthy``, ``unhealthy``, ``starting``; empty where it has no health check.
        ports: Host ports by ``5432/tcp``.
    """

    service: str
    id: str
    name: str
    status: str
    health: str = ""
    exit_code: int = 0
    image: str = ""
    started: str = ""
    ports: Mapping[str, int] = field(default_factory=dict)


def identity(collection: Collection) -> Identity:
    """Return what a group is on every engine."""
    return Identity(collection.group, collection.file, ownership.here())


def containers(client: DockerClient, whose: Identity) -> dict[str, str]:
    """Return the ids of a group's containers, by service."""
    with engine_errors(f"list the containers of group {whose.group}"):
        found = client.api.containers(all=True, filters={"label": whose.filter})
    return {one["Labels"][SERVICE]: str(one["Id"]) for one in found if one["Labels"].get(SERVICE)}


def inspected(client: DockerClient, container: str) -> Mapping[str, Any] | None:
    """Return what the engine says of a container, None where there is none."""
    with engine_errors("look at a container"):
        try:
            found: Mapping[str, Any] = client.api.inspect_container(container)
        except NotFound:
            return None
    return found


def standing(client: DockerClient, collection: Collection) -> dict[str, Standing]:
    """Return the containers that the engine has of a group, by service; also of services no longer defined."""
    stands = {}
    for service, container in containers(client, identity(collection)).items():
        found = inspected(client, container)
        if found is not None:
            stands[service] = of_inspect(service, found)
    return stands


def of_inspect(service: str, found: Mapping[str, Any]) -> Standing:
    """Return the container that the engine describes."""
    state = found["State"]
    return Standing(
        service=service,
        id=found["Id"],
        name=found["Name"].lstrip("/"),
        status=state["Status"],
        health=(state.get("Health") or {}).get("Status", "").replace("none", ""),
        exit_code=state["ExitCode"],
        image=found["Config"]["Image"],
        started=state["StartedAt"],
        ports=host_ports(found),
    )


def host_ports(found: Mapping[str, Any]) -> dict[str, int]:
    """Return the host's ports of a container that runs, by ``5432/tcp``."""
    published = found["NetworkSettings"].get("Ports") or {}
    return {key: int(bound[0]["HostPort"]) for key, bound in published.items() if bound}


def logs(client: DockerClient, container: str, lines: int) -> str:
    """Return the last lines that a container wrote, standard output and error together."""
    with engine_errors("read a container's logs"):
        said: bytes = client.api.logs(container, tail=lines)
    return said.decode("utf-8", "replace")
