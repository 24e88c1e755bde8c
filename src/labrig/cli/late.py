"""Commands that are imported when they are called for, so that ``labrig --help`` waits for no library."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click


class Late(click.Group):
    """A group of commands, each in a module of its own that has a command of its name.

    Args:
        table: What each command does, by its name, in the order of their importance.
        module: The name of a command's module, with ``{}`` for the command's.
    """

    def __init__(self, *args: Any, table: Mapping[str, str], module: str, **more: Any) -> None:
        super().__init__(*args, **more)
        self._table = table
        self._module = module

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of their importance."""
        del ctx
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of that name, or None."""
        del ctx
        if cmd_name not in self._table:
            return None
        name = cmd_name.replace("-", "_")
        command = getattr(importlib.import_module(self._module.format(name)), name)
        assert isinstance(command, click.Command)  # noqa: S101
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of commands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(self._table.items()))
