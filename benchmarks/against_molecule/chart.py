"""The medians as a chart: one bar for each column of each scenario, made of its phases. SVG without a library: pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from phases import PHASES
from results import Median

WIDTH, LEFT, RIGHT = 900, 170, 150
BAR, GAP, GROUP = 16, 5, 34
TOP, BOTTOM = 58, 34
TICKS = 6

STYLE = """
text { font: 12px system-ui, sans-serif; fill: #171c26; } .title { font-weight: 600; } .dim { fill: #5b6577; }
line { stroke: #dfe3ea; } .spread { stroke: #171c26; stroke-width: 1.5; }
.create { fill: #8fa3c4; } .deploy { fill: #2f5fd0; } .again { fill: #7fa2ee; } .verify { fill: #e0a11b; }
.compare { fill: #12703f; } .destroy { fill: #9a9a9a; } .other { fill: #d5dae4; }
@media (prefers-color-scheme: dark) {
  text { fill: #e4e8ef; } .dim { fill: #98a3b5; } line { stroke: #2b3443; } .spread { stroke: #e4e8ef; }
  .compare { fill: #5fd08f; } .other { fill: #364053; }
}
"""


def render(medians: Mapping[str, Mapping[str, Median]], says: Mapping[str, str]) -> str:
    """Return the chart.

    Args:
        medians: By scenario and column, in the order in which they are drawn; ratios are to the first column.
        says: What each scenario is called.
    """
    longest = max(one.most for columns in medians.values() for one in columns.values())
    step = _nice(longest / TICKS)
    scale = (WIDTH - LEFT - RIGHT) / longest
    height = TOP + BOTTOM + sum(GROUP + len(columns) * (BAR + GAP) for columns in medians.values())
    root = Element("svg", xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {WIDTH} {height}", role="img", width="100%")
    SubElement(root, "title").text = "Seconds of each command, by phase: medians, with the least and the most"
    SubElement(root, "style").text = STYLE
    _legend(root)
    for tick in range(math.floor(longest / step) + 1):
        x = LEFT + tick * step * scale
        SubElement(root, "line", x1=_n(x), x2=_n(x), y1=_n(TOP - 8), y2=_n(height - BOTTOM))
        _text(root, x, height - BOTTOM + 18, f"{tick * step:g} s", "dim", "middle")
    y = float(TOP)
    for kind, columns in medians.items():
        _text(root, 8, y + 14, says[kind], "title")
        y += GROUP - 12
        first = next(iter(columns.values())).seconds
        for name, one in columns.items():
            _bar(root, name, one, y, scale, first)
            y += BAR + GAP
        y += 12
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _bar(root: Element, name: str, one: Median, y: float, scale: float, first: float) -> None:
    _text(root, LEFT - 8, y + BAR - 4, name, "", "end")
    for phase, x, width in _parts(one, scale):
        part = SubElement(root, "rect", x=_n(x), y=_n(y), width=_n(width), height=_n(BAR))
        part.set("class", phase)
        SubElement(part, "title").text = f"{name}, {phase}: {one.phases[phase]:.1f} s"
    middle = y + BAR / 2
    spread = SubElement(
        root, "line", x1=_n(LEFT + one.least * scale), x2=_n(LEFT + one.most * scale), y1=_n(middle), y2=_n(middle)
    )
    spread.set("class", "spread")
    _text(root, LEFT + one.most * scale + 8, y + BAR - 4, f"{one.seconds:.1f} s ({one.seconds / first:.2f})")


def _parts(one: Median, scale: float) -> Iterator[tuple[str, float, float]]:
    """Yield each phase with its place and width, fitted: medians of phases do not add up to that of the whole."""
    total = sum(one.phases.values()) or 1.0
    x = float(LEFT)
    for phase in PHASES:
        width = one.phases[phase] / total * one.seconds * scale
        if width > 0:
            yield phase, x, width
            x += width


def _legend(root: Element) -> None:
    for number, phase in enumerate(PHASES):
        x = LEFT + number * 84
        SubElement(root, "rect", x=_n(x), y="14", width="12", height="12").set("class", phase)
        _text(root, x + 17, 24, phase)


def _text(root: Element, x: float, y: float, said: str, kind: str = "", anchor: str = "start") -> None:
    text = SubElement(root, "text", {"x": _n(x), "y": _n(y), "text-anchor": anchor})
    if kind:
        text.set("class", kind)
    text.text = said


def _nice(step: float) -> float:
    """Return the next of 1, 2, 5, 10, 20 ... that is not less."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step)


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
