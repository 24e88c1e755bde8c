"""What several commands ask in the same words."""

from __future__ import annotations

from pathlib import Path

import click

from labrig.errors import UsageError
from labrig.prove.configuration import duration

project_option = click.option(
    "--project",
    type=click.Path(path_type=Path),
    default=Path(),
    metavar="DIR",
    help="The project's folder [default: here].",
)
scenario_option = click.option("--scenario", metavar="NAME", help="The Molecule scenario, where there are several.")


def seconds(name: str, value: str) -> float:
    """Return the seconds that the value of an option stands for.

    Raises:
        UsageError: It stands for no time.
    """
    try:
        return duration(value).total_seconds()
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from error
