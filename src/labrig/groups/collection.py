"""The services of a group: loading them from a file, checking that they fit together, choosing among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from labrig.groups.service import Service


@dataclass(frozen=True)
class Collection:
    """The services of one file.

    Attributes:
        group: The group's name, as ``group_name`` sets it, or after the folder of the file.
        file: The file, absolute.
        services: All services by name; each one's ``define`` gives its definition.
        dependencies: For each service the names of those that it depends on.
    """

    group: str
    file: Path
    services: Mapping[str, Service]
    dependencies: Mapping[str, tuple[str, ...]]

    @property
    def directory(self) -> Path:
        """The folder of the file: relative paths start there, and the context is kept there."""
        return self.file.parent


def load(file: Path) -> Collection:
    """Return the services that a Python file, or a compose file, defines.

    Raises:
        UsageError: The file cannot be read or run, or its services do not fit together; with file, service and field.
    """
    raise NotImplementedError
