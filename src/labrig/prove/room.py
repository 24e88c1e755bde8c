"""How many proofs there is room for at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from labrig.engine import client as engine
from labrig.engine import doctor
from labrig.errors import LabrigError

MEMINFO = Path("/proc/meminfo")
# Measured: seven services, of which two are databases, hold 300 MB; apt and the tasks' own Python come on top.
BYTES_OF_A_MACHINE = 500_000_000
# labrig itself takes 95 MB, and on each path ansible-playbook and its workers 60 MB each.
BYTES_OF_A_PROOF = 400_000_000


@dataclass(frozen=True)
class Room:
    """What proofs may take of the engine's host together; None is as much as they like.

    Attributes:
        proofs: How many there may be at once.
        machines: How many machines.
        memory: How many bytes.
    """

    proofs: int
    machines: int | None = None
    memory: int | None = None


def need(machines: int) -> int:
    """Return the bytes that a proof with so many machines is taken to need."""
    return BYTES_OF_A_PROOF + machines * BYTES_OF_A_MACHINE


def startable(
    waiting: Sequence[int], running: Sequence[int], room: Room, available: Callable[[], int | None]
) -> int | None:
    """Return the place of the first waiting proof that there is room for now; None if there is for none.

    Alone, a proof always has room: else one that is larger than the host would wait for ever.

    Args:
        waiting: How many machines each of the proofs that wait has.
        running: The same of those that run, whose machines may not have grown yet.
        room: What there was when nothing ran.
        available: Bytes that are free at this moment, which others on the host may have taken; None if not known.
    """
    if not waiting or len(running) >= room.proofs:
        return None
    if not running:
        return 0
    free = available()
    reserved = sum(map(need, running))
    for place, machines in enumerate(waiting):
        enough = room.memory is None or reserved + need(machines) <= room.memory
        enough = enough and (free is None or need(machines) <= free)
        if enough and (room.machines is None or sum(running) + machines <= room.machines):
            return place
    return None


def measure() -> Room:
    """Return the room on the engine's host: a processor for each proof, whose two paths wait half of their time.

    Where no engine answers it is room for one; the proof itself will say so.
    """
    try:
        client = engine.connect()
        facts = engine.facts(client)
        client.close()
    except LabrigError:
        return Room(1)
    free = available() if is_local() else facts.memory_bytes
    return Room(max(1, facts.cpus), doctor.machines_at_once() if is_local() else None, free)


def available() -> int | None:
    """Return the bytes of memory that this host has available; None where it does not say so."""
    try:
        lines = MEMINFO.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def is_local() -> bool:
    """Tell whether the engine's machines run on this host."""
    return os.environ.get("DOCKER_HOST", "unix://").startswith("unix://")
