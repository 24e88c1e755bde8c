"""How long comparing two states takes and how much memory, reading them included.

    python benchmarks/compare.py [--entries 100000] [--differences 400]

Two states are made and written as files: what a server with that many entries looks like, and the same with some of its
files changed, gone or new. Then a process of its own reads and compares them; what is printed is the median of five
such processes, and the most memory that one of them ever held, Python and labrig themselves included. The seconds are
those of the processor: it is one thread that waits for nothing, so on a machine at rest they pass on the clock as well.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from labrig.state.model import State

RUNS = 5

# What the target names, for reading and comparing together.
MOST_SECONDS = 1.0
MOST_MEMORY = 150e6

MEASURE = """
import sys, time
from labrig.state.compare import compare
from labrig.state.model import State
def most():
    with open("/proc/self/status") as stream:
        return next(int(line.split()[1]) * 1024 for line in stream if line.startswith("VmHWM"))
idle = most()
began = time.process_time()
states = []
for path in sys.argv[1:]:
    with open(path, "rb") as stream:
        states.append(State.parse(stream, source=path))
read = time.process_time()
found = compare(*states)
print(read - began, time.process_time() - read, idle, most(), len(found.differences))
"""


def entries(count: int) -> Iterator[tuple[tuple[str, str], dict[str, Any]]]:
    """Yield what a server of that many entries holds, in the proportions of real ones."""
    for number in range(count * 4 // 100):
        yield (
            ("package", f"package-{number}"),
            {"version": f"1.{number}-1", "architecture": "amd64", "status": "installed", "wanted": "install"},
        )
    for number in range(count // 100):
        yield ("unit", f"unit-{number}.service"), {"enabled": "enabled", "active": "active", "sub": "running"}
    for number in range(count - count * 4 // 100 - count // 100):
        path = f"/usr/share/package-{number // 40}/lib/module_{number % 40}/file-{number}.py"
        digest = hashlib.sha256(path.encode()).hexdigest()
        yield (
            ("file", path),
            {
                "type": "file",
                "mode": "0644",
                "owner": "root",
                "group": "root",
                "size": number * 37 % 100_000,
                "sha256": digest,
                "package": f"package-{number // 40}",
            },
        )


def pair(count: int, differences: int) -> tuple[State, State]:
    """Return two states that differ in so many entries: changed, gone and new ones."""
    left = dict(entries(count))
    right = dict(left)
    keys = [key for key in left if key[0] == "file"]
    for number, key in enumerate(keys[:: len(keys) // differences][:differences]):
        if number % 4 == 0:
            del right[key]
        elif number % 4 == 1:
            right["file", key[1] + ".new"] = right.pop(key)
            left.pop(key)
        else:
            right[key] = {**left[key], ("sha256", "mode")[number % 2]: "changed"}
    header = {"hostname": "m1", "dimensions": ["package", "unit", "file"]}
    return State(header, left), State(header, right)


def measured(count: int, differences: int, folder: Path) -> list[list[float]]:
    """Return seconds of reading and comparing, idle and most memory in bytes, and differences found, for each run."""
    paths = [folder / name for name in ("left", "right")]
    for path, state in zip(paths, pair(count, differences), strict=True):
        path.write_text("".join(f"{line}\n" for line in state.lines()), encoding="ascii")
    command = [sys.executable, "-c", MEASURE, *map(str, paths)]
    return [
        [float(word) for word in subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()]
        for _ in range(RUNS)
    ]


def main() -> int:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=100_000, help="entries of each state")
    parser.add_argument("--differences", type=int, default=400, help="entries that differ")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs = measured(asked.entries, asked.differences, Path(folder))
    reading, comparing = (statistics.median(run[at] for run in runs) for at in (0, 1))
    idle, most = (max(run[at] for run in runs) for at in (2, 3))
    print(f"{asked.entries} entries on each side, {runs[0][4]:.0f} differences found of {asked.differences}")
    print(f"reading {reading:.2f} s, comparing {comparing:.2f} s, together {reading + comparing:.2f} s")
    print(f"most memory {most / 1e6:.0f} MB, {idle / 1e6:.0f} MB of it before the first line is read")
    kept = reading + comparing < MOST_SECONDS and most < MOST_MEMORY and runs[0][4] == asked.differences
    print(f"target: below {MOST_SECONDS:.0f} s and {MOST_MEMORY / 1e6:.0f} MB: {'kept' if kept else 'missed'}")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
