"""What ``create`` and ``update`` do alike."""

from __future__ import annotations

from pathlib import Path

from labrig.cli.console import out, words, write_json
from labrig.cli.experiment_board import print_plan, shown
from labrig.cli.experiment_options import Call
from labrig.experiments import deploying, reachable


def deploy(call: Call, name: str, *, branch: str = "", json_file: Path | None) -> None:
    """Deploy, and tell what it came to."""
    wanted = call.order(name, branch=branch)
    asked = reachable.Name(wanted.identity().virtual_host)
    with shown(wanted, json_file) as order:
        report = deploying.deploy(order)
    if call.dry_run:
        if json_file is None:
            print_plan(report, commands=call.verbose)
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
