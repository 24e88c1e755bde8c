"""What is done with a group as a whole: start, stop, reload, restart."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from docker import DockerClient
from docker.errors import APIError

from labrig.engine import networks as engine_networks
from labrig.engine import ownership
from labrig.engine.client import engine_errors
from labrig.errors import UsageError
from labrig.groups import choice as choosing
from labrig.groups import hooks, networks, standing
from labrig.groups.choice import Choice
from labrig.groups.collection import Collection
from labrig.groups.context import Context
from labrig.groups.images import Images
from labrig.groups.naming import INSTEAD_OF
from labrig.groups.networks import Networks
from labrig.groups.progress import START_SECONDS, STOP_SECONDS, Listener, Outcome, Progress
from labrig.groups.starting import Start
from labrig.groups.stopping import Stopping

EVERYTHING = Choice()
# A network has room for each service twice: for what a user runs beside it as well.
ROOM = 2


def _unheard(progress: Progress) -> None:
    del progress


def start(
    client: DockerClient,
    collection: Collection,
    choice: Choice = EVERYTHING,
    *,
    timeout: float = START_SECONDS,
    network_name: str | None = None,
    listener: Listener = _unheard,
) -> Outcome:
    """Start services in the order of their dependencies; Ctrl-C stops what was started.

    Loads the context before and saves it afterwards.

    Raises:
        UsageError: The choice does not fit, before anything was done.
        EnvironmentFailed: No engine answers.
    """
    chosen = choosing.to_start(collection.dependencies, choice)
    with _turn(collection, chosen, listener):
        outcome = _start(client, collection, chosen, timeout, network_name, listener)
    return _after(outcome, collection, outcome.names("up", "done"), "on_start_services")


def stop(
    client: DockerClient,
    collection: Collection,
    choice: Choice = EVERYTHING,
    *,
    timeout: float = STOP_SECONDS,
    remove: bool = False,
    volumes: bool = False,
    network_name: str | None = None,
    listener: Listener = _unheard,
) -> Outcome:
    """Stop services, dependants first; with ``remove`` also their containers.

    With ``remove`` and everything chosen, the group's networks, reloaded images and context go as well, and containers
    of services that are no longer defined; with ``volumes`` the named volumes that the group has created, too.

    Raises:
        UsageError: The choice does not fit, or volumes are to go while containers stay.
    """
    if volumes and not (remove and choice == EVERYTHING):
        raise UsageError("volumes go with the whole group only", hint="add --remove, and name no services")
    # The group's networks are found by their labels, whatever they are called.
    del network_name
    with _turn(collection, choosing.to_stop(collection.dependencies, choice), listener):
        Context.load_from(collection.directory)
        outcome = _stop(client, collection, choice, timeout, listener, remove=remove)
        if remove and choice == EVERYTHING and not outcome.interrupted and not outcome.failed:
            networks.remove(client, standing.identity(collection))
            if volumes:
                _remove_volumes(client, collection)
            # A list of all images takes an engine with many of them a while.
            if any(one.define(None).build for one in collection.services.values()):
                _remove_images(client, collection)
            Context.remove_file(collection.directory)
            Context.clear()
    return _after(outcome, collection, outcome.names("stopped", "removed"), "on_stop_services")


def reload(
    client: DockerClient,
    collection: Collection,
    service: str,
    *,
    timeout: float = START_SECONDS,
    remove: bool = False,
    network_name: str | None = None,
    listener: Listener = _unheard,
) -> Outcome:
    """Build a service's image, then stop it and its dependants and start them again with it.

    A build that fails leaves everything running. Later starts use the image that was built, until the group is
    removed or its definition names another image.

    Args:
        client: The engine.
        collection: The group.
        service: The service that is built.
        timeout: Seconds that each service has to become ready.
        remove: Also the containers of its dependants are made anew.
        network_name: What the group's own network is called.
        listener: Told of everything that begins.

    Raises:
        UsageError: There is no such service, or it has no ``build_from``.
        NoImage: The build failed.
    """
    choosing.known(collection.dependencies, service)
    Context.load_from(collection.directory)
    definition = collection.services[service].define(Context)
    if definition.build is None:
        raise UsageError(
            f"{collection.file}: service {service!r} cannot be built: field 'build_from' is not set",
            hint="name the folder of its Dockerfile in `build_from`",
        )
    with _turn(collection, [service], listener):
        listener(Progress(service, "building"))
        images = Images(client, standing.identity(collection))
        images.build(definition)
        upward = choosing.dependants(collection.dependencies)
        runs = {name for name, one in standing.standing(client, collection).items() if one.status == "running"}
        again = [name for name in choosing.reach([service], upward) if name == service or name in runs]
        stopped = _stop(client, collection, Choice(again, alone=True), STOP_SECONDS, listener, remove=remove)
        if stopped.interrupted or stopped.failed:
            return stopped
        chosen = choosing.to_start(collection.dependencies, Choice(again))
        outcome = _start(client, collection, chosen, timeout, network_name, listener, images)
    if not outcome.interrupted and service not in outcome.failed:
        return _after(outcome, collection, service, "on_reload_service")
    return outcome


def restart(
    client: DockerClient,
    collection: Collection,
    choice: Choice = EVERYTHING,
    *,
    timeout: float = START_SECONDS,
    network_name: str | None = None,
    listener: Listener = _unheard,
) -> Outcome:
    """Stop services, dependants first, and start them again; what differs from its definition is recreated."""
    again = choosing.to_stop(collection.dependencies, choice)
    with _turn(collection, again, listener):
        stopped = _stop(client, collection, choice, STOP_SECONDS, listener, remove=False)
        if stopped.interrupted or stopped.failed:
            return stopped
        chosen = choosing.to_start(collection.dependencies, Choice(again, alone=choice.alone))
        outcome = _start(client, collection, chosen, timeout, network_name, listener)
    return _after(outcome, collection, outcome.names("up", "done"), "on_start_services")


def _turn(collection: Collection, chosen: Iterable[str], listener: Listener) -> contextlib.AbstractContextManager[None]:
    """Let one process at a time work on a group; what another one has made is then found, not met half made.

    The group's own hooks are left out: they may well work on the group by another process.
    """

    def on_wait() -> None:
        for name in chosen:
            listener(Progress(name, "waiting", "another labrig is at work on this group"))

    return ownership.turn(f"group-{standing.identity(collection).id}", on_wait=on_wait)


def _start(
    client: DockerClient,
    collection: Collection,
    chosen: list[str],
    timeout: float,
    network_name: str | None,
    listener: Listener,
    images: Images | None = None,
) -> Outcome:
    Context.load_from(collection.directory)
    whose = standing.identity(collection)
    outcome = Start(
        client,
        collection,
        chosen,
        timeout=timeout,
        networks=Networks(
            client,
            whose,
            collection.networks,
            default_name=network_name,
            size=max(engine_networks.HOSTS, ROOM * len(collection.services)),
        ),
        images=images or Images(client, whose),
        listener=listener,
    ).run()
    if Context and not outcome.interrupted:
        Context.save_to(collection.directory)
    return outcome


def _stop(
    client: DockerClient,
    collection: Collection,
    choice: Choice,
    timeout: float,
    listener: Listener,
    *,
    remove: bool,
) -> Outcome:
    chosen = choosing.to_stop(collection.dependencies, choice)
    if choice == EVERYTHING:
        there = standing.containers(client, standing.identity(collection))
        chosen = [*(name for name in there if name not in collection.services), *chosen]
    return Stopping(client, collection, chosen, timeout=timeout, remove=remove, listener=listener).run()


def _after(outcome: Outcome, collection: Collection, told: list[str] | str, name: str) -> Outcome:
    """Run the group's hook, unless the user has interrupted; return the outcome with what it raised."""
    if outcome.interrupted:
        return outcome
    script = collection.script
    hook = {
        "on_start_services": script.on_start,
        "on_stop_services": script.on_stop,
        "on_reload_service": script.on_reload,
    }[name]
    raised = hooks.run_for_group(hook, told, name)
    return Outcome(outcome.services, interrupted=False, hook_error=raised)


def _remove_images(client: DockerClient, collection: Collection) -> None:
    """Remove what reloads have built; the engine keeps what something else still uses.

    An image that every start builds anyway stays: without it, the next build would begin from nothing.
    """
    with engine_errors("remove the images of the group"):
        for one in client.api.images(filters={"label": standing.identity(collection).filter}):
            stays = (one["Labels"] or {}).get(INSTEAD_OF, "").endswith(":latest")
            for tag in () if stays else one["RepoTags"] or ():
                with contextlib.suppress(APIError):
                    client.api.remove_image(tag)


def _remove_volumes(client: DockerClient, collection: Collection) -> None:
    with engine_errors(f"remove the volumes of group {collection.group}"):
        found = client.api.volumes(filters={"label": standing.identity(collection).filter})["Volumes"] or ()
        for one in found:
            # One that somebody else's container uses stays.
            with contextlib.suppress(APIError):
                client.api.remove_volume(one["Name"])
