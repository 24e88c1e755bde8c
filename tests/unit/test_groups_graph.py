"""The drawing of a group: nothing overlaps, arrows lead from what is needed to who needs it, names are text."""

from __future__ import annotations

import itertools
import random
from xml.etree import ElementTree

import pytest

from labrig.groups.graph import Node, svg, text
from labrig.groups.layout import PASSING, crossings, lay_out, layers_of, spread

SVG = "{http://www.w3.org/2000/svg}"
SHOP = (
    Node("db", (), "labrig/db:latest"),
    Node("queue", (), "redis:7"),
    Node("migrate", ("db",), "app:1", ends=True),
    Node("api", ("migrate", "queue", "db"), "app:1"),
    Node("web", ("api", "queue"), "nginx"),
    Node("lonely"),
)


def boxes(drawing: str) -> dict[str, tuple[float, float, float, float]]:
    """Return left, top, right and bottom of each service's box."""
    found = {}
    for box in ElementTree.fromstring(drawing).iter(f"{SVG}g"):
        rect = box.find(f"{SVG}rect")
        name = box.find(f"{SVG}text[@class='name']")
        assert rect is not None
        assert name is not None
        x, y, width, height = (float(rect.attrib[key]) for key in ("x", "y", "width", "height"))
        found[name.text or ""] = (x, y, x + width, y + height)
    return found


def some_graph(seed: int, count: int) -> list[Node]:
    chance = random.Random(seed)
    return [
        Node(f"s{i}", tuple(f"s{j}" for j in chance.sample(range(i), min(i, chance.randint(0, 3)))))
        for i in range(count)
    ]


def test_the_tree_tells_once_what_a_service_needs_and_aligns_images() -> None:
    assert text(SHOP) == (
        "web               nginx\n"
        "├── api           app:1\n"
        "│   ├── migrate   app:1, done when it ends\n"
        "│   │   └── db    labrig/db:latest\n"
        "│   ├── queue     redis:7\n"
        "│   └── db (above)\n"
        "└── queue (above)\n"
        "lonely\n"
    )


def test_no_service_no_line() -> None:
    assert text(()) == ""
    assert boxes(svg((), "empty")) == {}


def test_a_need_named_twice_is_drawn_once() -> None:
    nodes = (Node("db"), Node("api", ("db", "db")))
    assert text(nodes).count("db") == 1
    assert svg(nodes, "x").count("marker-end") == 1


def test_a_chain_longer_than_pythons_stack_is_drawn() -> None:
    chain = [Node(f"s{i}", (f"s{i - 1}",) if i else ()) for i in range(3000)]
    assert text(chain).count("\n") == 3000
    assert layers_of({node.name: node.needs for node in chain})["s2999"] == 2999


def test_layers_follow_the_longest_chain_of_needs() -> None:
    layers = layers_of({node.name: node.needs for node in SHOP})
    assert layers == {"db": 0, "queue": 0, "migrate": 1, "api": 2, "web": 3, "lonely": 0}


@pytest.mark.parametrize("seed", range(8))
def test_boxes_do_not_overlap_and_all_of_them_are_on_the_drawing(seed: int) -> None:
    nodes = some_graph(seed, 30)
    drawing = svg(nodes, "some")
    root = ElementTree.fromstring(drawing)
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    found = boxes(drawing)
    assert set(found) == {node.name for node in nodes}
    for (left, top, right, bottom), (left2, top2, right2, bottom2) in itertools.combinations(found.values(), 2):
        assert right <= left2 or right2 <= left or bottom <= top2 or bottom2 <= top
    for left, top, right, bottom in found.values():
        assert left >= 0
        assert top >= 0
        assert right <= width
        assert bottom <= height
    for node in nodes:
        for needed in node.needs:
            assert found[needed][2] < found[node.name][0], f"{needed} starts first, so it stands at the left"


@pytest.mark.parametrize("seed", range(4))
def test_a_line_runs_through_every_layer_between_and_touches_no_service(seed: int) -> None:
    layout = lay_out({node.name: node.needs for node in some_graph(seed, 30)})
    for (needed, needing), points in layout.lines.items():
        assert points[0] == layout.places[needed]
        assert points[-1] == layout.places[needing]
        assert [point.layer for point in points] == list(range(points[0].layer, points[-1].layer + 1))
        for point in points[1:-1]:
            beside = [place for layer, place in layout.places.values() if layer == point.layer]
            assert all(abs(place - point.place) >= (1 + PASSING) / 2 - 1e-9 for place in beside)


def test_crossed_pairs_are_uncrossed() -> None:
    layout = lay_out({"a": (), "b": (), "c": (), "x": ("c",), "y": ("b",), "z": ("a",)})
    for one, other in (("a", "b"), ("b", "c")):
        by = {"a": "z", "b": "y", "c": "x"}
        needed = layout.places[one].place - layout.places[other].place
        needing = layout.places[by[one]].place - layout.places[by[other]].place
        assert needed * needing > 0


def test_a_tree_has_no_crossing() -> None:
    layout = lay_out({f"s{i}": (f"s{(i - 1) // 2}",) if i else () for i in range(63)})
    by_layer: dict[int, list[tuple[float, float]]] = {}
    for first, last in layout.lines.values():
        by_layer.setdefault(first.layer, []).append((first.place, last.place))
    assert [crossings(lines) for lines in by_layer.values()] == [0, 0, 0, 0, 0]


def test_crossings_are_counted_as_one_by_one() -> None:
    chance = random.Random(7)
    lines = [(chance.randint(0, 9), chance.randint(0, 9)) for _ in range(60)]
    slowly = sum((a[0] - b[0]) * (a[1] - b[1]) < 0 for a, b in itertools.combinations(lines, 2))
    assert crossings(lines) == slowly


def test_places_are_the_nearest_that_keep_the_distance() -> None:
    assert spread([0, 5, 9], [1, 1, 1]) == [0, 5, 9]
    assert spread([3, 3, 3], [1, 1, 1]) == [2, 3, 4]
    assert spread([3, 3], [1, 0.5]) == [2.625, 3.375]
    assert spread([], []) == []


def test_names_and_images_are_text_and_nothing_else() -> None:
    evil = '"><script>alert(1)</script>'
    drawing = svg((Node("db", (), evil), Node("api", ("db",))), evil)
    assert "<script" not in drawing
    assert evil in {element.text for element in ElementTree.fromstring(drawing).iter()}


def test_a_box_is_as_wide_as_its_longest_word_and_says_what_it_waits_for() -> None:
    long = "registry/team/an-image-with-a-very-long-name:2026.11"
    drawing = svg((Node("db", (), long), Node("api", ("db",), ends=True)), "g")
    left, _, right, _ = boxes(drawing)["db"]
    assert right - left > len(long) * 6
    titles = [element.text for element in ElementTree.fromstring(drawing).iter(f"{SVG}title")]
    assert titles == ["g", "db needs nothing.", "api starts after db, and is done when it ends."]
