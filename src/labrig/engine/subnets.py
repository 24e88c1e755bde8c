"""Which small subnets are still free in one range: values in, values out."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network

from labrig.errors import UsageError

VARIABLE = "LABRIG_SUBNETS"
# Docker's own pools are 172.17.0.0/16 to 172.31.0.0/16 and 192.168.0.0/16 in pieces of /20: thirty networks in all.
RANGE = IPv4Network("10.213.0.0/16")
# An engine makes no bridge for less: network, gateway, broadcast and one container.
SMALLEST_PREFIX = 30


def chosen_range() -> IPv4Network:
    """Return the range that subnets are taken from; ``LABRIG_SUBNETS`` names another one.

    Raises:
        UsageError: The variable names no IPv4 network.
    """
    asked = os.environ.get(VARIABLE, "")
    if not asked:
        return RANGE
    try:
        return IPv4Network(asked)
    except ValueError as error:
        raise UsageError(
            f"{VARIABLE} is not an IPv4 network: {error}", hint=f"for example {VARIABLE}={RANGE}"
        ) from error


def prefix(hosts: int) -> int:
    """Return the length of the prefix of the smallest subnet for so many containers and a gateway.

    >>> prefix(1), prefix(60), prefix(61), prefix(62)
    (30, 26, 26, 25)
    """
    return min(SMALLEST_PREFIX, 32 - (hosts + 2).bit_length())


def free(within: IPv4Network, used: Iterable[IPv4Network], length: int, *, start: int = 0) -> Iterator[IPv4Network]:
    """Yield every subnet of a range that overlaps with none in use, from the ``start``-th on and around.

    Args:
        within: The range.
        used: Networks of the engine, and routes of its host.
        length: Of the prefix of each subnet.
        start: Which of the range's subnets is tried first; processes that begin at different ones seldom meet.

    >>> [str(one) for one in free(IPv4Network("10.0.0.0/24"), [IPv4Network("10.0.0.64/27")], 26, start=3)]
    ['10.0.0.192/26', '10.0.0.0/26', '10.0.0.128/26']
    """
    if length < within.prefixlen:
        return
    taken = _merged(one for one in used if one.overlaps(within))
    begins = [first for first, _ in taken]
    size = 1 << (32 - length)
    count = 1 << (length - within.prefixlen)
    for number in range(count):
        first = int(within.network_address) + (start + number) % count * size
        before = bisect_right(begins, first + size - 1) - 1
        if before < 0 or taken[before][1] < first:
            yield IPv4Network((first, length))


def _merged(networks: Iterable[IPv4Network]) -> list[tuple[int, int]]:
    """Return first and last addresses, ascending, without overlap."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted((int(one.network_address), int(one.broadcast_address)) for one in networks):
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged


def routes(table: str, within: IPv4Network) -> list[IPv4Network]:
    """Return the destinations in the text of ``/proc/net/route``, but for those that are wider than the range.

    A network's route is narrower, and goes before them: a VPN's 10.0.0.0/8, or the default route, rules nothing out.
    Addresses and masks stand there as hexadecimal numbers in the order of the processor, lowest byte first.
    """
    found = []
    for line in table.splitlines()[1:]:
        fields = line.split()
        address, mask = (int.from_bytes(bytes.fromhex(fields[place]), "little") for place in (1, 7))
        if mask.bit_count() >= within.prefixlen:
            found.append(IPv4Network((address & mask, mask.bit_count())))
    return found
