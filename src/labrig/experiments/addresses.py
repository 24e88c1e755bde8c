"""The addresses in the network of one experiment: the edge knows the containers by them, also after a reboot."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

# A gateway, two versions side by side, and sixteen addresses for services and commands.
PREFIX = 27
_FIRST_SLOT = 2


@dataclass(frozen=True)
class Addresses:
    """What each address of an experiment's subnet is for.

    Attributes:
        subnet: A subnet of ``PREFIX``.
    """

    subnet: IPv4Network

    @property
    def gateway(self) -> IPv4Address:
        """The lab host itself."""
        return self.subnet[1]

    def slot(self, number: int) -> IPv4Address:
        """Return the address of one of the two versions, 0 or 1.

        >>> str(Addresses(IPv4Network("10.213.0.32/27")).slot(1))
        '10.213.0.35'
        """
        return self.subnet[_FIRST_SLOT + number]

    @property
    def others(self) -> IPv4Network:
        """The addresses that the engine gives to all other containers.

        >>> str(Addresses(IPv4Network("10.213.0.32/27")).others)
        '10.213.0.48/28'
        """
        return list(self.subnet.subnets())[1]
