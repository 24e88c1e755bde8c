"""``labrig group graph``: what depends on what, drawn."""

from __future__ import annotations

from pathlib import Path

import click

from labrig.cli.console import words
from labrig.cli.group_options import collection
from labrig.errors import UsageError
from labrig.groups import graph as drawing
from labrig.groups.collection import Collection


@click.command()
@click.option(
    "--svg",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="Write the graph as SVG; - is stdout.",
)
@click.pass_context
def graph(ctx: click.Context, svg: Path | None) -> None:
    """Draw what depends on what: a tree, or with --svg a picture in which what starts first stands at the left.

    No engine is needed.
    """
    shown = collection(ctx)
    nodes = _nodes(shown)
    if svg is None:
        click.echo(drawing.text(nodes), nl=False)
        return
    picture = drawing.svg(nodes, shown.group)
    if str(svg) == "-":
        click.echo(picture, nl=False)
        return
    try:
        svg.write_text(picture, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--svg: cannot write {svg}: {error.strerror}") from error
    words.print(f"{len(nodes)} services drawn in {svg}", markup=False)


def _nodes(shown: Collection) -> list[drawing.Node]:
    nodes = []
    for name, service in shown.services.items():
        definition = service.define(None)
        nodes.append(drawing.Node(name, shown.dependencies[name], definition.image, ends=definition.one_shot))
    return nodes
