"""How long Testinfra's questions take through sessions, beside a `docker exec` for each.

    .venv/bin/python benchmarks/testinfra.py [--tests 300] [--runs 3]

One machine, one inventory, the same tests with Testinfra's connection `ansible`, in turn without and with sessions.
What is printed is a table of medians with their spread, and their ratio; each time is that of the whole pytest process.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import docker
import yaml
from rich.console import Console
from rich.table import Table

from labrig.engine.machines import Machine, MachineSpec
from labrig.engine.ownership import labels

IMAGE = "labrig/debian-12:latest"
CONNECTIONS = {"docker exec": "exec", "sessions": "session"}
# What the target names: at most this part of the time.
TARGET = 0.15
# What roles' tests ask for most: packages, services, files, users, ports, commands.
TESTS = """
import pytest

@pytest.mark.parametrize("number", range({count}))
def test_machine(host, number):
    asked = [
        lambda: host.package("systemd").is_installed,
        lambda: host.service("systemd-journald").is_running,
        lambda: host.file("/etc/passwd").exists,
        lambda: host.file("/etc/passwd").mode == 0o644,
        lambda: host.file("/etc/passwd").contains("root"),
        lambda: host.user("root").uid == 0,
        lambda: host.run("echo %s", str(number)).stdout.strip() == str(number),
        lambda: host.file("/etc").is_directory,
        lambda: host.group("adm").exists,
        lambda: not host.file("/nowhere").exists,
    ]
    assert asked[number % len(asked)]()
"""


def main() -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tests", type=int, default=300, help="assertions in one run")
    parser.add_argument("--runs", type=int, default=3, help="counted runs of each connection")
    wish = parser.parse_args()
    client = docker.from_env()
    name = f"labrig-benchmark-{uuid.uuid4().hex[:8]}"
    spec = MachineSpec("machine", IMAGE, "benchmark")
    machine = Machine.create(client, spec, container=name, labels=labels(kind="machine", project="benchmark"))
    try:
        machine.wait_until_booted()
        with tempfile.TemporaryDirectory() as folder:
            show(measured(Path(folder), name, wish.tests, wish.runs))
    finally:
        machine.remove()
        client.close()
    return 0


def measured(folder: Path, container: str, count: int, runs: int) -> dict[str, list[float]]:
    """Return the seconds of each counted run, by connection; one before them does not count."""
    host = {"ansible_host": container, "ansible_connection": "community.docker.docker"}
    (folder / "inventory.yml").write_text(yaml.safe_dump({"all": {"hosts": {"machine": host}}}))
    (folder / "test_machine.py").write_text(TESTS.format(count=count))
    seconds: dict[str, list[float]] = {name: [] for name in CONNECTIONS}
    for turn in range(runs + 1):
        for name, through in CONNECTIONS.items():
            took = timed(folder, through, count)
            print(f"{'warm-up' if turn == 0 else f'run {turn}'}: {name} {took:.1f} s", flush=True)
            if turn:
                seconds[name].append(took)
    return seconds


def timed(folder: Path, through: str, count: int) -> float:
    """Run the tests once; return how long that took."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--docker-through={through}"]
    command += ["--connection", "ansible", "--ansible-inventory", "inventory.yml", "test_machine.py"]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    began = time.monotonic()
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "PATH": path}, check=False, capture_output=True, text=True
    )
    took = time.monotonic() - began
    if f"{count} passed" not in done.stdout:
        sys.exit(done.stdout[-3000:] + done.stderr)
    return took


def show(seconds: dict[str, list[float]]) -> None:
    """Print medians, spread and ratio."""
    table = Table("connection", "median s", "least s", "most s", "runs")
    for name, found in seconds.items():
        table.add_row(
            name, f"{statistics.median(found):.1f}", f"{min(found):.1f}", f"{max(found):.1f}", str(len(found))
        )
    console = Console()
    console.print(table)
    plain, fast = (statistics.median(seconds[name]) for name in CONNECTIONS)
    console.print(f"ratio {fast / plain:.2f} (target: at most {TARGET})")


if __name__ == "__main__":
    sys.exit(main())
