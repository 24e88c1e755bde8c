"""A user's compose file in a test: unmodified on the disk, fitted to the test, and gone with its owner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from labrig import clock
from labrig.containers import parts, sample
from labrig.containers.container import Container
from labrig.containers.errors import NotReady
from labrig.containers.owner import slug
from labrig.containers.parts import Looks
from labrig.containers.tailoring import Tailoring, owned, tailor
from labrig.engine import cli, compose, networks, sweep
from labrig.engine.client import engine_errors
from labrig.engine.compose import ComposeFile, Model
from labrig.errors import EnvironmentFailed, UsageError

if TYPE_CHECKING:
    from labrig.containers.owner import Owner

UP_SECONDS = 300.0
DOWN_SECONDS = 120.0
LOOK_EVERY_SECONDS = 0.1
LOG_LINES = 20
PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
NUMBER = "com.docker.compose.container-number"
ONE_OFF = "com.docker.compose.oneoff"
# What a network may say to be one of labrig's small ones; with more, it is Compose that makes it.
_PLAIN = {"name", "internal", "labels", "ipam", "driver"}


class Composition(Looks):
    """The services of a compose file, run by Docker Compose as a test needs them.

    shop = Composition(owner, "samples/shop/compose.yaml", tailoring=Tailoring(images={"shop/app": built.name}))
    shop.up()
    urlopen(f"http://127.0.0.1:{shop.port('web', 80)}/")

    Host ports are free ones, names are its own, so that several run at once; ``diff`` shows what else is not as in
    the file. Of the caller's variables the file sees none but those of ``environment``.

    Attributes:
        owner: What everything of it goes with.
        project: What Compose calls it.
        model: What is run, in Compose's normal form.
        diff: What is different from the file, as a unified diff; empty where nothing is.

    Raises:
        UsageError: The file is no compose file, or does not have what is to be substituted.
        EnvironmentFailed: There is no Compose v2.
    """

    def __init__(
        self,
        owner: Owner,
        *files: Path | str,
        tailoring: Tailoring | None = None,
        environment: Mapping[str, str] | None = None,
        profiles: Sequence[str] = (),
    ) -> None:
        if not files:
            raise UsageError("a composition needs a compose file")
        paths = [Path(one) for one in files]
        self.owner = owner
        self.project = owner.unique(slug(paths[0].resolve().parent.name))
        self._source = ComposeFile(paths, self.project, environment or {}, profiles)
        how = tailoring or Tailoring()
        given = sample.of_composition(self._source, how)
        self._room = owner.folder / self.project
        tailored = tailor(given, how, project=self.project, room=self._room)
        self.model: Model = tailored.model
        self.diff = tailored.diff
        self._copies = tailored.copies
        self._networks: dict[str, str] = {}

    @property
    def file(self) -> Path:
        """The compose file that is run, for a look at it."""
        return self._room / "compose.json"

    def up(self, *services: str, seconds: float = UP_SECONDS) -> Self:
        """Build, create and start services, all if none is named, and wait until they are ready.

        Ready is healthy for a service with a health check; one that has ended with 0 has done its work; any other is
        ready while it runs.

        Raises:
            NotReady: A container has failed, or is not ready in time; the message has its last lines.
            EnvironmentFailed: Compose cannot build or create something.
        """
        self._known(services)
        self._write()
        self._up([*services], seconds)
        return self

    def scale(self, service: str, count: int, *, seconds: float = UP_SECONDS) -> Self:
        """Run so many containers of a service and wait until they are ready; ``up`` brings back the file's number."""
        self._known([service])
        if not self.file.exists():
            self._write()
        self._up(["--no-deps", "--no-recreate", "--scale", f"{service}={count}", service], seconds)
        return self

    def down(self, *, seconds: float = DOWN_SECONDS) -> None:
        """Stop and remove its containers, networks and volumes; it can be brought up again.

        Images that it has built stay until its owner goes.
        """
        if self.file.exists():
            self._compose(["down", "--volumes", "--remove-orphans"], "take down", seconds)
            self.file.unlink()
        for network in self._networks.values():
            sweep.discard(self.owner.client, "network", network)
        self._networks.clear()

    def containers(self, service: str = "") -> list[Container]:
        """Return its containers, running or not, of one service or all, by service and number."""
        if service:
            self._known([service])
        return [
            Container.existing(self.owner, found["Id"])
            for found in self._found()
            if not service or found["Labels"][SERVICE] == service
        ]

    def port(self, service: str, port: int | str, number: int = 1) -> int:
        """Return the host port of a port of a service: 80, or "53/udp"."""
        return self.container(service, number).host_port(port)

    def ports(self) -> dict[str, dict[str, int]]:
        """Return the host ports of the first container of each service that has some, by ``80/tcp``."""
        first = {one["Labels"][SERVICE]: one["Id"] for one in reversed(self._found())}
        found = {name: parts.host_ports(Container.existing(self.owner, one)) for name, one in sorted(first.items())}
        return {name: ports for name, ports in found.items() if ports}

    def logs(self, *services: str, lines: int | None = None) -> str:
        """Return what services have printed, both outputs, each line with its container; the last ``lines`` of each."""
        self._known(services)
        if not self.file.exists():
            return ""
        limit = [] if lines is None else ["--tail", str(lines)]
        return self._compose(["logs", "--no-color", *limit, *services], "read the logs of", DOWN_SECONDS)

    def _known(self, services: Sequence[str]) -> None:
        for name in services:
            if name not in self.model["services"]:
                there = sorted(self.model["services"])
                raise UsageError(
                    f"{self._source.files[0]} has no service {name}; there are: {', '.join(there)}",
                    hint=compose.nearest(name, there),
                )

    def _found(self) -> list[dict[str, Any]]:
        with engine_errors(f"list the containers of {self.project}"):
            filters = {"label": [f"{PROJECT}={self.project}", f"{ONE_OFF}=False"]}
            found = self.owner.client.api.containers(all=True, filters=filters)
        return sorted(found, key=lambda one: (one["Labels"][SERVICE], int(one["Labels"][NUMBER])))

    def _write(self) -> None:
        """Lay everything that Compose reads into the room, and create the networks."""
        self._room.mkdir(exist_ok=True)
        sample.copy_contexts(self._copies)
        model = owned(self.model, self.owner.labels)
        for key, network in model["networks"].items():
            if _is_plain(network):
                name = network["name"]
                if key not in self._networks:
                    self._networks[key] = networks.create(
                        self.owner.client, name, network["labels"], internal=bool(network.get("internal"))
                    )
                model["networks"][key] = {"name": name, "external": True}
        self.file.write_text(compose.dumps(model), encoding="utf-8")

    def _up(self, arguments: Sequence[str], seconds: float) -> None:
        until = clock.monotonic() + seconds
        try:
            self._compose(["up", "--detach", *arguments], "bring up", seconds)
        except EnvironmentFailed as error:
            said = self._failures(self._inspected())
            if not said:
                raise
            raise NotReady(f"{error.message}\n{said}") from error
        began: float | None = None
        while True:
            found = self._inspected()
            said = self._failures(found)
            if said:
                raise NotReady(f"{self._source.files[0]} did not come up:\n{said}")
            waits = [one["Name"].lstrip("/") for one in found if parts.readiness(one) == "waiting"]
            began = None if waits else began or clock.monotonic()
            if began is not None and clock.monotonic() > began + parts.SETTLE_SECONDS:
                return
            if waits and clock.monotonic() > until:
                last = "\n".join(Container.existing(self.owner, name).last_lines(LOG_LINES) for name in waits)
                raise NotReady(f"{self._source.files[0]}: not ready within {seconds:g} s: {', '.join(waits)}\n{last}")
            clock.sleep(LOOK_EVERY_SECONDS)

    def _inspected(self) -> list[dict[str, Any]]:
        with engine_errors(f"look at the containers of {self.project}"):
            return [self.owner.client.api.inspect_container(found["Id"]) for found in self._found()]

    def _failures(self, found: Sequence[Mapping[str, Any]]) -> str:
        """Return what became of each container that has failed, with its last lines; empty where none has."""
        return "\n".join(
            f"{one['Name'].lstrip('/')} {parts.told(one)}\n"
            f"{Container.existing(self.owner, one['Id']).last_lines(LOG_LINES)}"
            for one in found
            if parts.readiness(one) == "failed"
        )

    def _compose(self, arguments: Sequence[str], doing: str, seconds: float) -> str:
        # Its profiles are chosen already, and paths are absolute: the file stands for itself.
        return cli.run(
            [
                "compose",
                "--ansi",
                "never",
                "--project-name",
                self.project,
                "--file",
                str(self.file),
                "--profile",
                "*",
                *arguments,
            ],
            f"{doing} {self._source.files[0]}",
            seconds=seconds,
            cwd=self._room,
            guard=self.owner.place.reaper,
        )


def _is_plain(network: Mapping[str, Any] | None) -> bool:
    """Tell whether a network can be one with a small subnet, as it asks for nothing that only Compose would make."""
    given = network or {}
    driver = given.get("driver") or "bridge"
    return given.keys() <= _PLAIN and driver == "bridge" and not (given.get("ipam") or {}).get("config")
