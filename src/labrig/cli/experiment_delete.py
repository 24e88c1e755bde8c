"""``labrig experiment delete``: all of an experiment goes, and nothing else."""

from __future__ import annotations

from pathlib import Path

import click

from labrig.cli.console import words, write_json
from labrig.cli.experiment_board import Board, print_plan, told_failure, write_failure
from labrig.cli.experiment_options import (
    dry_run_option,
    host_options,
    json_option,
    order,
    verbose_option,
    wait_option,
)
from labrig.errors import LabrigError
from labrig.experiments import deploying
from labrig.experiments.failing import StepFailed


@click.command()
@host_options
@dry_run_option
@wait_option
@verbose_option
@json_option
@click.argument("name")
def delete(
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
    """Remove all of experiment NAME from its lab host: containers, data of its services, images, network, folder.

    What goes is what carries the experiment's labels: nothing of any other experiment, and nothing else on the host.
    """
    board = Board()
    given = order(
        project, name, host=host, ssh_config=ssh_config, dry_run=dry_run, wait=wait, verbose=verbose, board=board
    )
    try:
        with board:
            report = deploying.delete(given)
    except LabrigError as error:
        if isinstance(error, StepFailed):
            told_failure(error)
        write_failure(error, json_file, app=given.settings.app, name=given.name)
        raise
    if not dry_run:
        words.print(f"deleted  {report.app}/{report.name} on {report.host}, {report.seconds:.1f} s", markup=False)
    elif json_file is None:
        print_plan(report, commands=verbose)
    write_json(report.content(), json_file)
