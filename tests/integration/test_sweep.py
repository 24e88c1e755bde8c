"""What labrig finds and removes on a real engine, and what it never does."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import pytest

from labrig import clock
from labrig.engine import ownership, sweep
from labrig.engine.client import connect
from labrig.engine.machines import Machine, MachineSpec

IMAGE = "labrig/debian-12:latest"


@pytest.fixture
def client() -> Iterator[docker.DockerClient]:
    found = connect()
    yield found
    found.close()


@pytest.fixture
def run(client: docker.DockerClient) -> Iterator[str]:
    """Yield the name of a run that is dead: nobody holds its lock."""
    name = ownership.new_run_id()
    yield name
    sweep.remove_run(client, name)


def machine(client: docker.DockerClient, run: str, **over: object) -> Machine:
    labels = ownership.labels(**{"kind": "machine", "project": "test", "run": run, **over})  # type: ignore[arg-type]
    spec = MachineSpec(name="web", image=IMAGE, hostname="web")
    return Machine.create(client, spec, container=f"labrig-{run}-web", labels=labels)


def names(things: list[sweep.Owned]) -> set[str]:
    return {thing.name for thing in things}


def test_a_machine_of_a_dead_run_is_swept(client: docker.DockerClient, run: str) -> None:
    with ownership.RunLock(run):
        made = machine(client, run)
    # Other tests begin runs at the same time, and whoever does so sweeps: one of them may be first.
    sweep.sweep(client)
    until = clock.monotonic() + 10
    while made.container in names(sweep.find(client)) and clock.monotonic() < until:
        clock.sleep(0.1)
    assert made.container not in names(sweep.find(client))


def test_a_machine_of_a_run_that_goes_on_is_not_swept(client: docker.DockerClient, run: str) -> None:
    with ownership.RunLock(run):
        made = machine(client, run)
        assert made.container in names(sweep.find(client, run=run))
        assert made.container not in names(sweep.orphans(client))


def test_what_others_make_of_labrigs_images_is_theirs(client: docker.DockerClient) -> None:
    """Docker passes labels on: from an image to its containers, and from a container to its images."""
    theirs = client.containers.create(IMAGE, command=["/bin/true"])
    image = theirs.commit(repository="somebody/image", tag="theirs")
    try:
        assert theirs.labels[ownership.KIND] == "image"
        found = sweep.find(client)
        assert theirs.name not in names(found)
        assert "somebody/image:theirs" not in names(found)
        assert IMAGE in names(found)
    finally:
        theirs.remove(force=True)
        client.images.remove(image.id, force=True)


def test_an_image_that_is_in_use_stays(client: docker.DockerClient, run: str) -> None:
    labels = ownership.labels(kind="snapshot", project="test", expires=None)
    with ownership.RunLock(run):
        machine(client, run).commit("labrig/snapshot", f"test-{run}", labels)
    user = client.containers.create(f"labrig/snapshot:test-{run}", command=["/bin/true"])
    try:
        (thing,) = [one for one in sweep.find(client) if one.name == f"labrig/snapshot:test-{run}"]
        assert sweep.remove(client, [thing]) == []
    finally:
        user.remove(force=True)
    assert sweep.remove(client, [thing]) == [thing]


def test_files_that_docker_mounts_stay_through_a_restart(client: docker.DockerClient, run: str) -> None:
    with ownership.RunLock(run):
        made = machine(client, run)
        made.wait_until_booted()
        made.execute(["/bin/sh", "-c", "echo 192.0.2.1 elsewhere >> /etc/hosts"])
        made.restart()
        assert b"192.0.2.1 elsewhere" in made.execute(["cat", "/etc/hosts"]).stdout
