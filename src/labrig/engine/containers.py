"""Containers and images that are not labrig's own: looking into them without changing them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from docker import DockerClient
from docker.errors import APIError, NotFound

from labrig.engine import images, ownership, sweep
from labrig.engine.client import engine_errors
from labrig.engine.machines import INITS, Machine, MachineSpec
from labrig.engine.ownership import RunLock
from labrig.engine.reaper import Reaper
from labrig.errors import EnvironmentFailed

# Where a helper holds the files of a container that cannot be asked itself.
ROOT = "/srv/root"
HELPER_IMAGE = "labrig/debian-12:latest"
SYSTEMD = ("/lib/systemd/systemd", "/usr/lib/systemd/systemd")
# Whatever user an image names: only root sees all.
SUPERUSER = "0"


@dataclass(frozen=True)
class Found:
    """A container as the engine knows it; ``status`` is Docker's word, ``running`` or ``exited`` for example."""

    id: str
    name: str
    status: str
    image: str


def find(client: DockerClient, name: str) -> Found | None:
    """Return the container with this name or id, or None."""
    with engine_errors(f"look for container {name}"):
        try:
            found = client.api.inspect_container(name)
        except NotFound:
            return None
    config, state = found["Config"], found["State"]
    return Found(found["Id"], found["Name"].lstrip("/"), state["Status"], config["Image"])


def image_id(client: DockerClient, name: str) -> str | None:
    """Return the id of an image on the engine, or None; a word that no image can be called is none either."""
    with engine_errors(f"look for image {name}"):
        try:
            return str(client.api.inspect_image(name)["Id"])
        except APIError as error:
            if error.status_code in (400, 404):
                return None
            raise


class Attached:
    """A running container of anybody's, in which commands run as root."""

    def __init__(self, client: DockerClient, found: Found) -> None:
        spec = MachineSpec(name=found.name, image=found.image, hostname="")
        with engine_errors(f"look at container {found.name}"):
            self._machine = Machine(client, client.containers.get(found.id), spec, boots=False)

    def execute(self, command: Sequence[str], stdin: bytes = b"") -> Iterator[bytes]:
        """Run a command with bytes on its standard input; yield its output in pieces as it comes.

        Raises:
            EnvironmentFailed: The command did not end with 0, or the container stopped.
        """
        return self._machine.stream(command, stdin, user=SUPERUSER)


@contextlib.contextmanager
def booted(client: DockerClient, image: str) -> Iterator[Machine | None]:
    """Boot a machine of an image, and remove it afterwards; None for an image without systemd.

    Raises:
        EnvironmentFailed: It does not boot.
    """
    with _run(client) as run:
        init = _init(client, image, run)
        if not init:
            yield None
            return
        # One name, so one identity: two images can be compared.
        spec = MachineSpec(name="image", image=image, hostname="image", entrypoint=init)
        machine = Machine.create(client, spec, container=f"labrig-{run}-image", labels=_labels(run))
        machine.wait_until_booted()
        yield machine


@contextlib.contextmanager
def files_of(client: DockerClient, found: Found) -> Iterator[Machine]:
    """Lay the files of a container below ``ROOT`` in a helper that has Python, and remove it afterwards.

    The container is neither started nor changed. Its volumes are left out.
    """
    with _run(client) as run:
        helper = _helper(client, run)
        _copy(client, found.id, helper, f"container {found.name}")
        yield helper


@contextlib.contextmanager
def files_of_image(client: DockerClient, image: str) -> Iterator[Machine]:
    """Lay the files of an image below ``ROOT`` in a helper that has Python, and remove it afterwards."""
    with _run(client) as run:
        helper = _helper(client, run)
        _copy(client, _created(client, image, run), helper, f"image {image}")
        yield helper


@contextlib.contextmanager
def _run(client: DockerClient) -> Iterator[str]:
    run = ownership.new_run_id()
    with RunLock(run), Reaper(run):
        try:
            yield run
        finally:
            sweep.remove_run(client, run)


def _labels(run: str) -> dict[str, str]:
    return ownership.labels(kind="machine", project="state", run=run)


def _init(client: DockerClient, image: str, run: str) -> tuple[str, ...]:
    """Return the command that boots an image, empty where it holds no systemd."""
    with engine_errors(f"look at image {image}"):
        config = client.api.inspect_image(image)["Config"]
        own = (*(config.get("Entrypoint") or []), *(config.get("Cmd") or []))
        if own and own[0] in INITS:
            return own
        created = _created(client, image, run)
        for path in SYSTEMD:
            with contextlib.suppress(NotFound):
                client.api.get_archive(created, path)[0].close()
                return (path,)
    return ()


def _created(client: DockerClient, image: str, run: str) -> str:
    """Return the id of a container of the image that is never started."""
    with engine_errors(f"create a container of image {image}"):
        made = client.api.create_container(image, command=["/bin/true"], labels=_labels(run))
        return str(made["Id"])


def _helper(client: DockerClient, run: str) -> Machine:
    if images.look_up(client, HELPER_IMAGE) is None:
        raise EnvironmentFailed(
            f"files alone are read in a container of {HELPER_IMAGE}, which is not on this engine",
            hint="build it with `labrig image build`",
        )
    spec = MachineSpec(name="helper", image=HELPER_IMAGE, hostname="helper", command=("sleep", "infinity"))
    helper = Machine.create(client, spec, container=f"labrig-{run}-helper", labels=_labels(run))
    helper.execute(["mkdir", "-p", ROOT])
    return helper


def _copy(client: DockerClient, container: str, helper: Machine, what: str) -> None:
    # The engine unpacks it as root, with owners, modes and devices; it passes through here in pieces.
    with engine_errors(f"read the files of {what}"):
        client.api.put_archive(helper.container, ROOT, client.api.export(container))
