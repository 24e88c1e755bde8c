"""Finding and removing what labrig made, by exact label match."""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import requests
from docker import DockerClient
from docker.errors import APIError, NotFound

from labrig import clock
from labrig.engine import ownership, swarm
from labrig.engine.client import engine_errors
from labrig.engine.ownership import Ownership

# What uses something before what it uses; a swarm replaces the containers of a service that is there.
ORDER = ("service", "container", "network", "volume", "image", "secret", "config")
IN_A_SWARM = frozenset({"service", "secret", "config"})
# The containers of a service's tasks end behind its removal, and hold its networks and secrets so long.
SETTLE_SECONDS = 15.0
LOOK_EVERY_SECONDS = 0.1
# The engine waits for the kernel half of the time that it takes to remove a container.
AT_ONCE = 4
# How long a container may take from its creation until it runs, on a busy engine.
START_SECONDS = 6.0


@dataclass(frozen=True)
class Owned:
    """One object that carries labrig's labels; ``sort`` is one of ``ORDER``."""

    sort: str
    id: str
    name: str
    ownership: Ownership


def find(client: DockerClient, *, run: str | None = None, part: str | None = None) -> list[Owned]:
    """Return all labelled objects on the engine, containers first: of one run, of one part of a run, or of all.

    Docker's label filter matches exactly: ``key=value``, or the presence of ``key``.
    """
    wanted = ownership.OWNER
    if run is not None:
        wanted = f"{ownership.RUN}={run}"
    if part is not None:
        wanted = f"{ownership.PART}={part}"
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
            *swarm.things(client, filters),
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
    going = sorted(things, key=lambda t: ORDER.index(t.sort))
    gone: list[Owned] = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for _, alike in itertools.groupby(going, key=lambda t: t.sort):
            several = list(alike)
            # An image with several names cannot be removed by its id, only name by name.
            names = [thing.name if thing.sort == "image" else thing.id for thing in several]
            done = pool.map(functools.partial(discard, client), (thing.sort for thing in several), names)
            gone += [thing for thing, is_gone in zip(several, done, strict=True) if is_gone]
    if any(thing.sort in IN_A_SWARM for thing in gone):
        swarm.leave_if_unused(client)
    return gone


def discard(client: DockerClient, sort: str, name: str) -> bool:
    """Remove one object, whoever's it is, by its name or id; tell whether it is gone.

    What somebody else has removed meanwhile is gone; what is in use is not.
    """
    removers: dict[str, Callable[[], object]] = {
        "container": lambda: client.api.remove_container(name, force=True, v=True),
        "network": lambda: client.api.remove_network(name),
        "volume": lambda: client.api.remove_volume(name, force=True),
        "image": lambda: client.api.remove_image(name, force=False),
        "service": lambda: client.api.remove_service(name),
        "secret": lambda: client.api.remove_secret(name),
        "config": lambda: client.api.remove_config(name),
    }
    until = clock.monotonic() + SETTLE_SECONDS
    with engine_errors(f"remove {sort} {name}"):
        while True:
            try:
                removers[sort]()
            except NotFound:
                return True
            except APIError as error:
                said = str(error.explanation)
                if "in use by task" in said and clock.monotonic() < until:
                    clock.sleep(LOOK_EVERY_SECONDS)
                    continue
                # In use; a network says so with 403, what is in a swarm with 400. Without a swarm it is gone.
                if error.status_code == 409 or "active endpoints" in said or "in use" in said:
                    return False
                if sort in IN_A_SWARM and error.status_code == swarm.NOT_A_MANAGER:
                    return True
                raise
            return True


def remove_run(client: DockerClient, run: str, *, kept: Collection[str] = ()) -> list[Owned]:
    """Remove everything that one run made and that is not stored for later runs, but for the parts ``kept``."""
    gone = remove(client, passing(find(client, run=run), kept))
    # It may have been killed between starting a swarm and its first hold on it.
    swarm.leave_if_unused(client)
    return gone


def starting(client: DockerClient, run: str) -> frozenset[str]:
    """Return the ids of a run's containers that were created and have not been started: a start may be under way.

    Removed at that moment, a container leaves its network with an endpoint that no request to the engine removes.
    """
    filters = {"label": f"{ownership.RUN}={run}", "status": "created"}
    with engine_errors("list what is being started"):
        return frozenset(str(found["Id"]) for found in client.api.containers(all=True, filters=filters))


def wait_until_started(client: DockerClient, container: str) -> None:
    """Wait, for ``START_SECONDS`` at most, until a container is not one of those any more."""
    end = clock.monotonic() + START_SECONDS
    with engine_errors("look whether a container has been started"):
        while client.api.inspect_container(container)["State"]["Status"] == "created" and clock.monotonic() < end:
            clock.sleep(0.05)


def passing(things: Iterable[Owned], kept: Collection[str] = ()) -> list[Owned]:
    """Return those that go with their run, but for what belongs to the parts ``kept``."""
    stays = {*kept} - {""}
    return [
        thing
        for thing in things
        if thing.ownership.kind in ownership.PASSING_KINDS and thing.ownership.part not in stays
    ]


def sweep(client: DockerClient) -> list[Owned]:
    """Remove what dead runs left and what has expired; never fails for an engine that is busy."""
    with contextlib.suppress(requests.RequestException):
        gone = remove(client, orphans(client))
        swarm.leave_if_unused(client)
        return gone
    return []


def remove_image(client: DockerClient, name: str) -> None:
    """Take a name from an image; what a machine uses, or somebody else has removed, stays as it is."""
    with engine_errors(f"remove image {name}"), contextlib.suppress(NotFound):
        try:
            client.api.remove_image(name, force=False)
        except APIError as error:
            if error.status_code != 409:
                raise
