"""How long a tree of services takes to start and to go away, beside Docker Compose and miniboss; and labrig's memory.

    .venv/bin/python benchmarks/groups.py [--services 20] [--runs 5]
    .venv/bin/python benchmarks/groups.py --services 200 --only labrig --runs 1

A binary tree: the first service needs nothing, each other one needs the one above it. All containers are of one image
and only sleep. The same tree is started and removed by each in turn: `labrig group start` and `stop --remove`, `docker
compose up -d` and `down`, miniboss's `start` and `stop --remove`. The first turn does not count. What is printed is a
table of medians with their spread, and labrig's ratios to the others with their targets.

miniboss is taken from the package index into an environment of its own, which is removed afterwards; --only leaves
peers out.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import docker
from rich.console import Console
from rich.table import Table

IMAGE = "labrig/debian-12:latest"
MINIBOSS = "miniboss==0.4.5"
# PID 1 ignores SIGTERM unless it says otherwise: nobody is to wait ten seconds for that.
SIGNAL = "SIGKILL"
# At most this part of the other's time, to start and to remove.
TARGETS = {"compose": (0.9, 1.0), "miniboss": (0.35, None)}


@dataclass(frozen=True)
class Peer:
    """One way to have the services: its two commands, in its own folder."""

    name: str
    folder: Path
    start: Sequence[str]
    remove: Sequence[str]
    network: str


@dataclass(frozen=True)
class Took:
    """What a command took: seconds of the clock and of the processor, and the most memory, in bytes."""

    seconds: float
    processor: float
    memory: int


def tree(count: int) -> dict[str, list[str]]:
    """Return what each service needs."""
    names = [f"s{number:03d}" for number in range(count)]
    return {name: [names[(number - 1) // 2]] if number else [] for number, name in enumerate(names)}


def script(module: str, group: str, needs: dict[str, list[str]]) -> str:
    """Return the group as a script; labrig's and miniboss's differ in the import alone."""
    classes = "".join(
        f"class {name.title()}({module}.Service):\n"
        f"    name = {name!r}\n    image = {IMAGE!r}\n    dependencies = {needed!r}\n"
        f"    cmd = ['sleep', 'infinity']\n    stop_signal = {SIGNAL!r}\n\n"
        for name, needed in needs.items()
    )
    head = f"import {module}\n\n{module}.group_name({group!r})\n\n"
    return f"{head}{classes}if __name__ == '__main__':\n    {module}.cli()\n"


def compose_file(group: str, needs: dict[str, list[str]]) -> str:
    """Return the group as a compose file."""
    services = {
        name: {
            "image": IMAGE,
            "command": ["sleep", "infinity"],
            "stop_signal": SIGNAL,
            **({"depends_on": needed} if needed else {}),
        }
        for name, needed in needs.items()
    }
    return json.dumps({"name": group, "services": services})


def peers(folder: Path, needs: dict[str, list[str]], wanted: Sequence[str]) -> list[Peer]:
    """Write the same group for each of them."""
    found = []
    for name in wanted:
        place, group = folder / name, f"benchmark-{name}-{os.getpid()}"
        place.mkdir()
        if name == "compose":
            (place / "compose.yaml").write_text(compose_file(group, needs))
            command = ["docker", "compose"]
            found.append(Peer(name, place, [*command, "up", "-d"], [*command, "down"], f"{group}_default"))
            continue
        python = sys.executable
        if name == "miniboss":
            venv.create(folder / "venv", with_pip=True)
            python = str(folder / "venv/bin/python")
            subprocess.run([python, "-m", "pip", "install", "--quiet", "--quiet", MINIBOSS], check=True)
        (place / "services.py").write_text(script(name, group, needs))
        command = (
            [python, "-m", "labrig", "group", "-f", "services.py"] if name == "labrig" else [python, "services.py"]
        )
        found.append(Peer(name, place, [*command, "start"], [*command, "stop", "--remove"], f"{name}-{group}"))
    return found


def measure(command: Sequence[str], folder: Path) -> Took:
    """Run a command to its end; one that fails ends the benchmark."""
    with (folder / "said").open("w+") as said:
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            sys.exit(f"{' '.join(command)} ended with exit code {process.returncode}:\n{said.read()}")
    return Took(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def all_run(client: docker.DockerClient, network: str, count: int) -> None:
    """Make sure that what was measured is what was asked for."""
    found = len(client.networks.list(names=[network], greedy=True)[0].containers)
    if found != count:
        sys.exit(f"{found} containers run in {network}, and {count} should")


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=20, help="how many [default: 20]")
    parser.add_argument("--runs", type=int, default=5, help="counted turns [default: 5]")
    parser.add_argument("--only", nargs="+", default=["labrig", "compose", "miniboss"], metavar="NAME", help="of whom")
    wish = parser.parse_args()
    client = docker.from_env()
    starts: dict[str, list[Took]] = {name: [] for name in wish.only}
    removals: dict[str, list[Took]] = {name: [] for name in wish.only}
    with tempfile.TemporaryDirectory() as folder:
        taking_part = peers(Path(folder), tree(wish.services), wish.only)
        for turn in range(wish.runs + 1):
            for peer in taking_part:
                try:
                    start = measure(peer.start, peer.folder)
                    all_run(client, peer.network, wish.services)
                finally:
                    removal = measure(peer.remove, peer.folder)
                if turn:
                    starts[peer.name].append(start)
                    removals[peer.name].append(removal)
                said = f"{peer.name} started in {start.seconds:.2f} s, removed in {removal.seconds:.2f} s"
                print(f"turn {turn}: {said}", file=sys.stderr, flush=True)
    show("start", wish.services, starts, 0)
    show("remove", wish.services, removals, 1)


def show(what: str, count: int, taken: dict[str, list[Took]], which: int) -> None:
    """Print the table of one command."""
    table = Table(
        "", "median", "least", "most", "processor", "memory", "labrig's part", "target", title=f"{what} {count}"
    )
    ours = statistics.median([one.seconds for one in taken["labrig"]]) if "labrig" in taken else 0.0
    for name, turns in taken.items():
        times = [one.seconds for one in turns]
        target = TARGETS.get(name, (None, None))[which]
        table.add_row(
            name,
            *(f"{one:.2f} s" for one in (statistics.median(times), min(times), max(times))),
            f"{statistics.median([one.processor for one in turns]):.2f} s",
            f"{max(one.memory for one in turns) / 1e6:.0f} MB",
            f"{ours / statistics.median(times):.2f}" if ours and name != "labrig" else "",
            f"{target}" if target else "",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
