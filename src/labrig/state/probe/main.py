"""The probe's entry: one table of dimensions, written out record by record."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

from labrig.state.probe import (
    accounts,
    alternatives,
    apt,
    authorized,
    containers,
    debconf,
    diversions,
    files,
    firewall,
    fstab,
    languages,
    links,
    mariadb,
    packages,
    postgresql,
    processes,
    redis,
    routes,
    schedule,
    settings,
    sockets,
    sudo,
    units,
)
from labrig.state.probe.machine import Machine, Unreadable, description

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from labrig.state.probe.machine import Entries

SCHEMA = "labrig.state/1"

# In the order in which they are written; ``labrig.state.dimensions`` says what each holds.
DIMENSIONS: dict[str, Callable[[Machine], Entries]] = {
    "package": packages.read,
    "apt": apt.read,
    "alternative": alternatives.read,
    "diversion": diversions.diversions,
    "statoverride": diversions.overrides,
    "debconf": debconf.read,
    "unit": units.read,
    "user": accounts.users,
    "group": accounts.groups,
    "id": accounts.numbers,
    "sudo": sudo.read,
    "authorized key": authorized.read,
    # Before the files, which these tell of.
    "postgresql": postgresql.read,
    "mariadb": mariadb.read,
    "redis": redis.read,
    "container": containers.read,
    "socket": sockets.read,
    "mount": fstab.read,
    "process": processes.read,
    "route": routes.read,
    "firewall": firewall.read,
    "setting": settings.read,
    "sysctl": settings.sysctl,
    "cron": schedule.read,
    "file": files.read,
    # After the files: what they tell is noticed while those are walked.
    "hard link": links.read,
    "language package": languages.read,
}

# What a request may hold: further own addresses, addresses of other machines with their names, the root to
# read, the paths to keep to, the dimensions to read, a key for fingerprints of secrets, and, where the probe
# should tell what the next look need not read again, the addresses of other machines that look next.
KNOWN = ("self", "peers", "root", "only", "dimensions", "key", "remember")

WRITTEN_AT_ONCE = 500


def records(request: Mapping[str, Any], memory: str = "") -> Iterator[dict[str, Any]]:
    """Yield the header, every entry, and the end with the number of entries.

    A dimension that fails says so in a record of its own; what it gave before stays. What the next look may be given
    as ``memory``, where the request asks for it, comes before the end.

    Raises:
        ValueError: The request holds something unknown.
    """
    unknown = sorted(set(request).difference(KNOWN)) + sorted(set(request.get("dimensions", ())).difference(DIMENSIONS))
    if unknown:
        raise ValueError("a request holds {}; {} is unknown".format(", ".join(KNOWN), ", ".join(unknown)))
    machine = Machine(request, memory)
    wanted = [name for name in DIMENSIONS if name in request.get("dimensions", DIMENSIONS)]
    yield {"schema": SCHEMA, **description(machine), "dimensions": wanted}
    entries = 0
    for name in wanted:
        try:
            for key, value in DIMENSIONS[name](machine):
                yield {"dimension": name, "key": key, "value": value}
                entries += 1
        except Unreadable as problem:
            yield {"dimension": name, "unreadable": str(problem)}
        except Exception as problem:  # noqa: BLE001 - whatever one dimension meets, the others are still told
            yield {"dimension": name, "unreadable": f"{type(problem).__name__}: {problem}"}
    if machine.memory is not None and machine.memory.told:
        yield {"memory": machine.memory.as_text()}
    yield {"end": True, "entries": entries}


def main(arguments: list[str], memory: str = "") -> int:
    """Write the state of this machine to standard output as JSON lines; ``arguments`` may hold one request."""
    encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
    pending: list[str] = []
    try:
        for record in records(json.loads(arguments[0]) if arguments else {}, memory):
            pending.append(encode(record))
            if len(pending) >= WRITTEN_AT_ONCE:
                _write(pending)
        _write(pending)
    except ValueError as problem:
        sys.stderr.write(f"labrig probe: {problem}\n")
        return 2
    except BrokenPipeError:
        # Nobody reads any more; without this the interpreter complains once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    return 0


def _write(lines: list[str]) -> None:
    sys.stdout.write("\n".join(lines))
    sys.stdout.write("\n")
    sys.stdout.flush()
    lines.clear()
