"""What the hooks of a service may know of its container, and do in it, while it is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from docker import DockerClient
from docker.errors import APIError

from labrig.engine import executing
from labrig.engine.client import engine_errors
from labrig.engine.executing import Result
from labrig.errors import LabrigError
from labrig.groups import standing
from labrig.groups.service import Service


class CommandFailed(LabrigError):
    """A command in a service's container did not end with 0, or not in time."""


class Inside:
    """The inside of one container."""

    def __init__(self, client: DockerClient, service: str, container: str) -> None:
        self._client = client
        self._service = service
        self._container = container

    def execute(self, command: tuple[str, ...], *, user: str, stdin: str | None, check: bool, seconds: float) -> Result:
        """Run a command; see ``Service.execute``."""
        doing = f"run {command[0]} in service {self._service}"
        with engine_errors(doing):
            try:
                done = executing.execute(
                    self._client,
                    self._container,
                    command,
                    user=user,
                    stdin=None if stdin is None else stdin.encode(),
                    seconds=seconds,
                )
            except TimeoutError as error:
                raise CommandFailed(f"could not {doing} within {seconds:g} s") from error
            except APIError as error:
                if error.status_code not in (404, 409):
                    raise
                raise CommandFailed(f"could not {doing}: its container does not run") from error
        if check and done.code != 0:
            raise CommandFailed(f"{command[0]} in service {self._service} ended with {done.code}: {done.tail()}")
        return done


def introduce(client: DockerClient, service: Service, found: Mapping[str, Any]) -> None:
    """Let the hooks of a service know its container, as the engine describes it: its ports, and its inside."""
    service.host_ports = standing.host_ports(found)
    service.inside = Inside(client, service.name, found["Id"])
