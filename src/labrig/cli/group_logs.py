"""``labrig group logs``: what services wrote."""

from __future__ import annotations

import click
from rich.text import Text

from labrig.cli.console import out
from labrig.cli.group_containers import chosen
from labrig.cli.group_options import collection
from labrig.engine.client import connect
from labrig.groups import log_lines
from labrig.groups.standing import standing

COLOURS = ("cyan", "yellow", "green", "magenta", "blue", "bright_red", "bright_cyan", "bright_yellow", "bright_green")


@click.command()
@click.argument("services", nargs=-1, metavar="[SERVICE]...")
@click.option("--follow", is_flag=True, help="Go on while they run.")
@click.option("--tail", type=click.IntRange(min=0), metavar="N", help="Only the last N lines of each.")
@click.option("--timestamps", is_flag=True, help="Show when each line was written.")
@click.pass_context
def logs(ctx: click.Context, *, services: tuple[str, ...], follow: bool, tail: int | None, timestamps: bool) -> None:
    """Print what services wrote, all of them in the order of time; without SERVICE, all."""
    shown = collection(ctx)
    names = chosen(shown, services)
    client = connect()
    stands = standing(client, shown)
    found = [stands[name] for name in names if name in stands]
    width = max((len(one.service) for one in found), default=0)
    colours = {name: COLOURS[index % len(COLOURS)] for index, name in enumerate(shown.services)}
    lines = log_lines.follow(client, found, tail) if follow else log_lines.read(client, found, tail)
    for line in lines:
        head = Text(f"{line.service:<{width}} | ", style=colours[line.service])
        if timestamps:
            head.append(f"{line.when} ", style="dim")
        # What a service writes may bring colours of its own.
        out.print(head + Text.from_ansi(line.text), soft_wrap=True)
