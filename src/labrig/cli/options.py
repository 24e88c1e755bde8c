"""What several commands ask in the same words."""

from __future__ import annotations

from pathlib import Path

import click
from pydantic import ByteSize, TypeAdapter, ValidationError

from labrig.errors import UsageError
from labrig.project_file import duration

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


def byte_count(name: str, value: str) -> int:
    """Return the bytes that the value of an option stands for: ``500M`` is 500,000,000, ``1GiB`` is 1,073,741,824.

    Raises:
        UsageError: It stands for no size.
    """
    try:
        return int(TypeAdapter(ByteSize).validate_python(value))
    except ValidationError as error:
        raise UsageError(f"{name}: expected a size such as 500M or 10G, found {value!r}") from error
