"""Listening sockets, with the unit and the program that own them; never a process number."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from labrig.state.probe.machine import Unreadable, hex_address
from labrig.state.probe.text import unwritten, written

if TYPE_CHECKING:
    from labrig.state.probe.machine import Entries, Machine

# State in /proc/net: a TCP socket that listens, a UDP socket that is bound and not connected.
INTERNET = {"tcp": "0A", "tcp6": "0A", "udp": "07", "udp6": "07"}
ACCEPTS_CONNECTIONS = 0x10000

MANAGER = "init.scope"


class Holder(NamedTuple):
    """A process that has a socket open."""

    process: str
    parent: str
    unit: str
    program: str


def read(machine: Machine) -> Entries:
    """Yield ``PROTOCOL ADDRESS:PORT`` or ``unix PATH`` with ``units`` and ``programs``, both sorted."""
    if not machine.live:
        raise Unreadable("only a running machine listens")
    inodes: dict[str, set[str]] = {}
    for protocol, listens in INTERNET.items():
        for fields in _table("/proc/net/" + protocol):
            if fields[3].decode() == listens:
                address, _, port = fields[1].decode().partition(":")
                place = hex_address(address)
                # A socket for both families names an address of the older one as ::ffff:10.0.0.3.
                place = machine.addresses.get(place.rpartition("::ffff:")[2], place)
                shown = f"[{place}]" if ":" in place else place
                inodes.setdefault(f"{protocol} {shown}:{int(port, 16)}", set()).add(fields[9].decode())
    for fields in _table("/proc/net/unix"):
        if len(fields) > 7 and fields[7].startswith(b"/") and int(fields[3], 16) & ACCEPTS_CONNECTIONS:
            inodes.setdefault("unix " + written(b" ".join(fields[7:])), set()).add(fields[6].decode())
    holders = _holders({inode for found in inodes.values() for inode in found})
    sockets: dict[str, set[Holder]] = {}
    for key, numbers in inodes.items():
        holding = {holder for inode in numbers for holder in holders.get(inode, ())}
        sockets.setdefault(_without_numbers(key, holding, machine), set()).update(holding)
    for key in sorted(sockets):
        held = sockets[key]
        # A socket that systemd listens on passes to its service with the first connection: whether one has
        # come is chance, so the socket is systemd's.
        if any(holder.unit == MANAGER for holder in held):
            held = {holder for holder in held if holder.unit == MANAGER}
        yield (
            key,
            {
                "units": sorted({holder.unit for holder in held}),
                "programs": sorted({holder.program for holder in held}),
            },
        )


def _table(path: str) -> list[list[bytes]]:
    try:
        with open(path, "rb") as stream:
            return [line.split() for line in stream.read().splitlines()[1:]]
    except FileNotFoundError:
        return []  # This kernel has no IPv6.


def _without_numbers(key: str, holding: set[Holder], machine: Machine) -> str:
    """Return the key with process numbers as ``<pid>``.

    A server may bind a name with its number in it and rename it into place, as haproxy does; the kernel goes on
    telling the first name. One that still exists is left as it is: its digits may mean something else.
    """
    path = key[len("unix ") :]
    if not key.startswith("unix ") or not machine.is_local(unwritten(path)) or os.path.lexists(unwritten(path)):
        return key
    numbers = {number for holder in holding for number in (holder.process, holder.parent) if number != "1"}
    return re.sub(r"\d+", lambda found: "<pid>" if found.group() in numbers else found.group(), key)


def _holders(inodes: set[str]) -> dict[str, list[Holder]]:
    """Return inode to the processes that have it open."""
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    prefix = _cgroup("1").rpartition("/init.scope")[0]
    found: dict[str, list[Holder]] = {}
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            mine = _links(f"/proc/{process}/fd").intersection(wanted)
            if mine:
                holder = _holder(process, prefix)
                for name in mine:
                    found.setdefault(wanted[name], []).append(holder)
        except OSError:
            continue  # The process ended meanwhile.
    return found


def _links(folder: str) -> set[str]:
    targets = set()
    for name in os.listdir(folder):
        try:
            targets.add(os.readlink(folder + "/" + name))
        except OSError:
            continue  # Closed meanwhile.
    return targets


def _holder(process: str, prefix: str) -> Holder:
    with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as stream:
        # "17 (name of (the) program) S 1 ...": the name may hold anything, a parenthesis too.
        before, _, after = stream.read().rpartition(")")
    return Holder(process, after.split()[1], unit_of(_cgroup(process)[len(prefix) :]), before.partition("(")[2])


def _cgroup(process: str) -> str:
    named = ""
    with open(f"/proc/{process}/cgroup", encoding="utf-8", errors="replace") as stream:
        for line in stream.read().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers == "name=systemd":
                return path
            if not controllers:
                named = path
    return named


def unit_of(path: str) -> str:
    """Return the unit of a cgroup path below that of the machine, "" for a process outside of any unit.

    >>> unit_of("/system.slice/nginx.service")
    'nginx.service'
    >>> unit_of("/user.slice/user-0.slice/session-7.scope")
    'session.scope'
    """
    parts = [part for part in path.split("/") if part.endswith((".service", ".scope"))]
    if not parts:
        return ""
    if parts[0].startswith("session-"):
        return "session.scope"
    if parts[0].startswith("user@"):
        return "/".join(parts[:2])
    return parts[0]
