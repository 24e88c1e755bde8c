"""``labrig group status``: what there is of each service."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from labrig.cli.console import out, write_json
from labrig.cli.group_options import collection
from labrig.engine.client import connect
from labrig.groups.standing import standing
from labrig.groups.status import Status, statuses


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.pass_context
def status(ctx: click.Context, *, as_json: bool) -> None:
    """Tell what there is of each service: its state, the ports that lead to it, its image, since when.

    Ends with 0 whatever the states are.
    """
    shown = collection(ctx)
    one_shot = {name: service.define(None).one_shot for name, service in shown.services.items()}
    found = statuses(one_shot, standing(connect(), shown))
    if as_json:
        write_json({"group": shown.group, "services": [asdict(one) for one in found]}, Path("-"))
        return
    table = Table("service", "state", "ports", "image", "since", box=None, pad_edge=False)
    for one in found:
        ports = ", ".join(f"{host} -> {port}" for port, host in sorted(one.ports.items()))
        since = one.since.astimezone().strftime("%Y-%m-%d %H:%M:%S") if one.since else "-"
        table.add_row(one.service, Text(one.state, style=_style(one)), ports or "-", one.image or "-", since)
    out.print(table)


def _style(one: Status) -> str:
    if one.state == "not created":
        return "dim"
    return "green" if one.well and one.defined else "yellow"
