"""What the objects of a group are called on the engine, and the labels by which alone they are found. Pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from labrig.engine import ownership
from labrig.groups.definition import DEFAULT_NETWORK, Definition, Network

GROUP = ownership.PREFIX + "group"
GROUP_ID = ownership.PREFIX + "group.id"
SERVICE = ownership.PREFIX + "group.service"
NETWORK = ownership.PREFIX + "group.network"
# The names of variables that the definition set, and what else it asked of the engine: what comparisons need to know.
VARIABLES = ownership.PREFIX + "group.env"
FURTHER = ownership.PREFIX + "group.further"
# The names of secrets, whose contents stand nowhere but in the container's files.
SECRETS = ownership.PREFIX + "group.secrets"
# On an image: the name that the definition gave when it was built in its place.
INSTEAD_OF = ownership.PREFIX + "group.instead-of"


@dataclass(frozen=True)
class Identity:
    """One group on an engine: two files, two checkouts or two users have two, whatever they call their groups.

    Attributes:
        group: The group's name.
        file: The file that defines it.
        seat: Whose it is, ``user@host``.
    """

    group: str
    file: Path
    seat: str

    @property
    def id(self) -> str:
        """Eight characters that no other group has."""
        return hashlib.sha256(f"{self.seat}\n{self.file}\n{self.group}".encode()).hexdigest()[:8]

    @property
    def filter(self) -> str:
        """What Docker's label filter takes, and matches exactly."""
        return f"{GROUP_ID}={self.id}"

    def container(self, service: str) -> str:
        """Return the name of a service's container."""
        return f"{service}-{self._plain}-{self.id}"

    def image(self, service: str) -> str:
        """Return the name of the image that is built for a service."""
        return f"{ownership.IMAGES}group/{self._plain.lower()}-{self.id}/{service.lower()}:latest"

    def network(self, network: Network, default_name: str | None = None) -> str:
        """Return the engine's name of a network; ``default_name`` is what the user calls the group's own."""
        if network.external:
            return network.name
        if network.name == DEFAULT_NETWORK:
            return default_name or f"labrig-{self._plain}-{self.id}"
        return f"labrig-{self._plain}-{self.id}-{network.name}"

    def labels(self) -> dict[str, str]:
        """Return the labels of everything of the group."""
        return {
            **ownership.labels(kind=ownership.GROUP_KIND, project=self.group),
            GROUP: self.group,
            GROUP_ID: self.id,
        }

    def service_labels(self, definition: Definition, variables: frozenset[str]) -> dict[str, str]:
        """Return the labels of a service's container; ``variables`` are those that its definition sets."""
        return {
            **self.labels(),
            SERVICE: definition.name,
            VARIABLES: json.dumps(sorted(variables)),
            SECRETS: json.dumps([one.name for one in definition.secrets]),
            FURTHER: json.dumps([definition.config, definition.host_config], sort_keys=True),
        }

    @property
    def _plain(self) -> str:
        kept = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in self.group)
        return kept.strip("-") or "group"
