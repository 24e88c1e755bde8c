"""``labrig clean``: remove what is left."""

from __future__ import annotations

import click

from labrig.cli.console import out
from labrig.engine import ownership, sweep
from labrig.engine.client import connect
from labrig.engine.sweep import Owned


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--all", "everything", is_flag=True, help="Also snapshots, base images and groups of services.")
def clean(*, dry_run: bool, everything: bool) -> None:
    """Remove what dead runs left, machines that were kept, with --keep or for Molecule, and what has expired.

    Only objects that carry labrig's labels are touched, never those of a run or of a command of Molecule that is still
    going on, and with --all none of other users.
    """
    client = connect()
    going = [thing for thing in sweep.find(client) if _goes(thing, everything=everything)]
    for thing in going if dry_run else sweep.remove(client, going):
        whose = thing.ownership
        verb = "would remove" if dry_run else "removed"
        run = f", run {whose.run}" if whose.run else ""
        out.print(f"{verb} {thing.sort} {thing.name} ({whose.kind} of {whose.project}{run})", markup=False)
    if not going:
        out.print("nothing to remove")


def _goes(thing: Owned, *, everything: bool) -> bool:
    whose = thing.ownership
    if whose.kind == ownership.GROUP_KIND:
        return everything and whose.seat == ownership.here()
    if whose.kind in ownership.STORED_KINDS:
        if thing.name.startswith(ownership.NAMED_IMAGES):
            return everything and whose.seat == ownership.here()
        return (everything and whose.seat == ownership.here()) or whose.expired()
    if whose.run and whose.seat == ownership.here() and ownership.is_alive(whose.run):
        return False
    return whose.seat == ownership.here() or whose.expired()
