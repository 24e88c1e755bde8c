"""``labrig experiment logs``: what an experiment wrote."""

from __future__ import annotations

import click

from labrig.cli.experiment_options import Call, host_options, service_option
from labrig.cli.experiment_session import run


@click.command()
@host_options
@service_option
@click.option("-f", "--follow", is_flag=True, help="Go on while it runs.")
@click.option("--tail", type=click.IntRange(min=0), metavar="N", help="Only the last N lines.")
@click.option("--since", metavar="TIME", help="Since a time, ISO 8601, or for so long: 10m.")
@click.option("--timestamps", is_flag=True, help="Show when each line was written.")
@click.argument("name")
def logs(
    *,
    call: Call,
    service: str,
    follow: bool,
    tail: int | None,
    since: str | None,
    timestamps: bool,
    name: str,
) -> int:
    """Print what the container that serves experiment NAME wrote."""
    options = [f"--service={service}"] if service else []
    options += ["--follow"] if follow else []
    options += ["--timestamps"] if timestamps else []
    options += [f"--tail={tail}"] if tail is not None else []
    options += [f"--since={since}"] if since else []
    return run(call.order(name), "logs", options)
