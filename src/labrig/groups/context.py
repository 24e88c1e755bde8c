"""``labrig.Context``: the values that services of a group hand on to one another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

FILE = ".miniboss-context"


class ContextValues(dict[str, Any]):
    """A dict that is kept as JSON beside the group's file."""

    def load_from(self, directory: Path | str) -> None:
        """Take up what the file in a folder holds; nothing where there is none."""
        raise NotImplementedError

    def save_to(self, directory: Path | str) -> None:
        """Write the values to the file in a folder, for nobody else to read."""
        raise NotImplementedError

    def remove_file(self, directory: Path | str) -> None:
        """Remove the file in a folder, if there is one."""
        raise NotImplementedError


Context = ContextValues()
