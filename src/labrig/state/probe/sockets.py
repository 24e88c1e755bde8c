"""Listening sockets, with the unit and the program that own them; never a process number or a port given by chance."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from labrig.state.probe.machine import Unreadable, hex_address
from labrig.state.probe.stale import configuration, definition
from labrig.state.probe.text import unwritten, written
from labrig.state.probe.units import paragraphs, show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labrig.state.probe.machine import Entries, Machine

# State in /proc/net: a TCP socket that listens, a UDP socket that is bound and not connected.
INTERNET = {"tcp": "0A", "tcp6": "0A", "udp": "07", "udp6": "07"}
ACCEPTS_CONNECTIONS = 0x10000

INTERNET_KEY = re.compile(r"(tcp|udp)6? ")

# Well known although they lie where the kernel chooses from: MySQL's X protocol and its administration, Jenkins'
# agents, gRPC, WireGuard.
CHOSEN = frozenset({"33060", "33062", "50000", "50051", "51820"})

# The kernel gives five hexadecimal digits to who asks for any abstract name.
AUTOMATIC = re.compile(r"unix @[0-9a-f]{5}")

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
    inodes = _inodes(machine)
    holders = _holders({inode for found in inodes.values() for inode in found})
    sockets: dict[str, set[Holder]] = {}
    ports = Ports(machine)
    for key, numbers in inodes.items():
        holding = {holder for inode in numbers for holder in holders.get(inode, ())}
        if key.startswith(("raw", "packet")) and not any(holder.unit.endswith(".service") for holder in holding):
            continue  # A ping, or a look at the traffic: nobody's service.
        named = ports.shown(_without_chance(_without_numbers(key, holding, machine)), holding)
        sockets.setdefault(named, set()).update(holding)
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


def _inodes(machine: Machine) -> dict[str, set[str]]:
    """Return the keys of all sockets that wait for somebody, as the kernel has them, and their inodes."""
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
        if len(fields) > 7 and fields[7].startswith((b"/", b"@")) and int(fields[3], 16) & ACCEPTS_CONNECTIONS:
            inodes.setdefault("unix " + written(b" ".join(fields[7:])), set()).add(fields[6].decode())
    for key, inode in _raw():
        inodes.setdefault(key, set()).add(inode)
    return inodes


def _raw() -> Iterator[tuple[str, str]]:
    """Yield key and inode of the sockets that see packets of a protocol, whatever their port."""
    for protocol in ("raw", "raw6"):
        for fields in _table("/proc/net/" + protocol):
            yield f"{protocol} protocol {int(fields[1].rpartition(b':')[2], 16)}", fields[9].decode()
    for fields in _table("/proc/net/packet"):
        yield f"packet protocol 0x{fields[3].decode()}", fields[8].decode()


def _without_chance(key: str) -> str:
    """Return the key of an abstract name without what was made up for it.

    >>> _without_chance("unix @/tmp/dbus-Yk3LbQ8dXz")
    'unix @/tmp/dbus-<random>'
    """
    if not key.startswith("unix @"):
        return key
    if AUTOMATIC.fullmatch(key):
        return "unix @<automatic>"
    return re.sub(r"(?<=dbus-)\w{8,}|[0-9a-f]{10,}", "<random>", key)


class Ports:
    """Which ports somebody chose: of any other the number is chance, and the key holds ``<ephemeral>``.

    A program that asks for any port gets one of the kernel's range. One of that range has been chosen if
    /etc/services knows it, or if its number stands on the owner's command line or in its configuration.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        try:
            with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as stream:
                first, last = map(int, stream.read().split())
        except (OSError, ValueError):
            first, last = 32768, 60999
        self._range = range(first, last + 1)

    def shown(self, key: str, holding: set[Holder]) -> str:
        """Return the key, with ``<ephemeral>`` for a port that nobody chose."""
        before, _, port = key.rpartition(":")
        if not INTERNET_KEY.match(key) or int(port) not in self._range or self._chosen(port, holding):
            return key
        return f"{before}:<ephemeral>"

    def _chosen(self, port: str, holding: set[Holder]) -> bool:
        if not holding or port in CHOSEN:
            return True
        number = re.compile(rf"(?<![\w.]){port}(?![\w.])".encode())
        if re.search(rf"\s{port}/(tcp|udp)", self._machine.text("/etc/services")):
            return True
        return any(number.search(text) for holder in holding for text in self._settings(holder))

    def _settings(self, holder: Holder) -> Iterator[bytes]:
        try:
            with open(f"/proc/{holder.process}/cmdline", "rb") as stream:
                yield stream.read().replace(b"\0", b" ")
            shown = paragraphs(show(self._machine))
        except (OSError, Unreadable):
            return
        for unit in shown:
            if unit.get("Id") == holder.unit:
                yield unit.get("ExecStart", "").encode("utf-8", "surrogateescape")
                for path in (*definition(unit), *configuration(self._machine, unit, holder.program, 0)):
                    try:
                        yield self._machine.read(path)
                    except OSError:
                        continue


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
    prefix = machine_cgroup()
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
    return Holder(process, after.split()[1], unit_of(cgroup(process)[len(prefix) :]), before.partition("(")[2])


def machine_cgroup() -> str:
    """Return the cgroup below which all of this machine's units are; of a container it is somewhere on its host."""
    return cgroup("1").rpartition("/init.scope")[0]


def cgroup(process: str) -> str:
    """Return the cgroup by which systemd knows a process.

    Raises:
        OSError: The process has ended.
    """
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
