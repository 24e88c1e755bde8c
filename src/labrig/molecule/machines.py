"""Making and removing the machines of a scenario, all at once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import yaml
from docker import DockerClient

from labrig import clock
from labrig.ansible.scenario import Platform
from labrig.engine import networks, ownership, sweep
from labrig.engine.client import connect
from labrig.engine.machines import Machine
from labrig.engine.ownership import RunLock
from labrig.errors import EnvironmentFailed, LabrigError
from labrig.molecule import options
from labrig.molecule.building import Builder
from labrig.molecule.place import Place
from labrig.prove import platforms, snapshots

# People come back to a machine that they have converged; longer ago than this they have forgotten it.
KEPT_FOR = timedelta(days=14)


@dataclass(frozen=True)
class Made:
    """A machine that was made; ``status`` is systemd's word, ``running`` or ``degraded``."""

    name: str
    container: str
    image: str
    status: str
    failed_units: str = ""


def create(
    place: Place,
    chosen: tuple[Platform, ...],
    *,
    project: str,
    images: Mapping[str, str],
    instance_config: Path,
    builder: Builder,
) -> list[Made]:
    """Make the machines anew, and wait until all have booted.

    Args:
        place: The scenario's place.
        chosen: Its machines.
        project: The project's name.
        images: Names or patterns of images, and what is used instead.
        instance_config: Where Molecule's users look up what was made.
        builder: For a platform whose image is to be built, or has no Python.

    Raises:
        EnvironmentFailed: The engine refuses, an image is not to be had, a machine does not boot.
    """
    client = connect()
    with RunLock(place.run, shared=True):
        with contextlib.suppress(LabrigError):
            sweep.sweep(client)
        # What a command that was killed has left, or one whose state was reset.
        sweep.remove_run(client, place.run)

        def own(kind: str) -> dict[str, str]:
            expires = clock.now() + KEPT_FOR
            return ownership.labels(kind=kind, project=project, run=place.run, expires=expires, keep=True)

        own_networks = {name: place.container(name) for name in options.network_names(chosen)}
        for name, called in own_networks.items():
            networks.create(client, called, own("network"), options.address_pools(chosen, name))
        own_volumes = {name: place.container(name) for name in platforms.volume_names(chosen)}
        for called in own_volumes.values():
            networks.create_volume(client, called, own("volume"))

        def make(platform: Platform) -> Made:
            def start(image: str) -> Machine:
                spec = options.machine(platform, image, own_networks, own_volumes)
                labels = {**options.labels(platform), **own("machine")}
                return Machine.create(client, spec, container=place.container(platform.name), labels=labels)

            return _make(client, platform, images, start, builder)

        with ThreadPoolExecutor(max_workers=max(1, len(chosen))) as pool:
            made = list(pool.map(make, chosen))
    _tell(instance_config, made)
    return made


def destroy(place: Place) -> list[str]:
    """Remove what belongs to the scenario; return what it was called."""
    gone = [thing.name for thing in sweep.remove_run(connect(), place.run)]
    ownership.forget(place.run)
    for beside in (".lock", ".log"):
        place.socket.with_name(place.socket.name + beside).unlink(missing_ok=True)
    return gone


def _make(
    client: DockerClient,
    platform: Platform,
    images: Mapping[str, str],
    start: Callable[[str], Machine],
    builder: Builder,
) -> Made:
    as_it_is = bool(platform.snapshot or platform.options.get("pre_build_image"))
    image = platform.snapshot or platforms.image_for(platform.image, images)
    if not as_it_is and builder.file(platform):
        image = builder.build(platform, image)
        as_it_is = True
    machine = start(image)
    status = machine.wait_until_booted()
    if not as_it_is and not _has_python(machine):
        machine.remove()
        image = builder.build(platform, image)
        machine = start(image)
        status = machine.wait_until_booted()
    state, _, failed = status.partition("\n")
    snapshot = snapshots.of_image(client, image, platform.name)
    if snapshot and snapshot.mounted:
        machine.restore(snapshot.mounted)
    return Made(platform.name, machine.container, image, state, failed)


def _has_python(machine: Machine) -> bool:
    try:
        machine.python()
    except EnvironmentFailed:
        if machine.is_running():
            return False
        raise
    return True


def _tell(file: Path, made: list[Made]) -> None:
    told = [{"instance": one.name, "address": one.container, "image": one.image} for one in made]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(told, sort_keys=False), encoding="utf-8")
