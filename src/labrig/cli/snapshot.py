"""``labrig snapshot``: production's state, kept as an image."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import click
from rich.table import Table

from labrig.cli.console import out, size, steps, words
from labrig.cli.options import byte_count, project_option, scenario_option, seconds
from labrig.engine import ownership
from labrig.engine.client import connect
from labrig.errors import UsageError
from labrig.prove import production_images, snapshots
from labrig.prove.proof import Options


@click.group()
def snapshot() -> None:
    """Production's state, deployed from a git ref and kept as an image."""


@snapshot.command()
@click.argument("ref", required=False)
@project_option
@scenario_option
@click.option("--image", "images", multiple=True, metavar="FROM=TO", help="Use image TO where the scenario names FROM.")
@click.option(
    "--tag",
    metavar="NAME",
    help="The image's name [default: the platform's production image, or labrig/production/PROJECT-PLATFORM].",
)
@click.option("--if-missing", is_flag=True, help="Do nothing where an image of that name is there.")
@click.option("--timeout", metavar="TIME", default="30m", show_default=True, help="How long the deployment may take.")
def build(
    *,
    ref: str | None,
    project: Path,
    scenario: str | None,
    images: tuple[str, ...],
    tag: str | None,
    if_missing: bool,
    timeout: str,
) -> None:
    """Deploy REF on a base image and keep the machine as production's state.

    Without REF it is the merge base with the main branch, or on the main branch its first parent.
    """
    pairs = dict(one.split("=", 1) for one in images if "=" in one)
    if len(pairs) != len(images):
        raise UsageError("--image: expected FROM=TO")
    options = Options(project=project, scenario=scenario, images=pairs, timeout=seconds("--timeout", timeout))
    with steps("building production's snapshot") as say:
        made = production_images.build(
            options, ref, tag, os.environ, if_missing=if_missing, say=lambda _, step, task: say(task or step)
        )
    for image in made:
        words.print(f"{image.name}: {image.what}", markup=False)


@snapshot.command(name="list")
def list_snapshots() -> None:
    """List the snapshots on the engine."""
    columns = ("image", "project", "platform", "ref", "commit", "made", "expires", "own size")
    table = Table(*columns, box=None, pad_edge=False)
    client = connect()
    # What several share is on the disk once.
    sizes = snapshots.own_sizes(client)
    found = snapshots.stored(client)
    for one in found:
        whose = ownership.Ownership.read(one.labels)
        table.add_row(
            one.image,
            whose.project if whose else "",
            one.platform,
            one.labels.get(snapshots.REF, ""),
            one.labels.get(snapshots.COMMIT, "")[:12],
            one.labels.get(ownership.CREATED, ""),
            one.labels.get(ownership.EXPIRES, ""),
            size(sizes.get(one.id, 0)),
        )
    out.print(table)
    total = sum(sizes.get(one, 0) for one in {one.id for one in found})
    words.print(f"{len(found)} snapshots, {size(total)} that nothing else has", markup=False)


@snapshot.command()
@click.argument("image")
@click.argument("target")
def push(*, image: str, target: str) -> None:
    """Push the snapshot IMAGE to a registry as TARGET, for example registry.example.com/production/web:latest."""
    with steps(f"pushing {target}") as say:
        production_images.push(connect(), image, target, say)
    words.print(f"{target} pushed", markup=False)


@snapshot.command()
@click.option(
    "--older-than", metavar="TIME", default="14d", show_default=True, help="Remove what was made longer ago than this."
)
@click.option("--max-size", metavar="SIZE", help="Remove the oldest until the rest has no more of its own: 10G, 500M.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
def prune(*, older_than: str, max_size: str | None, dry_run: bool) -> None:
    """Remove old snapshots of this seat, by their labels; what a machine uses stays."""
    age = timedelta(seconds=seconds("--older-than", older_than))
    limit = None if max_size is None else byte_count("--max-size", max_size)
    gone = production_images.prune(connect(), age, limit=limit, dry_run=dry_run)
    for name in gone:
        out.print(f"{'would remove' if dry_run else 'removed'} {name}", markup=False)
    if not gone:
        out.print("nothing to remove")
