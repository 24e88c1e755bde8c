"""``labrig experiment pin``: an experiment stays whatever its time says."""

from __future__ import annotations

import click

from labrig.cli.console import words
from labrig.cli.experiment_options import Call, host_options, wait_option
from labrig.experiments import deploying


@click.command()
@host_options
@wait_option
@click.option("--off", is_flag=True, help="Let its time count again.")
@click.argument("name")
def pin(*, call: Call, off: bool, name: str) -> None:
    """Let experiment NAME stay until it is deleted by hand: neither its time nor the end of its branch removes it."""
    report = deploying.pin(call.order(name), pinned=not off)
    state = "its time counts" if off else "stays until it is deleted"
    words.print(f"{report.app}/{report.name} {state}" + ("" if report.changed else ", as before"), markup=False)
