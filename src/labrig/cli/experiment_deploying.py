"""What ``create`` and ``update`` do alike."""

from __future__ import annotations

from pathlib import Path

from labrig.cli.console import out, words, write_json
from labrig.cli.experiment_board import Board, print_plan, told_failure, write_failure
from labrig.cli.experiment_options import order
from labrig.errors import LabrigError
from labrig.experiments import deploying, reachable
from labrig.experiments.failing import StepFailed


def deploy(
    project: Path,
    name: str,
    *,
    branch: str = "",
    host: str,
    ssh_config: Path | None,
    dry_run: bool,
    wait: str | None,
    verbose: bool,
    json_file: Path | None,
) -> None:
    """Deploy, and tell what it came to."""
    board = Board()
    wanted = order(
        project,
        name,
        branch=branch,
        host=host,
        ssh_config=ssh_config,
        dry_run=dry_run,
        wait=wait,
        verbose=verbose,
        board=board,
    )
    asked = reachable.Name(wanted.identity().virtual_host)
    try:
        with board:
            report = deploying.deploy(wanted)
    except LabrigError as error:
        if isinstance(error, StepFailed):
            told_failure(error)
        write_failure(error, json_file, app=wanted.settings.app, name=wanted.name)
        raise
    if dry_run:
        if json_file is None:
            print_plan(report, commands=verbose)
    else:
        what = "deployed" if report.changed else "was so already"
        words.print(
            f"{report.app}/{report.name} {what}: {report.branch} at {report.release[:12]} on {report.host},"
            f" {report.seconds:.1f} s",
            markup=False,
        )
        if json_file is None:
            out.print(report.url, markup=False, soft_wrap=True)
    write_json(report.content(), json_file)
    if not asked.resolves():
        words.print(
            f"warning: {asked.host} does not resolve here: is there a record *.{wanted.settings.domain} that leads to"
            f" {report.host}?",
            style="yellow",
            markup=False,
        )
