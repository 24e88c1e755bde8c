"""How long proofs take beside plain Molecule on the same scenarios, in turn, phase by phase.

    .venv/bin/python benchmarks/against_molecule                        # all scenarios, five counted runs: hours
    .venv/bin/python benchmarks/against_molecule --scenario edge --runs 1
    .venv/bin/python benchmarks/against_molecule --draw                 # table and chart from the kept results

Needs what `script/bootstrap` sets up: an engine, the image labrig/debian-12, and Molecule with its docker driver. Each
scenario is copied into a temporary folder, as a git repository with production on `main` and one change on a branch.
Production's state is built first; one turn is not counted. Each counted run is kept in a file, so that one may stop and
go on; production's images are removed at the end.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

import chart
import columns
import results
from phases import PHASES
from projects import KINDS, ROOT, Project
from results import Median, Results

RESULTS = ROOT / "against-molecule.json"
CHART = ROOT / "docs" / "against-molecule.svg"


def main() -> int:
    """Measure what is asked for, print a table of each scenario, and draw the chart."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenario", action="append", choices=KINDS, help="only this one; may be repeated")
    parser.add_argument("--runs", type=int, default=5, help="counted runs of each column [default: 5]")
    parser.add_argument("--no-warm-up", action="store_true", help="count the first turn as well")
    parser.add_argument("--results", type=Path, default=RESULTS, help=f"where runs are kept [default: {RESULTS.name}]")
    parser.add_argument("--chart", type=Path, default=CHART, help=f"its file [default: docs/{CHART.name}]")
    parser.add_argument("--draw", action="store_true", help="measure nothing; draw what is kept")
    asked = parser.parse_args()
    # Said before hours are spent.
    if asked.chart.is_dir():
        parser.error(f"--chart {asked.chart} is a folder; name a file such as {asked.chart / CHART.name}")
    found = results.read(asked.results)
    if not asked.draw:
        print(f"{platform.platform()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
        for name in asked.scenario or KINDS:
            measure(name, asked.runs, found, asked.results, warm_up=not asked.no_warm_up)
    medians = {
        kind: {column: results.median(runs) for column, runs in found[kind].items()}
        for kind in KINDS
        if found.get(kind)
    }
    if not medians:
        sys.exit(f"{asked.results} holds no runs")
    for kind, by_column in medians.items():
        show(kind, by_column)
    asked.chart.write_text(chart.render(medians, {name: kind.says for name, kind in KINDS.items()}), encoding="utf-8")
    print(f"chart: {asked.chart}")
    return 0


def measure(name: str, runs: int, found: Results, file: Path, *, warm_up: bool) -> None:
    """Take all columns in turn, so that what slows the host slows all of them; keep each counted run."""
    asked = columns.columns()
    kept = found.setdefault(name, {})
    with tempfile.TemporaryDirectory(prefix="labrig-benchmark-") as folder:
        project = Project(KINDS[name], Path(folder))
        columns.build_production(project)
        try:
            for turn in range(0 if warm_up else 1, runs + 1):
                for column in asked:
                    took = columns.measure(column, project)
                    what = "warm-up" if turn == 0 else f"run {turn}"
                    print(f"{name}, {what}: {column.name} {took.seconds:.1f} s", flush=True)
                    if turn:
                        kept.setdefault(column.name, []).append(took)
                        results.write(found, file)
        finally:
            remove_production(project)


def remove_production(project: Project) -> None:
    """Remove the names of production's image that were made for this."""
    names = f"labrig/production/benchmark-{project.kind.name}"
    listed = ["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "--filter", f"reference={names}*"]
    for name in subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split():
        subprocess.run(["docker", "image", "rm", name], stdout=subprocess.DEVNULL, check=False)


def show(kind: str, medians: Mapping[str, Median]) -> None:
    """Print the medians of one scenario."""
    machines = KINDS[kind].machines
    table = Table(
        *("", "median s", "least", "most", "ratio", *(f"{phase} s" for phase in PHASES), "memory MB", "runs"),
        title=f"{KINDS[kind].says}: Molecule deploys to {machines[0]} machines, labrig to {machines[1]}",
    )
    first = next(iter(medians.values())).seconds
    for name, one in medians.items():
        phases = (f"{one.phases[phase]:.1f}" for phase in PHASES)
        seconds = (f"{number:.1f}" for number in (one.seconds, one.least, one.most))
        table.add_row(name, *seconds, f"{one.seconds / first:.2f}", *phases, f"{one.memory / 1e6:.0f}", str(one.runs))
    Console(width=None if sys.stdout.isatty() else 200).print(table)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted; what was counted is kept")
