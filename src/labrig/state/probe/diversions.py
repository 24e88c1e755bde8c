"""What an administrator, or a package, told dpkg to put elsewhere or to give other rights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labrig.state.probe.packages import DPKG
from labrig.state.probe.packages import diversions as parsed
from labrig.state.probe.text import written

if TYPE_CHECKING:
    from labrig.state.probe.machine import Entries, Machine


def diversions(machine: Machine) -> Entries:
    """Yield each path that dpkg puts elsewhere: where to, and ``by`` which package; ``local`` for an administrator."""
    for origin, target, by in sorted(parsed(machine.text(DPKG + "/diversions"))):
        yield written(origin), {"to": written(target), "by": "local" if by == ":" else by}


def overrides(machine: Machine) -> Entries:
    """Yield each path that dpkg gives other rights than its package says: owner, group, mode."""
    found = {}
    for line in machine.text(DPKG + "/statoverride").splitlines():
        fields = line.split(" ", 3)
        if len(fields) == 4:
            owner, group, mode, path = fields
            found[written(path.encode("utf-8", "surrogateescape"))] = {
                "owner": owner,
                "group": group,
                "mode": mode.zfill(4),
            }
    return iter(sorted(found.items()))
