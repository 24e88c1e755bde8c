"""``labrig group exec``: a command in the container of a service."""

from __future__ import annotations

import click

from labrig.cli.group_containers import become_docker, command_options, has_terminal, running
from labrig.cli.group_options import collection
from labrig.engine.client import connect


@click.command(name="exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@command_options
@click.argument("service")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_context
def exec(  # noqa: A001  # a verb's module has a command of its name
    ctx: click.Context,
    *,
    user: str | None,
    workdir: str | None,
    variables: tuple[str, ...],
    no_tty: bool,
    service: str,
    command: tuple[str, ...],
) -> None:
    """Run COMMAND in the container of SERVICE, which must run.

    Standard input goes in; with a terminal on both sides the command has one as well. Ends with the command's own exit
    code.
    """
    found = running(connect(), collection(ctx), service)
    options = ["--interactive"]
    options += ["--tty"] if has_terminal() and not no_tty else []
    options += ["--user", user] if user else []
    options += ["--workdir", workdir] if workdir else []
    options += [word for one in variables for word in ("--env", one)]
    become_docker(["exec", *options, found.id, *command])
