"""What becomes of services of a swarm: their tasks, whether all run, what they print."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docker import DockerClient
from docker.errors import NotFound

from labrig import clock
from labrig.containers import parts
from labrig.containers.errors import NotReady
from labrig.engine import client as engine
from labrig.engine import sweep
from labrig.engine.client import engine_errors

LOOK_EVERY_SECONDS = 0.1
LOG_LINES = 20
# Docker's words for a task that will not run any more, though it was to.
FAILED = frozenset({"failed", "rejected", "orphaned"})
# The kernel's table of the routing mesh; there once the engine is in a swarm, if the kernel has it.
ROUTING_MESH = Path("/proc/net/ip_vs")


@dataclass(frozen=True)
class Task:
    """One container that a swarm runs for a service; ``state`` and ``wanted`` are Docker's words."""

    service: str
    slot: int
    created: str
    state: str
    wanted: str
    container: str = ""
    error: str = ""
    exit_code: int = 0

    @classmethod
    def read(cls, found: Mapping[str, Any]) -> Task:
        """Return the task that the engine describes."""
        status: Mapping[str, Any] = found["Status"]
        held: Mapping[str, Any] = status.get("ContainerStatus") or {}
        return cls(
            service=str(found["ServiceID"]),
            slot=int(found.get("Slot") or 0),
            created=str(found["CreatedAt"]),
            state=str(status["State"]),
            wanted=str(found["DesiredState"]),
            container=str(held.get("ContainerID") or ""),
            error=str(status.get("Err") or ""),
            exit_code=int(held.get("ExitCode") or 0),
        )

    @property
    def runs(self) -> bool:
        """Whether it runs, is healthy if it has a health check, and is to go on."""
        return self.state == "running" and self.wanted == "running"


@dataclass(frozen=True)
class Wanted:
    """A service and how many tasks it is to have."""

    id: str
    name: str
    count: int
    restarts: bool

    @classmethod
    def read(cls, found: Mapping[str, Any]) -> Wanted:
        """Return the service that the engine describes; a global one has one task on the one node."""
        spec: Mapping[str, Any] = found["Spec"]
        mode: Mapping[str, Any] = spec.get("Mode") or {}
        count = int((mode.get("Replicated") or {}).get("Replicas", 1))
        policy: Mapping[str, Any] = spec["TaskTemplate"].get("RestartPolicy") or {}
        return cls(str(found["ID"]), str(spec["Name"]), count, policy.get("Condition") != "none")


def newest(found: Iterable[Task]) -> list[Task]:
    """Return the last task of each slot of each service, by slot: what went before is history. Pure."""
    last = {(one.service, one.slot): one for one in sorted(found, key=lambda one: one.created)}
    return sorted(last.values(), key=lambda one: (one.service, one.slot))


def standing(services: Iterable[Wanted], found: Iterable[Task]) -> tuple[list[str], list[Task]]:
    """Return the names of services that are not as wanted yet, and the tasks that have failed for good. Pure.

    One that has ended with 0 has done its work. One that fails is not lost where its service starts it again, as
    services that wait for another one by failing until it is there are started.
    """
    last = newest(found)
    waits, failed = [], []
    for service in services:
        mine = [one for one in last if one.service == service.id]
        running = sum(one.runs for one in mine)
        done = sum(one.state == "complete" for one in mine)
        if running > service.count or running + done < service.count:
            waits.append(service.name)
        if not service.restarts:
            failed += [one for one in mine if one.state in FAILED]
    return waits, failed


def wait_until_run(client: DockerClient, services: Sequence[str], seconds: float) -> None:
    """Wait until services have as many tasks running as they are to have, for long enough to be believed.

    Raises:
        NotReady: One has failed, or they have not in time; the message has what Docker says and the last lines.
    """
    until = clock.monotonic() + seconds
    began: float | None = None
    while True:
        with engine_errors("look at the services of the swarm"):
            wanted = [Wanted.read(client.api.inspect_service(one)) for one in services]
            found = of(client, services)
        waits, failed = standing(wanted, found)
        names = {one.id: one.name for one in wanted}
        if failed:
            raise NotReady("\n".join(_told(client, names[one.service], one) for one in failed))
        began = None if waits else began or clock.monotonic()
        if began is not None and clock.monotonic() > began + parts.SETTLE_SECONDS:
            return
        if waits and clock.monotonic() > until:
            late = [one for one in newest(found) if names[one.service] in waits and not one.runs]
            said = "\n".join(_told(client, names[one.service], one) for one in late)
            raise NotReady(f"not all tasks run within {seconds:g} s: {', '.join(waits)}\n{said}")
        clock.sleep(LOOK_EVERY_SECONDS)


def of(client: DockerClient, services: Sequence[str]) -> list[Task]:
    """Return all tasks of services, also former ones."""
    if not services:
        return []
    with engine_errors("list the tasks of services"):
        return [Task.read(one) for one in client.api.tasks(filters={"service": list(services)})]


def running(client: DockerClient, services: Sequence[str]) -> list[Task]:
    """Return the tasks of services that run, by slot."""
    return [one for one in newest(of(client, services)) if one.runs and one.container]


def logs(client: DockerClient, services: Sequence[str], lines: int | None) -> str:
    """Return what the containers of services have printed, each line behind its container's name."""
    said = []
    for name, container in _containers(client, services):
        text = _last_lines(client, container, lines)
        said += [f"{name} | {line}" for line in text.splitlines()]
    return "".join(f"{line}\n" for line in said)


def remove(client: DockerClient, services: Sequence[str], seconds: float) -> None:
    """Remove services and wait until their containers have ended and gone.

    Raises:
        NotReady: One has not in time.
    """
    until = clock.monotonic() + seconds
    for one in services:
        sweep.discard(client, "service", one)
    while left := _containers(client, services):
        if clock.monotonic() > until:
            raise NotReady(f"not gone within {seconds:g} s: {', '.join(name for name, _ in left)}")
        clock.sleep(LOOK_EVERY_SECONDS)


def has_routing_mesh() -> bool:
    """Tell whether the engine, which is in a swarm, can lead a service's own address to its tasks.

    The kernel of the engine's host has to have IPVS; of another machine's it is believed.
    """
    return not engine.is_local() or ROUTING_MESH.exists()


def _containers(client: DockerClient, services: Sequence[str]) -> list[tuple[str, str]]:
    """Return names and ids of all containers of services, running or not."""
    found = []
    with engine_errors("list the containers of services"):
        for one in services:
            filters = {"label": f"com.docker.swarm.service.id={one}"}
            found += [(c["Names"][0].lstrip("/"), c["Id"]) for c in client.api.containers(all=True, filters=filters)]
    return sorted(found)


def _told(client: DockerClient, name: str, task: Task) -> str:
    said = f": {task.error}" if task.error else ""
    code = f" with exit code {task.exit_code}" if task.exit_code else ""
    lines = _last_lines(client, task.container, LOG_LINES) if task.container else ""
    return f"task {task.slot} of service {name} is {task.state}{code}{said}\n{lines}".strip()


def _last_lines(client: DockerClient, container: str, lines: int | None) -> str:
    with engine_errors("read what a container printed"), contextlib.suppress(NotFound):
        said: bytes = client.api.logs(container, tail="all" if lines is None else lines)
        return said.decode(errors="replace")
    return ""
