"""What a lab host keeps of the settings of an experiment: as much as it needs to let it sleep, wake it and remove it.

It is part of the record, so a sweep on the host does by itself what the client would do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # A lab host has no pydantic.
    from labrig.experiments.environment import Identity
    from labrig.experiments.settings import Settings

_PERIOD = 100_000


@dataclass(frozen=True)
class Limits:
    """What each container may use at most: bytes, processors, processes and threads."""

    memory: int = 2**30
    cpus: float = 1.0
    processes: int = 512

    @property
    def options(self) -> tuple[str, ...]:
        """The options of ``docker create``, also for what a container may never do."""
        others = (f"--cpus={self.cpus:g}", f"--pids-limit={self.processes}")
        return (*self._memory, *others, "--security-opt=no-new-privileges")

    @property
    def build_options(self) -> tuple[str, ...]:
        """The options of ``docker build``, which knows none for processes."""
        # Microseconds; the kernel takes no less than a thousand of them.
        quota = max(1000, int(self.cpus * _PERIOD))
        return (*self._memory, f"--cpu-period={_PERIOD}", f"--cpu-quota={quota}")

    @property
    def _memory(self) -> tuple[str, ...]:
        # As much memory with swap as without is no swap.
        return (f"--memory={self.memory}", f"--memory-swap={self.memory}")


@dataclass(frozen=True)
class Health:
    """When a container is healthy: it answers a path, or a command in it ends with 0; times in seconds."""

    path: str = "/"
    command: str = ""
    timeout: float = 60.0
    interval: float = 1.0


@dataclass(frozen=True)
class Tls:
    """HTTPS at the edge: files on the lab host."""

    certificate: str
    key: str


@dataclass(frozen=True)
class Kept:
    """What is kept.

    Attributes:
        host: The host name.
        release: The commit.
        port: Where the application listens in its container.
        limits: Of each container.
        health: When its container is healthy.
        tls: HTTPS; None for HTTP alone.
        users: Who may look: hashes of passwords by name; empty is everybody.
        sleeps: Seconds without a request after which it sleeps; 0 is never.
        on_create: By service, the command after it was made.
        on_delete: By service, the command before it is removed.
    """

    host: str = ""
    release: str = ""
    port: int = 80
    limits: Limits = Limits()
    health: Health = Health()
    tls: Tls | None = None
    users: Mapping[str, str] = field(default_factory=dict, repr=False)
    sleeps: float = 0.0
    on_create: Mapping[str, str] = field(default_factory=dict)
    on_delete: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where it is found; empty where no host name is known."""
        return f"{'https' if self.tls else 'http'}://{self.host}/" if self.host else ""

    def object(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)


def read(told: Mapping[str, Any]) -> Kept:
    """Return what ``object`` told; what another version of labrig told besides is not read.

    Raises:
        TypeError: It is something else.
    """
    found = known(Kept, told)
    for name, kind in (("limits", Limits), ("health", Health), ("tls", Tls)):
        if found.get(name) is not None:
            found[name] = kind(**known(kind, found[name]))
    return Kept(**found)


def known(kind: type, told: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is told of the fields that a class of data has."""
    return {one.name: told[one.name] for one in fields(kind) if one.name in told}


def of(settings: Settings, what: Identity) -> Kept:
    """Return what a host keeps of an application's settings for one experiment."""
    health, limits = settings.health, settings.limits
    return Kept(
        host=what.virtual_host,
        release=what.release,
        port=settings.port,
        limits=Limits(int(limits.memory), limits.cpus, limits.processes),
        health=Health(health.path, health.command, health.timeout.total_seconds(), health.interval.total_seconds()),
        tls=Tls(settings.tls.certificate, settings.tls.key) if settings.tls else None,
        users=settings.users,
        sleeps=settings.sleeps.total_seconds() if settings.sleeps else 0.0,
        on_create={name: one.on_create for name, one in settings.services.items() if one.on_create},
        on_delete={name: one.on_delete for name, one in settings.services.items() if one.on_delete},
    )
