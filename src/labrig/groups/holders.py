"""Who holds a port of the host."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

from docker import DockerClient

from labrig.engine.client import engine_errors
from labrig.groups.naming import GROUP, SERVICE

# The state of a socket that listens, in the kernel's tables.
LISTENS = "0A"
_TAKEN = re.compile(
    r"[Bb]ind for \S*:(\d+) failed|failed to bind host port (?:for )?\S*?:(\d+)|listen \w+ \S*:(\d+): bind"
)


def port_taken(said: str) -> int | None:
    """Return the port of which an engine says that it cannot be had; None where it says something else.

    >>> port_taken("Bind for 0.0.0.0:5433 failed: port is already allocated")
    5433
    """
    match = _TAKEN.search(said)
    return int(match[match.lastindex or 0]) if match else None


def holder(client: DockerClient, port: int) -> str:
    """Return who holds a port, for people: a container, a process, or nobody that can be seen."""
    with engine_errors("list containers"):
        running = client.api.containers()
    for one in running:
        if any(bound.get("PublicPort") == port for bound in one["Ports"]):
            labels = one["Labels"] or {}
            of = f", service {labels[SERVICE]!r} of group {labels.get(GROUP)!r}" if labels.get(SERVICE) else ""
            return f"container {one['Names'][0].lstrip('/')}{of}"
    return _process(port)


def _process(port: int) -> str:
    sockets = _listening(port)
    if not sockets:
        return "somebody who cannot be seen from here"
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            for handle in (folder / "fd").iterdir():
                if str(handle.readlink()) in sockets:
                    command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
                    return f"process {folder.name} ({command[:80]})"
    return "a process of another user"


def _listening(port: int) -> set[str]:
    """Return the sockets that listen on a port, as links in /proc name them."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
                columns = line.split()
                if columns[3] == LISTENS and int(columns[1].rpartition(":")[2], 16) == port:
                    found.add(f"socket:[{columns[9]}]")
    return found
