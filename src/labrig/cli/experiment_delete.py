"""``labrig experiment delete``: all of an experiment goes, and nothing else."""

from __future__ import annotations

from pathlib import Path

import click

from labrig.cli.console import words, write_json
from labrig.cli.experiment_board import print_plan, shown
from labrig.cli.experiment_options import Call, change_options, host_options
from labrig.experiments import deploying


@click.command()
@host_options
@change_options
@click.argument("name")
def delete(*, call: Call, json_file: Path | None, name: str) -> None:
    """Remove all of experiment NAME from its lab host: containers, data of its services, images, network, folder.

    What goes is what carries the experiment's labels: nothing of any other experiment, and nothing else on the host.
    """
    with shown(call.order(name), json_file) as order:
        report = deploying.delete(order)
    if not call.dry_run:
        words.print(f"deleted  {report.app}/{report.name} on {report.host}, {report.seconds:.1f} s", markup=False)
    elif json_file is None:
        print_plan(report, commands=call.verbose)
    write_json(report.content(), json_file)
