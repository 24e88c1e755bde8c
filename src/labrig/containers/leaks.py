"""What tests leave on the engine: looked at before and after each, and once more at the end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from docker import DockerClient
from docker.errors import NotFound

from labrig.engine import ownership, swarm
from labrig.engine.client import engine_errors
from labrig.engine.sweep import Owned


@dataclass(frozen=True)
class Left:
    """One object that was there after a test and not before; ``why`` is what is known about it, a sentence's end."""

    sort: str
    id: str
    name: str
    test: str
    why: str

    def as_json(self) -> dict[str, str]:
        """Return what pytest-xdist can carry."""
        return asdict(self)


APPEARED = "appeared while it ran and does not bear labrig's labels"
PERHAPS = "(what does not bear labels may be somebody else's, on an engine that others use at the same time)"
IN_USE = "could not be removed, since something else uses it"

Look = Mapping[tuple[str, str], str]
"""What there is on an engine, but for what is labrig's: sort and id, with the name."""


def look(client: DockerClient) -> Look:
    """Return what there is; what bears labrig's labels goes with its own run.

    Images are left out: builds leave them on purpose, and listing a few hundred takes the engine half a second.
    """
    with engine_errors("list what there is"):
        api = client.api
        found = [
            *(("container", c["Id"], (c["Names"] or ["/?"])[0].lstrip("/"), c) for c in api.containers(all=True)),
            *(("network", n["Id"], n["Name"], n) for n in api.networks() if not swarm.brings(n["Name"])),
            *(("volume", v["Name"], v["Name"], v) for v in api.volumes()["Volumes"] or []),
        ]
    return {(sort, number): name for sort, number, name, thing in found if not _is_labrigs(sort, thing)}


def _is_labrigs(sort: str, thing: Mapping[str, Any]) -> bool:
    whose = ownership.Ownership.read(thing.get("Labels"))
    return whose is not None and whose.kind in ownership.KINDS[sort]


def appeared(before: Look, after: Look, test: str) -> list[Left]:
    """Return what is there after a test and was not there before."""
    return [
        Left(sort, number, name, test, APPEARED)
        for (sort, number), name in after.items()
        if (sort, number) not in before
    ]


def in_use(things: Iterable[Owned], test: str) -> list[Left]:
    """Return what a test's owner could not remove."""
    return [Left(thing.sort, thing.id, thing.name, test, IN_USE) for thing in things]


def still_there(client: DockerClient, things: Iterable[Left]) -> list[Left]:
    """Return those that have not gone since, such as with a fixture of a module."""
    looks: dict[str, Callable[[str], object]] = {
        "container": client.api.inspect_container,
        "network": client.api.inspect_network,
        "volume": client.api.inspect_volume,
        "image": client.api.inspect_image,
        "service": client.api.inspect_service,
        "secret": client.api.inspect_secret,
        "config": client.api.inspect_config,
    }
    there = []
    for thing in things:
        with engine_errors("look what is left"), contextlib.suppress(NotFound):
            looks[thing.sort](thing.id)
            there.append(thing)
    return there


def told(things: Iterable[Left]) -> list[str]:
    """Return a line for each object, with all the tests that it may be of: those that ran at the same time.

    >>> told([Left("volume", "v", "data", "test_a", APPEARED), Left("volume", "v", "data", "test_b", APPEARED)])
    ["test_a or test_b left volume data: it appeared while it ran and does not bear labrig's labels"]
    """
    tests: dict[tuple[str, str], list[Left]] = {}
    for thing in things:
        tests.setdefault((thing.sort, thing.id), []).append(thing)
    return [
        f"{' or '.join(dict.fromkeys(one.test for one in alike))} left {alike[0].sort} {alike[0].name}: "
        f"it {alike[0].why}"
        for alike in tests.values()
    ]
