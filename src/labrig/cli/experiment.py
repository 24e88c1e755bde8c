"""``labrig experiment``: branches deployed on lab hosts."""

from __future__ import annotations

import click

from labrig.cli.late import Late

COMMANDS: dict[str, str] = {
    "create": "Deploy a branch as an experiment; one that is there is updated.",
    "update": "Deploy an experiment's branch anew.",
    "list": "List the experiments of the lab hosts.",
    "status": "Tell how it stands with an experiment, and why it does not answer.",
    "logs": "Print what an experiment wrote.",
    "exec": "Run a command in an experiment's container.",
    "shell": "Open a shell in an experiment's container.",
    "test": "Run a command in a new container of an experiment.",
    "open": "Show an experiment in the browser.",
    "pin": "Let an experiment stay until it is deleted by hand.",
    "delete": "Remove all of an experiment.",
    "sweep": "Remove experiments that are over.",
    "init": "Write every setting, with its meaning, into labrig.yml.",
    "check-config": "Check the settings, and print every one that holds.",
    "encrypt": "Seal a value for the settings.",
}


@click.group(cls=Late, table=COMMANDS, module="labrig.cli.experiment_{}")
def experiment() -> None:
    """Put branches on lab hosts, each with services and a URL of its own."""
