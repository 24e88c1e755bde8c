"""``labrig experiment create``: a branch becomes an experiment, or the experiment that it is already is updated."""

from __future__ import annotations

from pathlib import Path

import click

from labrig.cli.experiment_deploying import deploy
from labrig.cli.experiment_options import dry_run_option, host_options, json_option, verbose_option, wait_option
from labrig.experiments import naming


@click.command()
@host_options
@dry_run_option
@wait_option
@verbose_option
@json_option
@click.option("--name", metavar="NAME", help="What the experiment is called [default: made of the branch].")
@click.argument("branch")
def create(
    *,
    project: Path,
    host: str,
    ssh_config: Path | None,
    dry_run: bool,
    wait: str | None,
    verbose: bool,
    json_file: Path | None,
    name: str | None,
    branch: str,
) -> None:
    """Deploy BRANCH as an experiment, and print its URL; one that is there already is updated.

    What served before serves on until the new container is healthy, and where something fails. Ends with 1 where the
    branch is at fault: it is not built, its command before the start fails, or it does not become healthy.
    """
    naming.checked_branch(branch)
    deploy(
        project,
        naming.label(branch) if name is None else naming.checked_name(name, "--name"),
        branch=branch,
        host=host,
        ssh_config=ssh_config,
        dry_run=dry_run,
        wait=wait,
        verbose=verbose,
        json_file=json_file,
    )
