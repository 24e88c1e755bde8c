"""What the verbs of ``labrig group`` share: the group that is meant, and options in the same words."""

from __future__ import annotations

from collections.abc import Sequence

import click

from labrig.errors import UsageError
from labrig.groups.choice import Choice
from labrig.groups.collection import Collection
from labrig.groups.progress import START_SECONDS

exclude_option = click.option("--exclude", metavar="NAMES", help="Not these services, with commas between them.")
timeout_option = click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=START_SECONDS,
    metavar="SECONDS",
    show_default=True,
    help="How long a service may take to become ready, and a hook to end.",
)
network_option = click.option("--network-name", metavar="NAME", help="What the group's own network is called.")


def collection(ctx: click.Context) -> Collection:
    """Return the group that ``-f`` names, or whose script calls ``cli()``.

    ``ctx.obj`` returns it when it is called.

    Raises:
        UsageError: No file is named, or it defines no group.
    """
    if ctx.obj is None:
        raise UsageError("which group? no file is named", hint="labrig group -f FILE ...")
    found: Collection = ctx.obj()
    return found


def choice(names: Sequence[str], exclude: str | None, *, alone: bool) -> Choice:
    """Return which services are meant; names may also stand with commas between them."""
    return Choice(
        tuple(part for name in names for part in listed(name)),
        tuple(listed(exclude)),
        alone=alone,
    )


def listed(value: str | None) -> list[str]:
    """Return the names in a list with commas, such as the value of ``--exclude``."""
    return [part.strip() for part in (value or "").split(",") if part.strip()]
