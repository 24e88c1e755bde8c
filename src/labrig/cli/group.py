"""``labrig group``: services in order."""

from __future__ import annotations

import importlib
from functools import partial
from pathlib import Path

import click

from labrig.groups.collection import load

# Each in a module of its own, ``cli/group_<name>.py``, that has a command of this name; loaded when called for.
COMMANDS: dict[str, str] = {
    "start": "Start services, each once those that it depends on are ready.",
    "stop": "Stop services, dependants first.",
    "reload": "Build a service anew and restart it with what depends on it.",
    "restart": "Stop services and start them again.",
    "status": "Tell what there is of each service.",
    "logs": "Print what services wrote.",
    "exec": "Run a command in the container of a service.",
    "run": "Run a command in a container like that of a service.",
    "env": "Print the values that services hand on, for the shell.",
    "test": "Start the group, run a command or pytest, stop the group.",
    "graph": "Draw what depends on what.",
}


class Verbs(click.Group):
    """The command group whose members are modules ``group_<verb>`` of this package."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order in which they are met."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of that name, or None."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command = getattr(importlib.import_module(f"labrig.cli.group_{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)  # noqa: S101
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of verbs without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Verbs)
@click.option(
    "-f",
    "--file",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The Python file, or compose file, that defines the services.",
)
@click.pass_context
def group(ctx: click.Context, file: Path | None) -> None:
    """Start services in the order of their dependencies, and wait until each is ready."""
    if file is not None:
        # Reading a file runs it: only once a verb asks for it, so that --help does not.
        ctx.obj = partial(load, file)
