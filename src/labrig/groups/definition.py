"""What one service is: every field read, formatted and checked, as plain values.

A ``Definition`` holds all that decides what container a service gets, and nothing else; ``payload`` makes the engine's
words of it and ``comparison`` compares it with a container that is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

# The group's own network, that of services which name none.
DEFAULT_NETWORK = "default"

Protocol = Literal["tcp", "udp", "sctp"]


@dataclass(frozen=True, order=True)
class Port:
    """A port of the container; ``host`` is the host's port, None a free one of the engine's choice."""

    container: int
    protocol: Protocol = "tcp"
    host: int | None = None
    address: str = ""

    @property
    def key(self) -> str:
        """The engine's word for it, ``5432/tcp`` for example."""
        return f"{self.container}/{self.protocol}"


@dataclass(frozen=True, order=True)
class Mount:
    """A folder or file of the host, or a named volume, in the container; ``mode`` is Docker's, ``ro`` for example."""

    source: str
    target: str
    mode: str = "rw"

    @property
    def is_named(self) -> bool:
        """Whether the source is a volume of the engine rather than a path."""
        return not self.source.startswith("/")


@dataclass(frozen=True)
class Network:
    """A network of a group, in the list ``networks`` of its services.

    Attributes:
        name: What the services call it; on the engine the group's name stands before it.
        internal: It has no way out.
        external: It is not the group's: a network of exactly this name, which is neither made nor removed.
        driver: Docker's driver.
    """

    name: str
    internal: bool = False
    external: bool = False
    driver: str = "bridge"


@dataclass(frozen=True)
class Membership:
    """A service in a network; it is reached there by its own name and by ``aliases``."""

    network: Network
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class HealthCheck:
    """Docker's health check.

    Attributes:
        test: Begins with ``CMD``, ``CMD-SHELL`` or ``NONE``.
        interval: Seconds, as all times here; 0 is Docker's default.
    """

    test: tuple[str, ...]
    interval: float = 0.0
    timeout: float = 0.0
    start_period: float = 0.0
    retries: int = 0


@dataclass(frozen=True)
class Limits:
    """What a container may use at most; 0 is no limit, ``memory`` is bytes."""

    memory: int = 0
    cpus: float = 0.0
    pids: int = 0


@dataclass(frozen=True)
class Secret:
    """A file below ``/run/secrets`` of the container; its content is in no environment and no label."""

    name: str
    content: bytes = field(repr=False)
    mode: int = 0o444
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True)
class Build:
    """How the image is built: the folder, absolute, and the Dockerfile in it."""

    context: str
    dockerfile: str = "Dockerfile"
    args: Mapping[str, str] = field(default_factory=dict)
    target: str = ""


@dataclass(frozen=True)
class Definition:
    """One service; None is "as the image says".

    Attributes:
        name: Its name, and its host name on its networks.
        image: The image that its container is made of.
        file: The file that defines it, for messages.
        dependencies: The services that must be ready, or done, before it starts.
        one_shot: It is done when it exits with 0, rather than ready while it runs.
        start_new: A stopped container of it is never started again.
        awaits_health: It is ready when its health check passes, if it has one, rather than as soon as it runs.
        config: Further keys of the engine's container configuration, such as ``WorkingDir``.
        host_config: Further keys of the engine's host configuration, such as ``CapAdd``.
    """

    name: str
    image: str
    file: str = ""
    dependencies: tuple[str, ...] = ()
    env: Mapping[str, str | None] = field(default_factory=dict)
    ports: tuple[Port, ...] = ()
    mounts: tuple[Mount, ...] = ()
    networks: tuple[Membership, ...] = (Membership(Network(DEFAULT_NETWORK)),)
    entrypoint: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    user: str | None = None
    stop_signal: str | None = "SIGTERM"
    healthcheck: HealthCheck | None = None
    limits: Limits = Limits()
    secrets: tuple[Secret, ...] = ()
    build: Build | None = None
    init: bool = False
    one_shot: bool = False
    start_new: bool = False
    awaits_health: bool = True
    config: Mapping[str, Any] = field(default_factory=dict)
    host_config: Mapping[str, Any] = field(default_factory=dict)
