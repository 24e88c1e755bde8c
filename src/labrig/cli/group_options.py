"""What the verbs of ``labrig group`` share: the group that is meant, and options in the same words."""

from __future__ import annotations

import click

from labrig.groups.collection import Collection


def collection(ctx: click.Context) -> Collection:
    """Return the group that ``-f`` names, or whose script calls ``cli()``.

    ``ctx.obj`` is the file's path, or the script's own ``Collection``.

    Raises:
        UsageError: No file is named, or it defines no group.
    """
    del ctx
    raise NotImplementedError


def names(value: str | None) -> list[str]:
    """Return the names in a list with commas, such as the value of ``--exclude``."""
    return [part.strip() for part in (value or "").split(",") if part.strip()]
