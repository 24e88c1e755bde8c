"""``labrig experiment update``: an experiment's branch is deployed anew."""

from __future__ import annotations

from pathlib import Path

import click

from labrig.cli.experiment_deploying import deploy
from labrig.cli.experiment_options import dry_run_option, host_options, json_option, verbose_option, wait_option


@click.command()
@host_options
@dry_run_option
@wait_option
@verbose_option
@json_option
@click.argument("name")
def update(
    *,
    project: Path,
    host: str,
    ssh_config: Path | None,
    dry_run: bool,
    wait: str | None,
    verbose: bool,
    json_file: Path | None,
    name: str,
) -> None:
    """Deploy the branch of experiment NAME as it is now, with the settings as they are now.

    It is what `create` does with an experiment that is there.
    """
    deploy(
        project,
        name,
        host=host,
        ssh_config=ssh_config,
        dry_run=dry_run,
        wait=wait,
        verbose=verbose,
        json_file=json_file,
    )
