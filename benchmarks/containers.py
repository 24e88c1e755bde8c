"""Whether killed test processes leave anything on the engine, and how long it takes until it is gone.

    .venv/bin/python benchmarks/containers.py [--processes 10] [--containers 50] [--spread 100] [--rounds 1]

Each process opens a session, makes its containers with a network and a volume, shares one container with the others,
and then goes on removing and making one now and then. Each gets SIGKILL at a moment of its own, by chance, within
``--spread`` seconds. After the last death the engine is asked again and again until nothing of them is left, and once
more after a while. What others have there must be as it was: a container, a network, a volume and an image without
labels; a container of a session that goes on; and what a session that has died had kept.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
from rich.console import Console
from rich.table import Table

from labrig.containers import Session
from labrig.engine import ownership, sweep
from labrig.engine.client import connect

IMAGE = "labrig/debian-12"
# What the target names: nothing is left so long after the last death.
TARGET_SECONDS = 10.0
PATIENCE_SECONDS = 120.0
# A request that was under way may make something late: look again after so long.
AFTERWARDS_SECONDS = 5.0
# How long a process is busy with something else before it makes another container.
PAUSE_SECONDS = 4.0


def main() -> int:
    """Kill, look, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=10)
    parser.add_argument("--containers", type=int, default=50, help="of each process")
    parser.add_argument("--spread", type=float, default=100.0, help="seconds in which all of them are killed")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seed", type=int, default=None, help="of chance; it is printed")
    parser.add_argument("--victim", metavar="SHARED", help=argparse.SUPPRESS)
    wish = parser.parse_args()
    if wish.victim:
        return victim(wish.victim, wish.containers)
    seed = wish.seed if wish.seed is not None else random.randrange(10**6)
    table = Table(
        "killed", "containers made", "last one gone after", "left at 10 s", "left afterwards", "foreign changed"
    )
    good = True
    for number in range(wish.rounds):
        found = one_round(wish.processes, wish.containers, wish.spread, random.Random(seed + number))
        table.add_row(
            str(wish.processes),
            str(found.made),
            f"{found.seconds:.1f} s",
            str(found.at_target),
            str(found.afterwards),
            ", ".join(found.changed) or "nothing",
        )
        good = good and found.good
    Console().print(table, f"seed {seed}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    return 0 if good else 1


@dataclass(frozen=True)
class Found:
    """What one round came to; ``seconds`` counts from the last death."""

    made: int
    seconds: float
    at_target: int
    afterwards: int
    changed: list[str]

    @property
    def good(self) -> bool:
        """Tell whether the target is met."""
        return self.at_target == 0 and self.afterwards == 0 and not self.changed


def one_round(processes: int, containers: int, spread: float, chance: random.Random) -> Found:
    """Start the processes, kill them, and look."""
    client = connect()
    shared = f"benchmark-{ownership.new_run_id()}"
    with foreign(client) as theirs:
        before = {name: state(client, *thing) for name, thing in theirs.items()}
        victims = [start(shared, containers) for _ in range(processes)]
        try:
            runs = [shared, *(ready(one) for one in victims)]
            made = count(client, runs)
            died = kill(victims, spread, chance)
        finally:
            for one in victims:
                one.kill()
                one.communicate()
        at_target, seconds = gone(client, runs, died)
        time.sleep(AFTERWARDS_SECONDS)
        afterwards = count(client, runs) + len(folders(runs))
        changed = [name for name, thing in theirs.items() if state(client, *thing) != before[name]]
    client.close()
    return Found(made, seconds, at_target, afterwards, changed)


def start(shared: str, containers: int) -> subprocess.Popen[str]:
    """Start a process that is going to be killed."""
    words = [sys.executable, __file__, "--victim", shared, "--containers", str(containers)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def ready(process: subprocess.Popen[str]) -> str:
    """Return the run of such a process, once it has all of its containers."""
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    if not line:
        raise SystemExit("a process ended before it had its containers: see what it said above")
    return line


def victim(shared: str, containers: int) -> int:
    """Make containers, say so, then go on removing and making until killed."""
    with Session("benchmark", shared=shared) as session:
        session.shared_container("one", lambda owner: owner.container(IMAGE, "shared").run("sleep", "infinity"))
        network, volume = session.network(), session.volume()
        first = session.container(IMAGE, "first").network(network).volume(volume, "/data").run("sleep", "infinity")
        mine = [first, *(session.container(IMAGE, "mine").run("sleep", "infinity") for _ in range(containers - 1))]
        print(session.run, flush=True)
        while True:
            time.sleep(random.uniform(0, 2 * PAUSE_SECONDS))
            mine.pop(0).remove()
            mine.append(session.container(IMAGE, "mine").run("sleep", "infinity"))


def kill(victims: list[subprocess.Popen[str]], spread: float, chance: random.Random) -> float:
    """Send SIGKILL to each at a moment within ``spread`` seconds; return when the last one had died."""
    begin = time.monotonic()
    for moment, one in sorted(((chance.uniform(0, spread), one) for one in victims), key=lambda pair: pair[0]):
        time.sleep(max(0.0, begin + moment - time.monotonic()))
        one.send_signal(signal.SIGKILL)
        one.wait()
    return time.monotonic()


def gone(client: docker.DockerClient, runs: list[str], died: float) -> tuple[int, float]:
    """Return how much was left when the target's time was over, and the seconds until nothing was."""
    at_target = None
    while True:
        left = count(client, runs)
        passed = time.monotonic() - died
        if at_target is None and (passed >= TARGET_SECONDS or not left):
            at_target = left
        if not left or passed > PATIENCE_SECONDS:
            return at_target or 0, passed
        # Asking costs the engine more the more there is.
        time.sleep(0.5)


def count(client: docker.DockerClient, runs: list[str]) -> int:
    """Return how many objects of some runs the engine has."""
    return sum(thing.ownership.run in runs for thing in sweep.passing(sweep.find(client)))


def folders(runs: list[str]) -> list[Path]:
    """Return what is left on the disk."""
    return [path for run in runs for path in Path("/tmp").glob(f"labrig-{run}*")]


@contextlib.contextmanager
def foreign(client: docker.DockerClient) -> Iterator[dict[str, tuple[str, str]]]:
    """Yield objects that are not to be touched, by what they are, with their sort and id."""
    name = f"benchmark-foreign-{ownership.new_run_id()}"
    container = client.containers.run(IMAGE, ["sleep", "infinity"], name=name, detach=True)
    image = container.commit(repository=name, tag="theirs")
    network = client.networks.create(name)
    client.volumes.create(name)
    try:
        with Session("benchmark") as session:
            alive = session.container(IMAGE, "alive").run("sleep", "infinity")
            kept = keep_and_die()
            yield {
                "container": ("container", str(container.id)),
                "network": ("network", str(network.id)),
                "volume": ("volume", name),
                "image": ("image", str(image.id)),
                "container of a session that goes on": ("container", alive.id),
                "what was kept": ("container", kept),
            }
            sweep.discard(client, "container", kept)
    finally:
        container.remove(force=True)
        network.remove()
        sweep.discard(client, "volume", name)
        sweep.discard(client, "image", f"{name}:theirs")


def keep_and_die() -> str:
    """Return the id of a container that a process had kept before it was killed."""
    code = (
        "import os, signal; from labrig.containers import Session; session = Session('benchmark', keepable=True);"
        f"owner = session.owner(); print(owner.container({IMAGE!r}).run('sleep', 'infinity').id, flush=True);"
        "owner.keep(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=False)
    time.sleep(4)
    return done.stdout.strip()


def state(client: docker.DockerClient, sort: str, name: str) -> Any:
    """Return what is not to change of an object; None if it is gone."""
    with contextlib.suppress(docker.errors.NotFound):
        match sort:
            case "container":
                found = client.api.inspect_container(name)
                return found["Id"], found["State"]["Status"], found["State"]["StartedAt"]
            case "network":
                return client.api.inspect_network(name)["Id"]
            case "volume":
                return client.api.inspect_volume(name)["CreatedAt"]
            case "image":
                return client.api.inspect_image(name)["RepoTags"]
    return None


if __name__ == "__main__":
    raise SystemExit(main())
