"""``labrig experiment update``: an experiment's branch is deployed anew."""

from __future__ import annotations

from pathlib import Path

import click

from labrig.cli.experiment_deploying import deploy
from labrig.cli.experiment_options import Call, change_options, host_options


@click.command()
@host_options
@change_options
@click.argument("name")
def update(*, call: Call, json_file: Path | None, name: str) -> None:
    """Deploy the branch of experiment NAME as it is now, with the settings as they are now.

    It is what `create` does with an experiment that is there.
    """
    deploy(call, name, json_file=json_file)
