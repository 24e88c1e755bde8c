"""``labrig experiment test``: a command in a new container of an experiment."""

from __future__ import annotations

import sys

import click

from labrig.cli.experiment_options import Call, command_words, host_options, wait_option
from labrig.experiments import trying


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@host_options
@wait_option
@click.argument("name")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def test(*, call: Call, name: str, command: tuple[str, ...]) -> int:
    """Run COMMAND in a new container of experiment NAME: with its image, environment and network, for this alone.

    COMMAND is words, or one text for the shell. The experiment is not updated meanwhile. Ends with the command's own
    exit code.
    """

    def hear(text: str, is_error: bool) -> None:  # noqa: FBT001  # as a connection tells it
        stream = sys.stderr if is_error else sys.stdout
        stream.write(text)
        stream.flush()

    return trying.run(call.order(name), command_words(command), hear)
