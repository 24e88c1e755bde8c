"""``labrig doctor``: what is amiss here, and what to do."""

from __future__ import annotations

import click

from labrig.cli.console import out
from labrig.engine.doctor import Health, examine
from labrig.errors import ExitCode

SIGNS: dict[Health, str] = {"ok": "[green]ok[/]", "warning": "[yellow]warning[/]", "bad": "[bold red]bad[/]"}


@click.command()
def doctor() -> int:
    """Tell whether this machine has what labrig needs: engine, cgroups, capabilities, disk, images.

    Ends with 3 where something is missing without which no proof can run.
    """
    bad = False
    for finding in examine():
        bad = bad or finding.health == "bad"
        out.print(f"{SIGNS[finding.health]:<9} {finding.about}: ", end="")
        out.print(finding.found, markup=False)
        if finding.advice:
            out.print(f"          -> {finding.advice}", markup=False)
    return ExitCode.ENVIRONMENT if bad else ExitCode.OK
