"""What a script that defines services calls: its group's name, its hooks, its own command line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


def group_name(name: str) -> None:
    """Name the group; without it, it is named after the folder of the script.

    Raises:
        UsageError: It has a name already.
    """
    raise NotImplementedError


def on_start_services(hook: Callable[[list[str]], Any]) -> None:
    """Have a function called after ``start`` with the names of the services that are up."""
    raise NotImplementedError


def on_stop_services(hook: Callable[[list[str]], Any]) -> None:
    """Have a function called after ``stop`` with the names of the services that were stopped."""
    raise NotImplementedError


def on_reload_service(hook: Callable[[str], Any]) -> None:
    """Have a function called after ``reload`` with the name of the service."""
    raise NotImplementedError


def cli(arguments: Sequence[str] | None = None) -> None:
    """Be the command line of the script that calls it: ``labrig group`` with the script as its file.

    Nothing happens while ``labrig group -f`` reads the script.
    """
    raise NotImplementedError
