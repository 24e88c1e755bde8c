"""What compositions and stacks have in common: how far a container is, and the volumes and networks of a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from docker import DockerClient

from labrig.engine.client import engine_errors
from labrig.engine.compose import Model

Readiness = Literal["ready", "waiting", "failed"]


@dataclass(frozen=True)
class Volume:
    """A volume on the engine; ``name`` is its full one."""

    name: str
    driver: str


@dataclass(frozen=True)
class Network:
    """A network on the engine; ``name`` is its full one."""

    name: str
    driver: str
    id: str


def readiness(inspected: Mapping[str, Any]) -> Readiness:
    """Return how far a container is, by what ``docker inspect`` says.

    One with a health check is ready when it is healthy, one that has ended with 0 has done its work, and any other is
    ready while it runs.
    """
    state: Mapping[str, Any] = inspected["State"]
    if state["Status"] in ("running", "paused"):
        health = (state.get("Health") or {}).get("Status", "none")
        return {"starting": "waiting", "unhealthy": "failed"}.get(health, "ready")  # type: ignore[return-value]
    if state["Status"] in ("created", "restarting"):
        return "waiting"
    return "ready" if state["Status"] == "exited" and state["ExitCode"] == 0 else "failed"


def told(inspected: Mapping[str, Any]) -> str:
    """Return how far a container is as the end of a sentence, with what its health check said last."""
    state: Mapping[str, Any] = inspected["State"]
    if state["Status"] == "exited":
        why = " (out of memory)" if state.get("OOMKilled") else ""
        return f"has exited with code {state['ExitCode']}{why}"
    health: Mapping[str, Any] = state.get("Health") or {}
    if not health:
        return f"is {state['Status']}"
    said = [str(probe.get("Output", "")).strip() for probe in (health.get("Log") or ())[-1:]]
    return f"is {health['Status']}" + (f"; its health check said: {said[0]}" if said and said[0] else "")


def volumes(client: DockerClient, model: Model, project: str) -> dict[str, Volume]:
    """Return the volumes of a model that are on the engine, by their names in the file."""
    with engine_errors(f"look for the volumes of {project}"):
        there = {one["Name"]: one for one in client.api.volumes()["Volumes"] or ()}
    wanted = {key: (thing or {}).get("name", f"{project}_{key}") for key, thing in model["volumes"].items()}
    return {key: Volume(name, there[name]["Driver"]) for key, name in wanted.items() if name in there}


def networks(client: DockerClient, model: Model, project: str) -> dict[str, Network]:
    """Return the networks of a model that are on the engine, by their names in the file."""
    with engine_errors(f"look for the networks of {project}"):
        there = {one["Name"]: one for one in client.api.networks()}
    wanted = {key: (thing or {}).get("name", f"{project}_{key}") for key, thing in model["networks"].items()}
    return {
        key: Network(name, there[name]["Driver"], there[name]["Id"]) for key, name in wanted.items() if name in there
    }
