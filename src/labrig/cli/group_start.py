"""``labrig group start``."""

from __future__ import annotations

import click

from labrig.cli.group_board import Board, exit_code, summary
from labrig.cli.group_options import choice, collection, exclude_option, network_option, timeout_option
from labrig.engine.client import connect
from labrig.groups import operations
from labrig.groups.choice import to_start


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@exclude_option
@click.option("--no-deps", is_flag=True, help="Only the named services, not what they depend on.")
@timeout_option
@network_option
@click.pass_context
def start(
    ctx: click.Context,
    names: tuple[str, ...],
    *,
    exclude: str | None,
    no_deps: bool,
    timeout: float,
    network_name: str | None,
) -> int:
    """Start services, each once those that it depends on are ready: all, or those named with what they need.

    What runs as it is defined is left alone; what differs is said, key by key, and recreated. Ctrl-C stops what was
    started. Exit codes: 1 a service failed; 3 the engine went away.
    """
    group = collection(ctx)
    chosen = choice(names, exclude, alone=no_deps)
    with Board(to_start(group.dependencies, chosen)) as board:
        outcome = operations.start(
            connect(), group, chosen, timeout=timeout, network_name=network_name, listener=board.hear
        )
    summary(outcome)
    return exit_code(outcome)
