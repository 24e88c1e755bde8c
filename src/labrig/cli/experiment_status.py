"""``labrig experiment status``: how it stands with an experiment, and why it does not answer."""

from __future__ import annotations

from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from labrig.cli.console import out, words, write_json
from labrig.cli.experiment_options import Call, host_options, json_option
from labrig.cli.experiment_times import moment
from labrig.experiments.inspecting import Status
from labrig.experiments.inspecting import status as asked

_STYLES = {"serves": "green", "sleeps": "cyan"}


@click.command()
@host_options
@json_option
@click.argument("name")
def status(*, call: Call, json_file: Path | None, name: str) -> None:
    """Tell how it stands with experiment NAME: whether it answers, why not, what is deployed, until when it stays.

    Ends with 0 whatever the state is.
    """
    found = asked(call.order(name))
    if json_file is not None:
        write_json(found.content(), json_file)
        return
    _print(found)


def _print(found: Status) -> None:
    table = Table.grid(padding=(0, 2))
    state = Text(found.state, style=_STYLES.get(found.state, "yellow"))
    stays = "until it is deleted" if found.pinned else f"until {moment(found.expires)}" if found.expires else "for ever"
    for what, told in (
        ("state", state.append(f": {found.reason}", style="default") if found.reason else state),
        ("url", Text(found.url or "-")),
        ("host", Text(found.host)),
        ("branch", Text(f"{found.branch} at {found.release[:12]}" if found.release else found.branch)),
        ("made", Text(f"{moment(found.created)} by {found.creator or 'somebody'}")),
        ("deployed", Text(moment(found.deployed))),
        ("stays", Text(stays)),
        *((f"service {name}", Text(one)) for name, one in found.services.items()),
    ):
        table.add_row(Text(what, style="dim"), told)
    out.print(table)
    if found.logs:
        words.print("the last that its container wrote:", markup=False)
        for line in found.logs:
            words.print(Text("  | ", style="dim").append(Text.from_ansi(line)))
