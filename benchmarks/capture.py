"""How long capturing a machine takes, against reading and hashing the same bytes with sha256sum inside it.

    python benchmarks/capture.py [CONTAINER ...]
    python benchmarks/capture.py --files 1000000

Without a container it starts one machine from labrig/debian-12 and removes it afterwards. Each figure is the
median of five counted runs, taken in turn after one that does not count. With --files the machine is given so many
files more, and what is printed is how long one capture takes and how much memory: of the probe, and of what reads it.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from labrig.state.capture import PROBE, Execute, capture, command, lines
from labrig.state.model import State
from trials.lab import Lab, run

RUNS = 5

# Every regular file of the root file system, as the capture reads them.
HASH = "find / -xdev -type f -print0 | xargs -0 sha256sum"

# A thousand files in each folder, each with another content.
MAKE_FILES = """
python3 - {count} <<'MAKE'
import os, sys
for number in range(int(sys.argv[1])):
    folder = f"/srv/many/{{number // 1000}}"
    if number % 1000 == 0:
        os.makedirs(folder)
    with open(f"{{folder}}/file-{{number}}.txt", "w") as stream:
        stream.write(f"{{number}}\\n")
MAKE
"""

# Runs the probe, and prints after it the most memory that it, or what it started, ever held.
PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdin=sys.stdin, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
"""


def execute(container: str) -> Execute:
    def streamed(argv: Sequence[str], stdin: bytes) -> Iterator[bytes]:
        asked = ["docker", "exec", "-i", container, *argv]
        with subprocess.Popen(asked, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin is not None and process.stdout is not None  # noqa: PT018
            process.stdin.write(stdin)
            process.stdin.close()
            yield from iter(lambda: process.stdout.read(1 << 16), b"")
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, asked)

    return streamed


def seconds(action: Callable[[], object]) -> float:
    start = time.monotonic()
    action()
    return time.monotonic() - start


def hash_all(container: str) -> None:
    # A file that vanishes makes it fail; what counts is the time.
    subprocess.run(
        ["docker", "exec", container, "sh", "-c", HASH],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )


def measured(container: str) -> tuple[int, int, float, float]:
    capture_times, hash_times = [], []
    state = capture(execute(container))
    hash_all(container)
    for _ in range(RUNS):
        capture_times.append(seconds(lambda: capture(execute(container))))
        hash_times.append(seconds(lambda: hash_all(container)))
    size = sum(value.get("size", 0) for (dimension, _), value in state.entries.items() if dimension == "file")
    return len(state.entries), size, statistics.median(capture_times), statistics.median(hash_times)


def resident() -> float:
    """Return the most memory that this process ever held, in bytes."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) * 1024.0 for line in status.splitlines() if line.startswith("VmHWM"))


def compare_with_hashing(containers: Sequence[str]) -> None:
    print(f"{'machine':24} {'entries':>9} {'MB':>7} {'capture s':>10} {'sha256sum s':>12} {'ratio':>6}")
    with contextlib.ExitStack() as started:
        for container in containers or [started.enter_context(Lab()).start().container]:
            entries, size, capturing, hashing = measured(container)
            figures = f"{entries:9} {size / 1e6:7.0f} {capturing:10.2f} {hashing:12.2f} {capturing / hashing:6.2f}"
            print(f"{container:24} {figures}")


def capture_many(count: int) -> None:
    with Lab() as lab:
        machine = lab.start()
        run(machine, MAKE_FILES.format(count=count))
        idle = resident()
        last = b""

        def streamed() -> Iterator[bytes]:
            nonlocal last
            for piece in machine.stream(["python3", "-c", PEAK, *command()], PROBE):
                last = (last + piece)[-100:]
                yield piece

        pieces = streamed()
        began = time.monotonic()
        state = State.parse(lines(pieces))
        for _ in pieces:
            pass
        took, most = time.monotonic() - began, resident()
        print(f"{len(state.entries):,} entries in {took:.1f} s")
        print(f"most memory of the probe: {float(last.split()[-1]) / 1e6:.0f} MB")
        print(f"most memory of what reads it: {most / 1e6:.0f} MB, {idle / 1e6:.0f} MB of it before", flush=True)
        print(f"sha256sum over the same files: {seconds(lambda: hash_all(machine.container)):.1f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("containers", nargs="*", metavar="CONTAINER", help="a machine that runs already")
    parser.add_argument("--files", type=int, metavar="N", help="measure one capture of a machine with N files more")
    asked = parser.parse_args()
    if asked.files:
        capture_many(asked.files)
    else:
        compare_with_hashing(asked.containers)


if __name__ == "__main__":
    main()
