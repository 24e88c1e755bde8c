"""Finding and removing what labrig made, by exact label match."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import requests
from docker import DockerClient
from docker.errors import APIError, NotFound

from labrig.engine import ownership
from labrig.engine.client import engine_errors
from labrig.engine.ownership import Ownership


@dataclass(frozen=True)
class Owned:
    """One object that carries labrig's labels; ``sort`` is container, network, volume or image."""

    sort: str
    id: str
    name: str
    ownership: Ownership


def find(client: DockerClient, *, run: str | None = None) -> list[Owned]:
    """Return all labelled objects on the engine, containers first, of one run or of all.

    Docker's label filter matches exactly: ``key=value``, or the presence of ``key``.
    """
    wanted = f"{ownership.RUN}={run}" if run is not None else ownership.OWNER
    filters = {"label": wanted}
    with engine_errors("list what labrig owns"):
        api = client.api
        found = [
            *(
                ("container", c["Id"], c["Names"][0].lstrip("/") if c["Names"] else c["Id"][:12], c["Labels"])
                for c in api.containers(all=True, filters=filters)
            ),
            *(("network", n["Id"], n["Name"], n["Labels"]) for n in api.networks(filters=filters)),
            *(("volume", v["Name"], v["Name"], v["Labels"]) for v in api.volumes(filters=filters)["Volumes"] or []),
            *(
                ("image", i["Id"], name, i["Labels"])
                for i in api.images(filters=filters)
                for name in i["RepoTags"] or ()
                if name.startswith(ownership.IMAGES)
            ),
        ]
    owned = []
    for sort, identifier, name, found_labels in found:
        whose = Ownership.read(found_labels)
        if whose is not None and whose.kind in ownership.KINDS[sort]:
            owned.append(Owned(sort, identifier, name, whose))
    return owned


def orphans(client: DockerClient) -> list[Owned]:
    """Return what dead runs left and what has expired."""
    return [
        thing
        for thing in find(client)
        if ownership.is_orphan(thing.ownership) and not thing.name.startswith(ownership.NAMED_IMAGES)
    ]


def remove(client: DockerClient, things: Iterable[Owned]) -> list[Owned]:
    """Remove objects, containers before the networks and images that they use; return those that are gone.

    What somebody else has removed meanwhile counts as gone; what is in use stays.
    """
    removers: dict[str, Callable[[str], object]] = {
        "container": lambda i: client.api.remove_container(i, force=True, v=True),
        "network": client.api.remove_network,
        "volume": lambda i: client.api.remove_volume(i, force=True),
        "image": lambda i: client.api.remove_image(i, force=False),
    }
    order = list(removers)
    gone = []
    for thing in sorted(things, key=lambda t: order.index(t.sort)):
        with engine_errors(f"remove {thing.sort} {thing.name}"):
            try:
                # An image with several names cannot be removed by its id, only name by name.
                removers[thing.sort](thing.name if thing.sort == "image" else thing.id)
            except NotFound:
                pass
            except APIError as error:
                if error.status_code == 409:
                    continue
                raise
        gone.append(thing)
    return gone


def remove_run(client: DockerClient, run: str) -> list[Owned]:
    """Remove everything that one run made and that is not stored for later runs."""
    mine = [t for t in find(client, run=run) if t.ownership.kind in ownership.PASSING_KINDS]
    return remove(client, mine)


def sweep(client: DockerClient) -> list[Owned]:
    """Remove what dead runs left and what has expired; never fails for an engine that is busy."""
    with contextlib.suppress(requests.RequestException):
        return remove(client, orphans(client))
    return []


def remove_image(client: DockerClient, name: str) -> None:
    """Take a name from an image; what a machine uses, or somebody else has removed, stays as it is."""
    with engine_errors(f"remove image {name}"), contextlib.suppress(NotFound):
        try:
            client.api.remove_image(name, force=False)
        except APIError as error:
            if error.status_code != 409:
                raise
