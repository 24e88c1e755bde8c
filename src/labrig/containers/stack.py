"""A user's stack file in a test: unmodified on the disk, fitted to the test, deployed to a swarm of this node alone."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Self

from labrig import clock
from labrig.containers import parts, sample, swarm, tasks
from labrig.containers.container import Container
from labrig.containers.owner import slug
from labrig.containers.parts import Looks
from labrig.containers.tailoring import Sample, Tailored, Tailoring, diff, owned, tailor
from labrig.engine import cli, compose, sweep
from labrig.engine.client import engine_errors
from labrig.engine.compose import ComposeFile, Model
from labrig.errors import UsageError

if TYPE_CHECKING:
    from labrig.containers.owner import Owner

DEPLOY_SECONDS = 300.0
REMOVE_SECONDS = 60.0
LOOK_EVERY_SECONDS = 0.1
STACK = "com.docker.stack.namespace"


class Stack(Looks):
    """The services of a stack file, deployed as a test needs them.

    shop = Stack(owner, "samples/shop/stack.yaml", tailoring=Tailoring(images={"shop/app": built.name}))
    shop.deploy()
    urlopen(f"http://127.0.0.1:{shop.port('web', 80)}/")

    A swarm is started if there is none, and left as it was found. Names and host ports are its own, so that several
    run at once; ``diff`` shows what else is not as in the file.

    Attributes:
        owner: What everything of it goes with.
        project: What Docker calls the stack.
        model: What is deployed, in the normal form of ``docker stack config``.
        diff: What is different from the file, as a unified diff; empty where nothing is.

    Raises:
        UsageError: The file is no stack file, or does not have what is to be substituted.
        EnvironmentFailed: There can be no swarm, or the docker command is too old.
    """

    def __init__(
        self,
        owner: Owner,
        *files: Path | str,
        tailoring: Tailoring | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        if not files:
            raise UsageError("a stack needs a stack file")
        paths = [Path(one) for one in files]
        self.owner = owner
        self.project = owner.unique(slug(paths[0].resolve().parent.name))
        self._file = paths[0]
        self._room = owner.folder / self.project
        how = tailoring or Tailoring()
        given = sample.of_stack(ComposeFile(paths, self.project, environment or {}), how)
        swarm.need(owner)
        tailored = fitted(given, how, project=self.project, room=self._room, mesh=tasks.has_routing_mesh())
        self.model = tailored.model
        self.diff = tailored.diff
        self._copies = tailored.copies

    @property
    def file(self) -> Path:
        """The stack file that is deployed, for a look at it."""
        return self._room / "stack.json"

    def deploy(self, *, seconds: float = DEPLOY_SECONDS) -> Self:
        """Build what the file builds, create its services, and wait until all their tasks run.

        Raises:
            NotReady: Not all run in time, healthy if they have a health check; the message has the last lines.
            EnvironmentFailed: Something cannot be built or created.
        """
        until = clock.monotonic() + seconds
        self._room.mkdir(exist_ok=True)
        sample.copy_contexts(self._copies)
        model = owned(self.model, self.owner.labels, swarm=True)
        self._build(model, seconds)
        self.file.write_text(compose.dumps(model), encoding="utf-8")
        given = ["--resolve-image", "never", "--compose-file", str(self.file)]
        self._docker(["stack", "deploy", *given, self.project], "deploy", seconds)
        tasks.wait_until_run(self.owner.client, [*self._services().values()], max(1.0, until - clock.monotonic()))
        return self

    def scale(self, service: str, count: int, *, seconds: float = DEPLOY_SECONDS) -> Self:
        """Run so many tasks of a service, and wait until they do; ``deploy`` brings back the file's number."""
        found = self._service(service)
        with engine_errors(f"scale service {service}"):
            self.owner.client.services.get(found).scale(count)
        tasks.wait_until_run(self.owner.client, [found], seconds)
        return self

    def remove(self, *, seconds: float = REMOVE_SECONDS) -> None:
        """Remove its services, secrets, configs, networks and volumes; it can be deployed again.

        Raises:
            NotReady: A container has not ended in time.
        """
        services = [*self._services().values()]
        if not services:
            return
        self._docker(["stack", "rm", self.project], "remove", seconds)
        tasks.remove(self.owner.client, services, seconds)
        # Its networks go a moment after its tasks, its volumes never.
        for sort, found in (("network", self.networks()), ("volume", self.volumes())):
            for key, one in found.items():
                if not (self.model[f"{sort}s"].get(key) or {}).get("external"):
                    sweep.discard(self.owner.client, sort, one.name)

    def containers(self, service: str = "") -> list[Container]:
        """Return the containers that run, of one service or all, by service and number."""
        wanted = {service: self._service(service)} if service else self._services()
        return [
            Container.existing(self.owner, task.container)
            for _, found in sorted(wanted.items())
            for task in tasks.running(self.owner.client, [found])
        ]

    def port(self, service: str, port: int | str, number: int = 1) -> int:
        """Return the host port of a port of a service: 80, or "53/udp"."""
        published = self._published(service)
        wanted = str(port) if "/" in str(port) else f"{port}/tcp"
        return published[wanted] if wanted in published else self.container(service, number).host_port(port)

    def ports(self) -> dict[str, dict[str, int]]:
        """Return the host ports of the first container of each service that has some, by ``80/tcp``."""
        found = {}
        for service in self._services():
            ports = self._published(service)
            for one in self.containers(service)[:1]:
                ports |= parts.host_ports(one)
            if ports:
                found[service] = ports
        return found

    def logs(self, *services: str, lines: int | None = None) -> str:
        """Return what services have printed, both outputs, each line with its container; the last ``lines`` of each."""
        wanted = [self._service(one) for one in services] if services else [*self._services().values()]
        return tasks.logs(self.owner.client, wanted, lines)

    def _services(self) -> dict[str, str]:
        """Return the ids of its services in the swarm, by their names in the file."""
        with engine_errors(f"list the services of {self.project}"):
            found = self.owner.client.api.services(filters={"label": f"{STACK}={self.project}"})
        return {str(one["Spec"]["Name"]).removeprefix(f"{self.project}_"): str(one["ID"]) for one in found}

    def _service(self, name: str) -> str:
        there = self._services()
        if name not in there:
            raise UsageError(
                f"{self._file} has no service {name} that is deployed; there are: {', '.join(sorted(there))}",
                hint=compose.nearest(name, there),
            )
        return there[name]

    def _published(self, service: str) -> dict[str, int]:
        """Return the ports that the swarm itself publishes for a service, for all of its tasks."""
        with engine_errors(f"look at service {service}"):
            found = self.owner.client.api.inspect_service(self._service(service))
        ports = (found.get("Endpoint") or {}).get("Ports") or ()
        return {
            f"{one['TargetPort']}/{one['Protocol']}": int(one["PublishedPort"])
            for one in ports
            if one["PublishMode"] == "ingress" and one.get("PublishedPort")
        }

    def _build(self, model: Model, seconds: float) -> None:
        """Build images with Compose, as a stack does not, and take what it does not know from the model."""
        builds = {name: one for name, one in model["services"].items() if "build" in one}
        if builds:
            labels = self.owner.labels("test-image")
            wanted = {
                name: {"image": one["image"], "build": {**one["build"], "labels": labels}}
                for name, one in builds.items()
            }
            file = self._room / "build.json"
            file.write_text(compose.dumps({"services": wanted}), encoding="utf-8")
            given = ["--ansi", "never", "--project-name", self.project, "--file", str(file)]
            self._docker(["compose", *given, "build"], "build", seconds)
        for one in builds.values():
            del one["build"]

    def _docker(self, arguments: list[str], doing: str, seconds: float) -> None:
        cli.run(arguments, f"{doing} {self._file}", seconds=seconds, cwd=self._room, guard=self.owner.place.reaper)


def fitted(given: Sample, how: Tailoring, *, project: str, room: Path, mesh: bool) -> Tailored:
    """Fit a stack to a test on one node. Pure.

    A free host port is the container's own, for the routing mesh hands out none that nobody else has; and where the
    kernel has no routing mesh, the names of services lead to their containers rather than to an address in between.

    Args:
        given: What the user has.
        how: What the test changes.
        project: What Docker calls the stack.
        room: A folder for copies of build contexts.
        mesh: The engine has a routing mesh.
    """
    tailored = tailor(given, how, project=project, room=room)
    model = copy.deepcopy(tailored.model)
    for service in model["services"].values():
        for port in service.get("ports") or ():
            if not port.get("published"):
                port["mode"] = "host"
        published = any(port.get("mode") != "host" for port in service.get("ports") or ())
        if not mesh and not published:
            service.setdefault("deploy", {})["endpoint_mode"] = "dnsrr"
    return Tailored(model, tailored.copies, diff(given.model, model, given.file))
