"""How long a proof takes beside plain Molecule on the same scenario, and Molecule with labrig's driver: in turn.

    .venv/bin/python benchmarks/prove_against_molecule.py [--runs 3]

Before counting, the production snapshot is built and each command runs once, so that both find it and warm caches.
What is printed is a table of medians with their spread, their ratio, and the peak memory of the labrig process itself.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
COMMANDS = {
    "molecule test": [str(BIN / "molecule"), "test"],
    "molecule test --driver-name labrig": [str(BIN / "molecule"), "test", "--driver-name", "labrig"],
    "labrig prove": [str(BIN / "labrig"), "prove"],
}
# What the targets name: what may be taken at most of plain Molecule's time.
TARGETS = {"labrig prove": 0.6, "molecule test --driver-name labrig": 0.5}


def main() -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="counted runs of each command")
    runs = parser.parse_args().runs
    env = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
    subprocess.run([BIN / "labrig", "snapshot", "build"], cwd=ROOT, env=env, check=True)
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    memory = 0
    for turn in range(runs + 1):
        for name, command in COMMANDS.items():
            took, peak = timed(command, env)
            print(f"{'warm-up' if turn == 0 else f'run {turn}'}: {name} {took:.1f} s", flush=True)
            if turn:
                seconds[name].append(took)
            if name == "labrig prove":
                memory = max(memory, peak)
    show(seconds, memory)
    return 0


def timed(command: list[str], env: dict[str, str]) -> tuple[float, int]:
    """Run a command; return its seconds and the peak resident memory of its own process in bytes."""
    began = time.monotonic()
    peak = 0
    with (ROOT / ".benchmark.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        while process.poll() is None:
            peak = max(peak, resident(process.pid))
            time.sleep(0.2)
    if process.returncode != 0:
        sys.exit(f"{command} ended with {process.returncode}:\n{(ROOT / '.benchmark.log').read_text()[-3000:]}")
    (ROOT / ".benchmark.log").unlink()
    return time.monotonic() - began, peak


def resident(pid: int) -> int:
    """Return the peak resident memory of a process so far, in bytes; 0 once it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0)


def show(seconds: dict[str, list[float]], memory: int) -> None:
    """Print medians, spread and ratio."""
    table = Table("command", "median s", "least s", "most s", "runs")
    for name, found in seconds.items():
        table.add_row(
            name, f"{statistics.median(found):.1f}", f"{min(found):.1f}", f"{max(found):.1f}", str(len(found))
        )
    console = Console()
    console.print(table)
    for name, target in TARGETS.items():
        ratio = statistics.median(seconds[name]) / statistics.median(seconds["molecule test"])
        console.print(f"{name}: ratio {ratio:.2f} (target: at most {target})")
    console.print(f"peak memory of labrig itself {memory / 1e6:.0f} MB")


if __name__ == "__main__":
    sys.exit(main())
