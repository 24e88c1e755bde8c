"""The table of a benchmark that takes several things in turn."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table


def show(what: str, seconds: Mapping[str, Sequence[float]], target: float, *more: str) -> None:
    """Print medians and spread of each, and how the median of the last relates to that of the first."""
    table = Table(what, "median s", "least s", "most s", "runs")
    for name, found in seconds.items():
        table.add_row(
            name, f"{statistics.median(found):.1f}", f"{min(found):.1f}", f"{max(found):.1f}", str(len(found))
        )
    console = Console()
    console.print(table)
    first, *_, last = (statistics.median(found) for found in seconds.values())
    console.print("; ".join([f"ratio {last / first:.2f} (target: at most {target})", *more]))
