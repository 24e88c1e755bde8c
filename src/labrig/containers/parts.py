"""What compositions and stacks have in common: how far a container is, and looking at what is on the engine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from labrig.engine import compose
from labrig.engine.client import engine_errors
from labrig.errors import UsageError

if TYPE_CHECKING:
    from labrig.containers.container import Container
    from labrig.containers.owner import Owner

# What runs for so long is believed to go on: most of what cannot run at all has ended by then.
SETTLE_SECONDS = 0.3

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


def host_ports(container: Container) -> dict[str, int]:
    """Return the host ports of a container by ``80/tcp``: of several addresses, that of the first."""
    bound = container.inspect()["NetworkSettings"]["Ports"] or {}
    return {key: int(where[0]["HostPort"]) for key, where in bound.items() if where}


class Looks(ABC):
    """What a composition and a stack tell alike of what they have on the engine.

    Attributes:
        owner: What everything of it goes with.
        project: What Docker calls it.
        model: What is run.
    """

    owner: Owner
    project: str
    model: compose.Model

    @abstractmethod
    def containers(self, service: str = "") -> list[Container]:
        """Return its containers, of one service or all, by service and number."""

    def container(self, service: str, number: int = 1) -> Container:
        """Return one container of a service.

        Raises:
            UsageError: There is no such service, or not so many containers of it.
        """
        found = self.containers(service)
        if not 1 <= number <= len(found):
            raise UsageError(f"service {service} has {len(found)} containers, none with number {number}")
        return found[number - 1]

    def volumes(self) -> dict[str, Volume]:
        """Return its volumes that are on the engine, by their names in the file."""
        with engine_errors(f"look for the volumes of {self.project}"):
            there = {one["Name"]: one for one in self.owner.client.api.volumes()["Volumes"] or ()}
        return {key: Volume(name, there[name]["Driver"]) for key, name in self._names("volumes") if name in there}

    def networks(self) -> dict[str, Network]:
        """Return its networks that are on the engine, by their names in the file."""
        with engine_errors(f"look for the networks of {self.project}"):
            there = {one["Name"]: one for one in self.owner.client.api.networks()}
        return {
            key: Network(name, there[name]["Driver"], there[name]["Id"])
            for key, name in self._names("networks")
            if name in there
        }

    def _names(self, part: str) -> list[tuple[str, str]]:
        """Return the names in the file and on the engine of a part of the model."""
        return [(key, (one or {}).get("name", f"{self.project}_{key}")) for key, one in self.model[part].items()]
