"""``labrig group``: services in order."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from labrig.cli.late import Late
from labrig.groups.collection import load

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


@click.group(cls=Late, table=COMMANDS, module="labrig.cli.group_{}")
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
