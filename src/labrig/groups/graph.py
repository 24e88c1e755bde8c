"""The dependency graph of a group, drawn: as a tree of text, and as SVG."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from labrig.groups.layout import Layout, Point, lay_out

# The SVG's measures in pixels. Letters of one width, so that a box fits its text in every browser.
LETTER_WIDTH = 7.3
SMALL_LETTER_WIDTH = 6.1
PADDING = 12
BOX_HEIGHT = 44
ROW_HEIGHT = 60
BETWEEN_LAYERS = 70
MARGIN = 20
CAPTION_HEIGHT = 26
STYLE = """
text { font-family: ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; fill: #1c2430 }
.name { font-size: 12px; font-weight: 600 }
.note, .caption { font-size: 10px; fill: #5b6675 }
rect { fill: #f4f7fb; stroke: #7d8ea3; stroke-width: 1.2 }
.ends rect { stroke-dasharray: 5 3 }
path { fill: none; stroke: #7d8ea3; stroke-width: 1.3 }
marker path { fill: #7d8ea3; stroke: none }
@media (prefers-color-scheme: dark) {
  text { fill: #e6ebf2 }
  .note, .caption { fill: #9aa7b8 }
  rect { fill: #1d2632; stroke: #73839a }
  path { stroke: #73839a }
  marker path { fill: #73839a }
}
"""


@dataclass(frozen=True)
class Node:
    """A service as it is drawn.

    Attributes:
        name: Its name.
        needs: The services that have to be ready before it starts.
        note: What stands beside or below its name: its image.
        ends: It is done when it ends; drawn dashed.
    """

    name: str
    needs: tuple[str, ...] = ()
    note: str = ""
    ends: bool = False


def text(nodes: Sequence[Node]) -> str:
    """Return a tree: below each service those that it needs, first the services that nothing needs.

    What a service needs is told once; later ``(above)`` stands for it::

        web             labrig/web:latest
        ├── api         labrig/api:latest
        │   └── db      labrig/db:latest
        └── db (above)

    Args:
        nodes: The group, without a cycle; every name that is needed is among them.
    """
    by_name = {node.name: node for node in nodes}
    needed = {name for node in nodes for name in node.needs}
    told: set[str] = set()
    lines: list[tuple[str, str]] = []

    def tell(node: Node, lead: str, lead_below: str) -> Iterator[tuple[Node, str, str]]:
        again = node.name in told
        told.add(node.name)
        notes = [node.note, "done when it ends" if node.ends else ""]
        lines.append(
            (f"{lead}{node.name} (above)", "") if again else (lead + node.name, ", ".join(one for one in notes if one))
        )
        below = () if again else tuple(dict.fromkeys(node.needs))
        for index, name in enumerate(below, start=1):
            is_last = index == len(below)
            yield (
                by_name[name],
                lead_below + ("└── " if is_last else "├── "),
                lead_below + ("    " if is_last else "│   "),
            )

    for root in nodes:
        if root.name in needed:
            continue
        # Not recursive: a chain may be longer than Python's stack.
        pending = [tell(root, "", "")]
        while pending:
            following = next(pending[-1], None)
            if following is None:
                pending.pop()
            else:
                pending.append(tell(*following))
    width = max((len(left) for left, note in lines if note), default=0)
    return "".join(f"{left:<{width}}   {note}".rstrip() + "\n" for left, note in lines)


def svg(nodes: Sequence[Node], title: str) -> str:
    """Return a drawing: what starts first at the left, arrows to what waits for it.

    It is one file without scripts, fonts or anything else from elsewhere, follows the reader's light or dark scheme,
    and each box says in a tooltip what its service needs.

    Args:
        nodes: As for ``text``.
        title: What it is called, for example the group's name.
    """
    layout = lay_out({node.name: node.needs for node in nodes})
    columns = _columns(nodes, layout)
    bottom = max((point.place for point in _points(layout)), default=0.0)
    width = round(columns[-1][0] + columns[-1][1] + MARGIN) if columns else 2 * MARGIN
    width = max(width, round(len(title) * LETTER_WIDTH) + 2 * MARGIN)
    height = round(CAPTION_HEIGHT + MARGIN * 2 + bottom * ROW_HEIGHT + (BOX_HEIGHT if nodes else 0))
    root = ElementTree.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {width} {height}",
            "width": str(width),
            "height": str(height),
            "role": "img",
            "aria-labelledby": "title description",
        },
    )
    ElementTree.SubElement(root, "title", id="title").text = title
    ElementTree.SubElement(root, "desc", id="description").text = "".join(
        f"{_sentence(node)} " for node in nodes
    ).strip()
    ElementTree.SubElement(root, "style").text = STYLE
    _add_marker(root)
    ElementTree.SubElement(root, "text", {"class": "caption", "x": str(MARGIN), "y": str(MARGIN)}).text = title
    for points in layout.lines.values():
        line = _path(points, columns)
        ElementTree.SubElement(root, "path", {"d": line, "marker-end": "url(#arrow)"})
    for node in nodes:
        _add_box(root, node, layout.places[node.name], columns)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _points(layout: Layout) -> Iterator[Point]:
    yield from layout.places.values()
    for points in layout.lines.values():
        yield from points


def _columns(nodes: Sequence[Node], layout: Layout) -> list[tuple[float, float]]:
    """Return the left edge and the width of each layer's boxes."""
    widths: dict[int, float] = {}
    for node in nodes:
        layer = layout.places[node.name].layer
        needed = max(len(node.name) * LETTER_WIDTH, len(node.note) * SMALL_LETTER_WIDTH) + 2 * PADDING
        widths[layer] = max(widths.get(layer, 0.0), needed)
    found: list[tuple[float, float]] = []
    left = float(MARGIN)
    for layer in sorted(widths):
        found.append((left, widths[layer]))
        left += widths[layer] + BETWEEN_LAYERS
    return found


def _middle(place: float) -> float:
    return CAPTION_HEIGHT + MARGIN + place * ROW_HEIGHT + BOX_HEIGHT / 2


def _path(points: Sequence[Point], columns: Sequence[tuple[float, float]]) -> str:
    """Return a line from the first box to the last, level at each layer that it passes."""
    first, *rest = points
    left, width = columns[first.layer]
    drawn = [f"M {left + width:.1f} {_middle(first.place):.1f}"]
    came_from = (left + width, _middle(first.place))
    for point in rest:
        left, width = columns[point.layer]
        x, y = left, _middle(point.place)
        half = (came_from[0] + x) / 2
        drawn.append(f"C {half:.1f} {came_from[1]:.1f} {half:.1f} {y:.1f} {x:.1f} {y:.1f}")
        if point is not rest[-1]:
            drawn.append(f"H {left + width:.1f}")
        came_from = (left + width, y)
    return " ".join(drawn)


def _add_marker(root: ElementTree.Element) -> None:
    arrow = {"id": "arrow", "viewBox": "0 0 8 8", "refX": "8", "refY": "4", "orient": "auto"}
    marker = ElementTree.SubElement(root, "marker", {**arrow, "markerWidth": "7", "markerHeight": "7"})
    ElementTree.SubElement(marker, "path", d="M 0 0 L 8 4 L 0 8 z")


def _add_box(root: ElementTree.Element, node: Node, point: Point, columns: Sequence[tuple[float, float]]) -> None:
    left, width = columns[point.layer]
    middle = _middle(point.place)
    box = ElementTree.SubElement(root, "g", {"class": "service ends" if node.ends else "service"})
    ElementTree.SubElement(box, "title").text = _sentence(node)
    measures: Mapping[str, float] = {
        "x": left,
        "y": middle - BOX_HEIGHT / 2,
        "width": width,
        "height": BOX_HEIGHT,
        "rx": 6,
    }
    ElementTree.SubElement(box, "rect", {key: f"{value:g}" for key, value in measures.items()})
    beside = {"x": f"{left + PADDING:.1f}"}
    baseline = middle - 3 if node.note else middle + 4
    ElementTree.SubElement(box, "text", {"class": "name", **beside, "y": f"{baseline:.1f}"}).text = node.name
    if node.note:
        ElementTree.SubElement(box, "text", {"class": "note", **beside, "y": f"{middle + 12:.1f}"}).text = node.note


def _sentence(node: Node) -> str:
    after = f"starts after {', '.join(node.needs)}" if node.needs else "needs nothing"
    return f"{node.name} {after}{', and is done when it ends' if node.ends else ''}."
