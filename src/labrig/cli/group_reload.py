"""``labrig group reload``."""

from __future__ import annotations

import click

from labrig.cli.group_board import Board, exit_code, summary
from labrig.cli.group_options import collection, network_option, timeout_option
from labrig.engine.client import connect
from labrig.groups import operations


@click.command()
@click.argument("service")
@click.option("--remove", is_flag=True, help="Also make the containers of what depends on it anew.")
@timeout_option
@network_option
@click.pass_context
def reload(ctx: click.Context, service: str, *, remove: bool, timeout: float, network_name: str | None) -> int:
    """Build a service's image from its `build_from`, and restart it, with what depends on it, on the new image.

    A build that fails leaves all running as it is. The new image stays in use at later starts.
    """
    group = collection(ctx)
    with Board([]) as board:
        outcome = operations.reload(
            connect(), group, service, timeout=timeout, remove=remove, network_name=network_name, listener=board.hear
        )
    summary(outcome)
    return exit_code(outcome)
