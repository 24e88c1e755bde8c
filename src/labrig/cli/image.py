"""``labrig image``: the base images."""

from __future__ import annotations

import click
from rich.table import Table

from labrig.cli.console import out, size, steps, words
from labrig.engine import images
from labrig.engine.client import connect
from labrig.errors import UsageError


@click.group()
def image() -> None:
    """The base images that machines start from."""


@image.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--force", is_flag=True, help="Build even where the image is there and its definition has not changed.")
def build(names: tuple[str, ...], *, force: bool) -> None:
    """Build the images that are missing or whose definition has changed; without NAME, all."""
    known = images.definitions()
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(f"no image is called {unknown[0]}", hint=f"there are: {', '.join(known)}")
    client = connect()
    for definition in (known[name] for name in names or known):
        if not force and images.look(client, definition).current:
            words.print(f"{definition.tag} is up to date", markup=False)
            continue
        with steps(f"building {definition.tag}") as say:
            images.build(client, definition, say)
        words.print(f"{definition.tag} built", markup=False)


@image.command(name="list")
def list_images() -> None:
    """List the definitions and what the engine has of each."""
    client = connect()
    table = Table("image", "definition", "state", "size", box=None, pad_edge=False)
    for definition in images.definitions().values():
        built = images.look(client, definition)
        state = "missing" if built.id is None else "up to date" if built.current else "definition has changed"
        table.add_row(definition.tag, definition.digest, state, size(built.bytes) if built.id else "-")
    out.print(table)
