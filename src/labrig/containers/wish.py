"""What a container in a test is to be like, in the words of Docker's library: values in, values out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

LOOPBACK = "127.0.0.1"


@dataclass
class Wish:
    """What was asked for; ``options`` are those of Docker's library and go before what is said otherwise.

    Attributes:
        volumes: As in ``docker run --volume``.
        shares: A folder of the host is among them.
        ports: As Docker names them: ``80/tcp``.
        networks: Their names, each with what the container is called there.
    """

    env: dict[str, str] = field(default_factory=dict)
    volumes: list[str] = field(default_factory=list)
    shares: bool = False
    ports: set[str] = field(default_factory=set)
    networks: dict[str, list[str]] = field(default_factory=dict)
    user: str = ""
    options: dict[str, Any] = field(default_factory=dict)

    def arguments(self, *, caller: tuple[int, int], local: bool) -> dict[str, Any]:
        """Return the arguments for creating the container, but for image, command, name, labels and networks.

        Args:
            caller: User and group of this process: who shares files is who can read and remove what is written.
            local: The engine is on this machine, so nobody else has to reach a port.
        """
        address = LOOPBACK if local else ""
        return {
            "environment": dict(self.env),
            "volumes": list(self.volumes),
            "ports": dict.fromkeys(sorted(self.ports), (address, None) if address else None),
            "user": self.user or (f"{caller[0]}:{caller[1]}" if self.shares else None),
            # Proxies of the caller's docker command are none of a test's environment.
            "use_config_proxy": False,
            **{name: value for name, value in self.options.items() if name != "labels"},
        }


def protocol(port: int | str) -> str:
    """Return a port as Docker names it.

    >>> protocol(80), protocol("53/udp")
    ('80/tcp', '53/udp')
    """
    return str(port) if "/" in str(port) else f"{port}/tcp"


@dataclass(frozen=True)
class State:
    """What Docker says of a container: its word for it, the exit code, whether it runs or will run again."""

    status: str
    code: int
    alive: bool
    out_of_memory: bool = False
    error: str = ""

    @classmethod
    def read(cls, found: Mapping[str, Any]) -> State:
        """Return the state that ``docker inspect`` has."""
        return cls(
            status=str(found["Status"]),
            code=int(found.get("ExitCode", 0)),
            alive=bool(found.get("Running") or found.get("Restarting")),
            out_of_memory=bool(found.get("OOMKilled")),
            error=str(found.get("Error", "")),
        )

    def told(self) -> str:
        """Return it as the end of a sentence.

        >>> State("exited", 137, alive=False, out_of_memory=True).told()
        'has exited with code 137 (out of memory)'
        """
        why = " (out of memory)" if self.out_of_memory else f" ({self.error})" if self.error else ""
        return f"has exited with code {self.code}{why}" if self.status == "exited" else f"is {self.status}{why}"
