"""``labrig experiment create``: a branch becomes an experiment, or the experiment that it is already is updated."""

from __future__ import annotations

from pathlib import Path

import click

from labrig.cli.experiment_deploying import deploy
from labrig.cli.experiment_options import Call, change_options, host_options
from labrig.experiments import naming


@click.command()
@host_options
@change_options
@click.option("--name", metavar="NAME", help="What the experiment is called [default: made of the branch].")
@click.argument("branch")
def create(*, call: Call, json_file: Path | None, name: str | None, branch: str) -> None:
    """Deploy BRANCH as an experiment, and print its URL; one that is there already is updated.

    What served before serves on until the new container is healthy, and where something fails. Ends with 1 where the
    branch is at fault: it is not built, its command before the start fails, or it does not become healthy.
    """
    naming.checked_branch(branch)
    chosen = naming.label(branch) if name is None else naming.checked_name(name, "--name")
    deploy(call, chosen, branch=branch, json_file=json_file)
