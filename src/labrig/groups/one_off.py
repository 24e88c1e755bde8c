"""A container like that of a service, for one command: its image, variables, volumes, secrets and networks."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from docker import DockerClient

from labrig.engine import ownership
from labrig.engine.ownership import RunLock
from labrig.engine.reaper import Reaper
from labrig.groups import members, standing
from labrig.groups.collection import Collection
from labrig.groups.context import Context
from labrig.groups.definition import Definition
from labrig.groups.images import Images
from labrig.groups.networks import Networks


def definition(
    service: Definition,
    name: str,
    *,
    command: Sequence[str] = (),
    env: Mapping[str, str | None] | None = None,
    user: str | None = None,
    workdir: str | None = None,
    tty: bool = False,
) -> Definition:
    """Return what a one-off container is. Pure.

    It differs from the service's own in what there can only be one of: it publishes no port and is not reached under
    the service's name, but its own.

    Args:
        service: The service.
        name: What the container is called on its networks.
        command: What runs instead of the service's command; that runs where it is empty.
        env: Variables on top of the service's.
        user: Who runs it instead.
        workdir: Where it runs instead.
        tty: It has a terminal.
    """
    return replace(
        service,
        name=name,
        ports=(),
        networks=tuple(replace(one, aliases=()) for one in service.networks),
        command=tuple(command) or service.command,
        env={**service.env, **(env or {})},
        user=user or service.user,
        healthcheck=None,
        # Its input is the caller's, and ends with it.
        config={
            **service.config,
            "Tty": tty,
            "OpenStdin": True,
            "StdinOnce": True,
            "AttachStdin": True,
            "AttachStdout": True,
            "AttachStderr": True,
            **({"WorkingDir": workdir} if workdir else {}),
        },
    )


@contextmanager
def created(
    client: DockerClient, group: Collection, service: str, shape: Callable[[Definition, str], Definition]
) -> Iterator[str]:
    """Create a one-off container of a service and yield its id; it is removed afterwards, whatever happens.

    Args:
        client: The engine.
        group: The group.
        service: The service whose image, networks and all it has.
        shape: Makes the container's definition of the service's and a name; see ``definition``.

    Raises:
        UsageError: A field of the service is wrong, or names what the context does not hold.
        NoImage: Its image is not to be had.
    """
    Context.load_from(group.directory)
    whose = standing.identity(group)
    wanted = shape(group.services[service].define(Context), f"{service}-run-{secrets.token_hex(3)}")
    networks = Networks(client, whose, group.networks, default_name=None, size=len(group.services))
    run = ownership.new_run_id()
    with RunLock(run), Reaper(run):
        image = Images(client, whose).meant(replace(wanted, name=service), lambda _: None)
        members.check_volumes(wanted)
        networks.ids(wanted)
        container = members.create(
            client,
            wanted,
            name=whose.container(wanted.name),
            image=image.name,
            networks=networks.names(wanted),
            labels=ownership.labels(kind="test", project=group.group, run=run),
        )
        try:
            yield container
        finally:
            members.remove(client, container)


def exit_code(client: DockerClient, container: str) -> int | None:
    """Return what a container has ended with; None where it runs, was never started, or somebody has removed it."""
    found = standing.inspected(client, container)
    if found is None or found["State"]["Running"]:
        return None
    code = int(found["State"]["ExitCode"])
    # One whose command cannot be run stays as it was created, with the engine's code for that.
    return None if found["State"]["Status"] == "created" and code == 0 else code
