"""``labrig.Service``: the class that users derive their services from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from labrig.groups.definition import Definition, Network


class Service:
    """One service of a group; a class derived from it that has a ``name`` of its own is started.

    A class without a name is a base for others, or a mixin. Hooks run on the host, in a thread, and may be ``async``.

        class Database(labrig.Service):
            name = "db"
            image = "postgres:16"
            ports = {5432: None}

            def ping(self):
                return can_connect(port=self.host_port(5432))
    """

    name: str = ""
    image: str = ""
    dependencies: Sequence[Any] = ()
    env: Mapping[str, Any] = {}
    ports: Mapping[Any, Any] = {}
    volumes: Mapping[str, Any] | Sequence[str] = {}
    always_start_new: bool = False
    stop_signal: str = "SIGTERM"
    build_from: str | None = None
    dockerfile: str = "Dockerfile"
    entrypoint: str | Sequence[str] = ""
    cmd: str | Sequence[str] = ""
    user: str = ""
    networks: Sequence[str | Network] | Mapping[str, Any] = ()
    healthcheck: Any = None
    one_shot: bool = False
    limits: Mapping[str, Any] = {}
    secrets: Mapping[str, Any] = {}
    init: bool = False

    defined_in: ClassVar[str] = ""

    def pre_start(self) -> Any:
        """Run before a new container is created."""

    def ping(self) -> Any:
        """Return whether the service is ready; asked every 0.1 s until it is, or the time is up."""
        return True

    def post_start(self) -> Any:
        """Run once a new container is ready, before its dependants start."""

    def pre_stop(self) -> Any:
        """Run before a running container is stopped."""

    def post_stop(self) -> Any:
        """Run after a container was stopped."""

    def on_failure(self, error: Exception) -> Any:
        """Run when the service could not start, while its container is still there."""

    def host_port(self, container_port: int | str) -> int:
        """Return the host's port of a port of the container, which must run.

        Raises:
            UsageError: The container has no such port.
        """
        raise NotImplementedError

    def define(self, context: Mapping[str, Any]) -> Definition:
        """Return what the service is, with every field formatted from the context.

        Raises:
            UsageError: A field is wrong, or names what the context does not hold; with file, service and field.
        """
        raise NotImplementedError
