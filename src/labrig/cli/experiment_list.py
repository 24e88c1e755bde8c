"""``labrig experiment list``: all experiments of the lab hosts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from labrig.cli.console import out, words, write_json
from labrig.cli.experiment_options import Call, host_options, json_option
from labrig.cli.experiment_times import moment
from labrig.errors import ExitCode
from labrig.experiments import overview
from labrig.experiments.listing import Listed

STYLES = {"serves": "green", "sleeps": "cyan"}


@click.command(name="list")
@host_options
@json_option
@click.argument("app", required=False)
def list(  # noqa: A001  # as the verb is called
    *, call: Call, json_file: Path | None, app: str | None
) -> ExitCode:
    """List the experiments of the lab hosts that the settings name, of every application; with APP, those of one.

    --host names another lab host, also where there are no settings. Ends with 3 where one host cannot be asked; what
    the others tell is printed nevertheless.
    """
    hosts, config = call.lab_hosts()
    seen = overview.of_hosts(hosts, config=config)
    found = [(where, one) for where, there in seen.items() for one in there.experiments if app in (None, one.app)]
    troubles = {where: there.trouble for where, there in seen.items() if there.trouble}
    if json_file is None and (found or not troubles):
        _print(found, is_one_host=len(seen) == 1)
    # What the lab host calls `host` is a part of the URL.
    told = [{**one.object(), "host": where} for where, one in found]
    write_json({"experiments": told, "troubles": troubles}, json_file)
    for trouble in troubles.values():
        words.print(f"labrig: error: {trouble}", markup=False)
    return ExitCode.ENVIRONMENT if troubles else ExitCode.OK


def _print(found: Sequence[tuple[str, Listed]], *, is_one_host: bool) -> None:
    if not found:
        words.print("there are no experiments", markup=False)
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    of_host = () if is_one_host else ("host",)
    for column in (*of_host, "app", "name", "state", "branch", "commit", "stays until", "url"):
        table.add_column(column, no_wrap=True)
    for where, one in found:
        stays = "pinned" if one.pinned else moment(one.expires) if one.expires else "for ever"
        state = Text(one.state, style=STYLES.get(one.state, "yellow"))
        if one.busy:
            state.append(" (being changed)", style="default")
        texts = map(Text, (one.branch, one.release[:12], stays, one.url))
        table.add_row(*map(Text, (where,) if of_host else ()), Text(one.app), Text(one.name), state, *texts)
    out.print(table)
