"""``labrig experiment exec``: a command in an experiment's container."""

from __future__ import annotations

import click

from labrig.cli.experiment_options import Call, command_words, host_options, service_option
from labrig.cli.experiment_session import ENTER, run


@click.command(name="exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@host_options
@service_option
@click.option("-T", "--no-tty", is_flag=True, help="No terminal, also where there is one.")
@click.argument("name")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def exec(  # noqa: A001  # a verb's module has a command of its name
    *,
    call: Call,
    service: str,
    no_tty: bool,
    name: str,
    command: tuple[str, ...],
) -> int:
    """Run COMMAND in the container that serves experiment NAME.

    Standard input goes in; with a terminal on both sides the command has one as well. Ends with the command's own exit
    code.
    """
    given = call.order(name)
    own = [f"--service={service}"] if service else []
    return run(given, ENTER, own, command_words(command), with_terminal=not no_tty)
