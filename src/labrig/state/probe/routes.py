"""Where packets go: routes, rules that choose among tables of routes, and addresses that somebody added.

What the network or the engine gives each machine reads the same on all of them: a gateway in the network of its own
interface as its number there (``<network>+1``), the machine's own addresses as ``<self>``; the routes to the networks
of its interfaces follow from the addresses and are left out.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from labrig.state.probe import netlink
from labrig.state.probe.machine import Unreadable
from labrig.state.probe.text import written

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from labrig.state.probe.machine import Entries, Machine, Value
    from labrig.state.probe.netlink import Attributes

    Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface

FAMILIES = (socket.AF_INET, socket.AF_INET6)

# linux/rtnetlink.h: who made a route. By hand or a script: none, boot, static; by DHCP; by keepalived.
_MADE = frozenset({0, 3, 4, 16, 18})
_KINDS = {1: "", 2: "local", 6: "blackhole", 7: "unreachable", 8: "prohibit", 9: "throw"}
_CACHED = 0x200
_MAIN, _LOCAL = 254, 255
_ACTIONS = {1: "lookup", 2: "goto", 6: "blackhole", 7: "unreachable", 8: "prohibit"}
_BY_KERNEL = 2

# linux/if_addr.h, of IPv6: it does not end with a lease or an announcement.
_PERMANENT = 0x80
_LINK = 253

# Docker, podman and libvirt number the networks of their bridges by themselves; the engine tells of its own.
_OF_ENGINES = ("docker", "br-", "cni", "podman", "virbr", "veth", "lxc")


@dataclass(frozen=True)
class Network:
    """What routes are told relative to.

    Attributes:
        interfaces: Index to name.
        given: Index of an interface that the machine was given to its networks, by their first addresses.
        known: Address to what stands for it: ``<self>``, ``<peer NAME>``.
    """

    interfaces: Mapping[int, str]
    given: Mapping[int, list[Interface]] = field(default_factory=dict)
    known: Mapping[str, str] = field(default_factory=dict)

    def name(self, index: int) -> str:
        """Return the name of an interface."""
        return self.interfaces.get(index, f"#{index}")

    def gateway(self, address: str, index: int) -> str:
        """Return a gateway as it reads on every machine of a network."""
        if address in self.known:
            return self.known[address]
        found = ipaddress.ip_address(address)
        for own in self.given.get(index, ()):
            if found in own.network:
                return f"<network>+{int(found) - int(own.network.network_address)}"
        return address

    def destination(self, network: str) -> str:
        """Return a destination; that of an interface's own network as ``<network of eth0>``."""
        for index, own in self.given.items():
            if network in {str(one.network) for one in own}:
                return f"<network of {self.name(index)}>"
        address, _, length = network.partition("/")
        whole = length == str(ipaddress.ip_address(address).max_prefixlen)
        return self.known.get(address, network) if whole else network


def read(machine: Machine) -> Entries:
    """Yield ``route DESTINATION``, ``rule PRIORITY: ...`` and ``address ADDRESS on NAME``.

    Raises:
        Unreadable: It is no running machine, or the kernel does not tell.
    """
    if not machine.live:
        raise Unreadable("only a running machine has routes")
    links = {head[2]: found for head, found in netlink.ask(netlink.LINKS, socket.AF_UNSPEC)}
    routes = [one for family in FAMILIES for one in netlink.ask(netlink.ROUTES, family)]
    addresses = [one for family in FAMILIES for one in netlink.ask(netlink.ADDRESSES, family)]
    rules: list[tuple[tuple[int, ...], Attributes]] = []
    for family in FAMILIES:
        with contextlib.suppress(Unreadable):  # A kernel without rules of IPv6 has none.
            rules += netlink.ask(netlink.RULES, family)
    names = {index: netlink.name(found[3]) for index, found in links.items()}
    leading = {netlink.number(found[4]) for head, found in routes if head[1] == 0 and head[7] == 1 and 4 in found}
    by_network = {index for index, found in links.items() if index in leading or kind(found) in ("", "veth")}
    given, added = addressed(addresses, names, by_network)
    network = Network(names, given, machine.addresses)
    entries: dict[str, Value] = dict(added)
    for key, value in (*told_routes(routes, network), *told_rules(rules, network)):
        entries.setdefault(key, value)
    for key in sorted(entries):
        yield written(os.fsencode(key)), entries[key]


def kind(link: Attributes) -> str:
    """Return what makes an interface: ``veth``, ``bridge``, ``wireguard``; empty for a piece of hardware."""
    return netlink.name(netlink.attributes(link.get(18, b"")).get(1, b""))


def addressed(
    addresses: list[tuple[tuple[int, ...], Attributes]], names: Mapping[int, str], by_network: set[int]
) -> tuple[dict[int, list[Interface]], dict[str, Value]]:
    """Return the addresses that the machine was given, by interface, and an entry for each that was added.

    Given is the first one of each family on an interface that leads to a network.
    """
    given: dict[int, list[Interface]] = {}
    added: dict[str, Value] = {}
    first = set()
    for (family, length, flags, scope, index), found in addresses:
        content = found.get(2, found.get(1, b""))
        permanent = family == socket.AF_INET or (netlink.number(found[8]) if 8 in found else flags) & _PERMANENT
        name = names.get(index, f"#{index}")
        if scope == _LINK or not content or not permanent or name.startswith(_OF_ENGINES):
            continue
        own = ipaddress.ip_interface(f"{socket.inet_ntop(family, content)}/{length}")
        if own.ip.is_loopback and str(own.ip) in ("127.0.0.1", "::1"):
            continue
        if name != "lo" and index in by_network and (index, family) not in first:
            first.add((index, family))
            given.setdefault(index, []).append(own)
        else:
            added[f"address {own} on {name}"] = {}
    return given, added


def told_routes(routes: list[tuple[tuple[int, ...], Attributes]], network: Network) -> Iterator[tuple[str, Value]]:
    """Yield the routes that somebody made; those of the kernel and of routing protocols are left out."""
    for (family, length, _, _, table, protocol, _, sort, flags), found in routes:
        if protocol not in _MADE or sort not in _KINDS or flags & _CACHED:
            continue
        number = netlink.number(found[15]) if 15 in found else table
        address = socket.inet_ntop(family, found[1] if 1 in found else bytes(16 if family == socket.AF_INET6 else 4))
        # Before Linux 4.19, IPv6 has its multicast routes there without saying that they are its own.
        if number == _LOCAL and address.startswith("ff"):
            continue
        key = "route " + (network.destination(f"{address}/{length}") if length else "default")
        key += " of IPv6" if not length and family == socket.AF_INET6 else ""
        # IPv6 gives every route a metric, 1024 where nobody said one.
        metric = netlink.number(found[6]) if 6 in found else 0
        key += f" metric {metric}" if metric and not (family == socket.AF_INET6 and metric == 1024) else ""
        key += f" in table {number}" if number != _MAIN else ""
        value: Value = {"ways": sorted(ways(found, family, network))}
        if _KINDS[sort]:
            value["type"] = _KINDS[sort]
        if 7 in found:
            source = socket.inet_ntop(family, found[7])
            value["source"] = network.known.get(source, source)
        yield key, value


def ways(found: Attributes, family: int, network: Network) -> Iterator[str]:
    """Yield each way of a route: ``via <network>+1 on eth0``."""
    if 9 in found:
        rest = found[9]
        head = struct.Struct("=HBBi")
        while len(rest) >= head.size:
            length, _, hops, index = head.unpack_from(rest)
            one = netlink.attributes(rest[head.size : length])
            weight = f" weight {hops + 1}" if hops else ""
            yield _way(one, family, index, network) + weight
            rest = rest[max(length, head.size) :]
    elif 4 in found:
        yield _way(found, family, netlink.number(found[4]), network)


def _way(found: Attributes, family: int, index: int, network: Network) -> str:
    via = ""
    if 5 in found:
        via = network.gateway(socket.inet_ntop(family, found[5]), index)
    elif 18 in found:  # A gateway of the other family.
        other = struct.unpack_from("=H", found[18])[0]
        via = network.gateway(socket.inet_ntop(other, found[18][2:]), index)
    return f"via {via} on {network.name(index)}" if via else f"on {network.name(index)}"


def told_rules(rules: list[tuple[tuple[int, ...], Attributes]], network: Network) -> Iterator[tuple[str, Value]]:
    """Yield the rules that choose a table, but for those that the kernel begins with."""
    for (family, to_length, from_length, _, table, action, flags), found in rules:
        if 21 in found and found[21][0] == _BY_KERNEL:
            continue
        priority = netlink.number(found[6]) if 6 in found else 0
        number = netlink.number(found[15]) if 15 in found else table
        if 21 not in found and (priority, number) in ((0, _LOCAL), (32766, _MAIN), (32767, 253)):
            continue
        words = ["not"] if flags & 0x2 else []
        for name, attribute, length in (("from", 2, from_length), ("to", 1, to_length)):
            if attribute in found:
                words += [name, network.destination(f"{socket.inet_ntop(family, found[attribute])}/{length}")]
        if 10 in found:
            mask = netlink.number(found[16]) if 16 in found else 0xFFFFFFFF
            words.append(f"mark {netlink.number(found[10]):#x}" + (f"/{mask:#x}" if mask != 0xFFFFFFFF else ""))
        words += [f"{name} {netlink.name(found[at])}" for name, at in (("in", 3), ("out", 17)) if at in found]
        said = " ".join(words) or "all"
        said += " of IPv6" if family == socket.AF_INET6 else ""
        target = netlink.number(found[4]) if action == 2 and 4 in found else number
        value = {"action": _ACTIONS.get(action, str(action)), **({"table": target} if action in (1, 2) else {})}
        yield f"rule {priority}: {said}", value
