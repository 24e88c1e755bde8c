"""The swarm that services, secrets and stacks need: the one that is there, or one of this node alone.

Several processes, users and machines may work with one engine at once, so who uses the swarm is written in the swarm
itself: a *hold*, a config with its owner's labels. Whoever removes the last hold leaves the swarm, if labrig started
it. A second config, the *notice*, which only one can make at a time, keeps the two apart: who leaves posts it
before looking for holds, who joins looks for it after making a hold, so one of them always sees the other.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from docker import DockerClient
from docker.errors import APIError, NotFound

from labrig import clock
from labrig.engine import ownership
from labrig.engine.client import engine_errors
from labrig.engine.ownership import Ownership
from labrig.errors import EnvironmentFailed

HOLD = "labrig-hold-"
NOTICE = "labrig-leaving"
# In the labels of a swarm that labrig started: the bridge of its tasks came with it, and goes with it.
BRIDGE_IS_MINE = ownership.PREFIX + "bridge"
BRIDGE = "docker_gwbridge"
TURN = "swarm"
# Nobody outside needs to reach it, and it exists on every host.
ADDRESS = "127.0.0.1"
PORT = 2377
# Beside the range of labrig's bridges: the engine itself keeps its overlays apart from one another, but not from those.
POOL = "10.214.0.0/16"
POOL_PREFIX = 26
JOIN_SECONDS = 60.0
LEAVE_SECONDS = 10.0
LOOK_EVERY_SECONDS = 0.1
# A leave takes a second; whoever posted an older notice died over it.
NOTICE_IS_STALE = timedelta(seconds=30)
NOT_A_MANAGER = 503


def join(client: DockerClient, labels: Mapping[str, str]) -> str:
    """Have a swarm, starting one where there is none, and return the id of a hold on it.

    The hold is removed like all that the owner of ``labels`` has; with the last one the swarm is left.

    Raises:
        EnvironmentFailed: The engine is a worker of somebody's swarm, or cannot be a swarm.
    """
    until = clock.monotonic() + JOIN_SECONDS
    with engine_errors("join a swarm"):
        while clock.monotonic() < until:
            hold = _start(client, labels) and _post(client, f"{HOLD}{secrets.token_hex(6)}", labels)
            if hold:
                if not _is_being_left(client):
                    return hold
                _take_down(client, hold)
            clock.sleep(LOOK_EVERY_SECONDS)
    raise EnvironmentFailed(
        f"no swarm could be joined within {JOIN_SECONDS:g} s: another process is leaving it all the time",
        hint="look at `docker info` and `docker config ls`",
    )


def hold(client: DockerClient, labels: Mapping[str, str]) -> None:
    """Have a swarm for as long as the run of these labels has anything: join it, unless the run has a hold already.

    Raises:
        EnvironmentFailed: As for ``join``.
    """
    with engine_errors("look for a hold on the swarm"):
        mine = things(client, {"label": f"{ownership.RUN}={labels[ownership.RUN]}"})
    if not any(name.startswith(HOLD) for _, _, name, _ in mine):
        join(client, labels)


def things(client: DockerClient, filters: Mapping[str, str]) -> list[tuple[str, str, str, Mapping[str, str]]]:
    """Return sort, id, name and labels of what is in the swarm, services first; nothing where there is none."""
    api, given = client.api, dict(filters)
    try:
        found = [
            *(("service", one) for one in api.services(filters=given)),
            *(("secret", one) for one in api.secrets(filters=given)),
            *(("config", one) for one in api.configs(filters=given)),
        ]
    except APIError as error:
        if error.status_code == NOT_A_MANAGER:
            return []
        raise
    return [(sort, one["ID"], one["Spec"]["Name"], one["Spec"].get("Labels") or {}) for sort, one in found]


def leave_if_unused(client: DockerClient) -> bool:
    """Leave the swarm that labrig started, unless somebody holds it or has anything in it; tell whether it was left."""
    labels = ownership.labels(kind="swarm", project="swarm")
    until = clock.monotonic() + LEAVE_SECONDS
    with engine_errors("leave a swarm"):
        while clock.monotonic() < until:
            if not _was_started_by_labrig(client):
                return False
            notice = _post(client, NOTICE, labels)
            if not notice:
                # Another one looks right now, maybe a moment before this one's last hold went.
                _is_being_left(client)
                clock.sleep(LOOK_EVERY_SECONDS)
                continue
            if _is_used(client):
                _take_down(client, notice)
                return False
            return _leave(client)
    return False


def brings(network: str) -> bool:
    """Tell whether a network comes and goes with the swarm."""
    return network in ("ingress", BRIDGE)


def is_manager(client: DockerClient) -> bool:
    """Tell whether the engine is in a swarm and may make services there."""
    return _inspect(client) is not None


def _start(client: DockerClient, labels: Mapping[str, str]) -> bool:
    """Start a swarm unless there is one; False where another process is about to start or to leave it."""
    if is_manager(client):
        return True
    state = client.info()["Swarm"]
    if state["LocalNodeState"] == "pending" or (state["LocalNodeState"] == "active" and state["ControlAvailable"]):
        return False
    if state["LocalNodeState"] != "inactive":
        raise EnvironmentFailed(
            f"this engine is in a swarm, but cannot make services there: it is {_standing(state)}",
            hint="use a manager of that swarm, or leave it: docker swarm leave",
        )
    # One that another process is about to remove would be taken for a user's.
    with ownership.turn(TURN):
        bridge = "no" if client.api.networks(names=[BRIDGE]) else "yes"
        try:
            client.swarm.init(
                advertise_addr=ADDRESS,
                listen_addr=f"{ADDRESS}:{PORT}",
                default_addr_pool=[POOL],
                subnet_size=POOL_PREFIX,
                name="default",
                labels={**_mine(labels), BRIDGE_IS_MINE: bridge},
            )
        except APIError as error:
            # Another process was faster.
            if "already part of a swarm" in str(error.explanation):
                return False
            raise
    return True


def _standing(state: Mapping[str, Any]) -> str:
    said = state.get("Error") or ""
    if state["LocalNodeState"] == "active" and not state.get("ControlAvailable"):
        return "a worker"
    return f"{state['LocalNodeState']}{f': {said}' if said else ''}"


def _inspect(client: DockerClient) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = client.api.inspect_swarm()
    except APIError as error:
        if error.status_code == NOT_A_MANAGER:
            return None
        raise
    return found


def _labels(client: DockerClient) -> dict[str, str]:
    return ((_inspect(client) or {}).get("Spec") or {}).get("Labels") or {}


def _was_started_by_labrig(client: DockerClient) -> bool:
    whose = Ownership.read(_labels(client))
    return whose is not None and whose.kind == "swarm"


def _mine(labels: Mapping[str, str]) -> dict[str, str]:
    return {**labels, ownership.KIND: "swarm", ownership.CREATED: clock.now().isoformat(timespec="seconds")}


def _post(client: DockerClient, name: str, labels: Mapping[str, str]) -> str:
    """Create a config and return its id; empty where the name is taken, or the swarm has gone meanwhile."""
    try:
        made = client.api.create_config(name, b"labrig", labels=_mine(labels))
    except APIError as error:
        if error.status_code in (409, NOT_A_MANAGER):
            return ""
        raise
    return str(made["ID"])


def _take_down(client: DockerClient, config: str) -> None:
    with contextlib.suppress(NotFound):
        try:
            client.api.remove_config(config)
        except APIError as error:
            if error.status_code != NOT_A_MANAGER:
                raise


def _is_being_left(client: DockerClient) -> bool:
    try:
        found = client.api.configs(filters={"name": NOTICE})
    except APIError as error:
        if error.status_code == NOT_A_MANAGER:
            return True
        raise
    for notice in found:
        whose = Ownership.read(notice["Spec"]["Labels"])
        if notice["Spec"]["Name"] != NOTICE or whose is None:
            continue
        if clock.now() - datetime.fromisoformat(whose.created) > NOTICE_IS_STALE:
            _take_down(client, notice["ID"])
            continue
        return True
    return False


def _is_used(client: DockerClient) -> bool:
    """Tell whether anything is in the swarm that is not labrig's, or is that of a run that may be alive."""
    if len(client.api.nodes()) > 1:
        return True
    labels = [found for _, _, name, found in things(client, {}) if name != NOTICE]
    overlays = [one for one in client.api.networks() if one["Scope"] == "swarm" and not one.get("Ingress")]
    labels += [one.get("Labels") or {} for one in overlays]
    return any(whose is None or not ownership.is_orphan(whose) for whose in map(Ownership.read, labels))


def _leave(client: DockerClient) -> bool:
    mine = _labels(client).get(BRIDGE_IS_MINE) == "yes"
    with ownership.turn(TURN):
        client.api.leave_swarm(force=True)
        if mine:
            # In use, or gone: then it is somebody's.
            with contextlib.suppress(APIError):
                client.api.remove_network(BRIDGE)
    return True
