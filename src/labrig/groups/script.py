"""What a script that defines services calls: its group's name, its compose file, and its hooks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from labrig.errors import UsageError
from labrig.groups import collection


def group_name(name: str) -> None:
    """Name the group; without it, it is named after the folder of the script.

    Raises:
        UsageError: It has a name already, or this is none.
    """
    if collection.script.name is not None:
        raise UsageError(f"the group is called {collection.script.name!r} already, and cannot be called {name!r}")
    if not isinstance(name, str) or not collection.slug(name):
        raise UsageError(f"expected a name for the group, with letters or digits, found {name!r}")
    collection.script.name = name


def compose_file(path: str | Path) -> None:
    """Take the services of a compose file into the group; a class with the name of one of them has its hooks.

    Args:
        path: From the folder of the script.

    Raises:
        UsageError: There is one already.
    """
    if collection.script.compose_file is not None:
        raise UsageError(f"the group has the compose file {collection.script.compose_file} already; it can have one")
    collection.script.compose_file = Path(path)


def on_start_services(hook: Callable[[list[str]], Any]) -> None:
    """Have a function called after ``start`` with the names of the services that are up."""
    collection.script.on_start = hook


def on_stop_services(hook: Callable[[list[str]], Any]) -> None:
    """Have a function called after ``stop`` with the names of the services that were stopped."""
    collection.script.on_stop = hook


def on_reload_service(hook: Callable[[str], Any]) -> None:
    """Have a function called after ``reload`` with the name of the service."""
    collection.script.on_reload = hook
