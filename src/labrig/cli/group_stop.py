"""``labrig group stop``."""

from __future__ import annotations

import click

from labrig.cli.group_board import Board, exit_code, summary
from labrig.cli.group_options import choice, collection, exclude_option, network_option
from labrig.engine.client import connect
from labrig.groups import operations
from labrig.groups.choice import to_stop
from labrig.groups.progress import STOP_SECONDS


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@exclude_option
@click.option("--no-deps", is_flag=True, help="Only the named services, not what depends on them.")
@click.option("--remove", is_flag=True, help="Also remove containers; with all services also networks and the context.")
@click.option("--volumes", is_flag=True, help="With --remove, also the named volumes that the group has created.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=STOP_SECONDS,
    metavar="SECONDS",
    show_default=True,
    help="How long a container has to end by itself, and a hook.",
)
@network_option
@click.pass_context
def stop(
    ctx: click.Context,
    names: tuple[str, ...],
    *,
    exclude: str | None,
    no_deps: bool,
    remove: bool,
    volumes: bool,
    timeout: float,
    network_name: str | None,
) -> int:
    """Stop services, dependants first: all, or those named with what depends on them."""
    group = collection(ctx)
    chosen = choice(names, exclude, alone=no_deps)
    with Board(to_stop(group.dependencies, chosen)) as board:
        outcome = operations.stop(
            connect(),
            group,
            chosen,
            timeout=timeout,
            remove=remove,
            volumes=volumes,
            network_name=network_name,
            listener=board.hear,
        )
    summary(outcome)
    return exit_code(outcome)
