"""What is done with one container of a group: create, start, stop, remove."""

from __future__ import annotations

import contextlib
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from docker import DockerClient
from docker.errors import APIError, NotFound
from docker.utils import version_lt

from labrig import clock
from labrig.engine.client import engine_errors
from labrig.errors import LabrigError
from labrig.groups import payload
from labrig.groups.definition import Definition, Secret
from labrig.groups.holders import holder, port_taken

# The first version of the engine's interface that connects a new container to several networks at once.
SEVERAL_NETWORKS = "1.44"
SECRETS = "/run/secrets"


class Refused(LabrigError):
    """The engine does not do for a service what its definition asks; the message names the field."""


def check_volumes(definition: Definition) -> None:
    """See that every folder and file of the host that is to be mounted is there.

    Docker would make an empty folder of root's in its place, and the service would run without what it needs.

    Raises:
        Refused: One is not.
    """
    for one in definition.mounts:
        if not one.is_named and not Path(one.source).exists():
            raise Refused(
                f"field 'volumes': there is no {one.source}, which is to be mounted at {one.target}",
                hint="create it, in pre_start for example, or name a volume without a slash",
            )


def create_volumes(client: DockerClient, definition: Definition, labels: Mapping[str, str]) -> None:
    """Create the named volumes of a service that are not there, as the group's own; one that is there stays as it is.

    The engine would create them as well, and nobody would know whose they are.
    """
    for one in definition.mounts:
        if one.is_named:
            with engine_errors(f"create volume {one.source} of service {definition.name}"):
                client.api.create_volume(one.source, labels=dict(labels))


def create(
    client: DockerClient,
    definition: Definition,
    *,
    name: str,
    image: str,
    networks: Mapping[str, str],
    labels: Mapping[str, str],
) -> str:
    """Create a service's container with its secrets, and return its id.

    Raises:
        Refused: The engine does not take the definition.
    """
    wanted = payload.body(definition, image=image, networks=networks, labels=labels)
    endpoints: dict[str, Any] = wanted["NetworkingConfig"]["EndpointsConfig"]
    later: dict[str, Any] = {}
    if version_lt(client.api.api_version, SEVERAL_NETWORKS):
        later = {one: endpoints.pop(one) for one in list(endpoints)[1:]}
    with engine_errors(f"create the container of service {definition.name}"):
        try:
            made = str(client.api.create_container_from_config(wanted, name)["Id"])
        except APIError as error:
            raise _refused(client, error, name) from error
        try:
            for network, endpoint in later.items():
                client.api.connect_container_to_network(made, network, aliases=endpoint["Aliases"])
            if definition.secrets:
                client.api.put_archive(made, "/", _archive(definition.secrets))
        except BaseException:
            # Nobody else knows of it yet.
            remove(client, made)
            raise
    return made


def secrets_differ(client: DockerClient, definition: Definition, container: str) -> list[str]:
    """Return the names of the secrets whose files in a container are not as defined; also of those that are too many.

    They are compared by their files: neither a label nor the environment tells anything of them.
    """
    has: dict[str, tuple[bytes, int, int, int]] = {}
    with engine_errors(f"look at the secrets of service {definition.name}"), contextlib.suppress(NotFound):
        pieces, _ = client.api.get_archive(container, SECRETS)
        with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as archive:
            for one in archive.getmembers():
                file = archive.extractfile(one) if one.isfile() else None
                if file is not None:
                    has[Path(one.name).name] = (file.read(), one.mode & 0o777, one.uid, one.gid)
    wants = {one.name: (one.content, one.mode, one.uid, one.gid) for one in definition.secrets}
    return sorted(name for name in {*has, *wants} if has.get(name) != wants.get(name))


def start(client: DockerClient, definition: Definition, container: str) -> None:
    """Start a service's container.

    Raises:
        Refused: It cannot be started as it is defined, for example since a port is taken.
    """
    with engine_errors(f"start the container of service {definition.name}"):
        try:
            client.api.start(container)
        except APIError as error:
            raise _refused(client, error, container) from error


def stop(client: DockerClient, container: str, seconds: float) -> None:
    """Stop a container with its signal, and kill it when the time is up; one that is not there is stopped."""
    with engine_errors("stop a container"), contextlib.suppress(NotFound):
        client.api.stop(container, timeout=round(seconds))


def remove(client: DockerClient, container: str) -> None:
    """Remove a container and its nameless volumes, whether it runs or not."""
    with engine_errors("remove a container"), contextlib.suppress(NotFound):
        try:
            client.api.remove_container(container, v=True, force=True)
        except APIError as error:
            # Somebody else is removing it.
            if error.status_code != 409:
                raise


def _refused(client: DockerClient, error: APIError, name: str) -> Refused:
    said = str(error.explanation or error).strip()
    port = port_taken(said)
    if port is not None:
        return Refused(
            f"field 'ports': port {port} of the host is in use by {holder(client, port)}",
            hint="stop that, choose another port, or None for a free one",
        )
    if error.status_code == 409 and "is already in use by container" in said:
        return Refused(
            f"a container called {name} is there already, and was not when this start began",
            hint="wait until another start of the group has ended, then start again",
        )
    field = next((field for word, field in _FIELDS if word in said.lower()), "")
    return Refused(f"field {field!r}: {said}" if field else said)


# Words in the engine's messages, and the field that they are about.
_FIELDS = (
    ("mount", "volumes"),
    ("volume", "volumes"),
    ("unable to find user", "user"),
    ("no matching entries in passwd", "user"),
    ("signal", "stop_signal"),
    ("executable file not found", "cmd"),
    ("no such file or directory: unknown", "cmd"),
    ("permission denied: unknown", "cmd"),
    ("memory", "limits"),
    ("cpus", "limits"),
    ("pids", "limits"),
    ("network", "networks"),
    ("port", "ports"),
    ("image", "image"),
)


def _archive(secrets: tuple[Secret, ...]) -> bytes:
    """Return the files of secrets as the engine unpacks them at the root of a container."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        folder = tarfile.TarInfo(SECRETS.lstrip("/"))
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(folder)
        for one in secrets:
            entry = tarfile.TarInfo(f"{SECRETS.lstrip('/')}/{one.name}")
            entry.size, entry.mode, entry.uid, entry.gid = len(one.content), one.mode, one.uid, one.gid
            entry.mtime = clock.now().timestamp()
            archive.addfile(entry, io.BytesIO(one.content))
    return buffer.getvalue()
