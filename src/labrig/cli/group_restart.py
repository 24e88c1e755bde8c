"""``labrig group restart``."""

from __future__ import annotations

import click

from labrig.cli.group_board import Board, exit_code, summary
from labrig.cli.group_options import choice, collection, exclude_option, network_option, timeout_option
from labrig.engine.client import connect
from labrig.groups import operations
from labrig.groups.choice import to_stop


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@exclude_option
@click.option("--no-deps", is_flag=True, help="Only the named services, not what depends on them.")
@timeout_option
@network_option
@click.pass_context
def restart(
    ctx: click.Context,
    names: tuple[str, ...],
    *,
    exclude: str | None,
    no_deps: bool,
    timeout: float,
    network_name: str | None,
) -> int:
    """Stop services and start them again: all, or those named with what depends on them."""
    group = collection(ctx)
    chosen = choice(names, exclude, alone=no_deps)
    with Board(list(reversed(to_stop(group.dependencies, chosen)))) as board:
        outcome = operations.restart(
            connect(), group, chosen, timeout=timeout, network_name=network_name, listener=board.hear
        )
    summary(outcome)
    return exit_code(outcome)
