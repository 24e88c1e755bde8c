"""Hard links: which names are one file."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from labrig.state.probe.files import LINKS_LIMIT, noticed
from labrig.state.probe.machine import Unreadable
from labrig.state.probe.mounts import LAYERED
from labrig.state.probe.packages import owners
from labrig.state.probe.text import written

if TYPE_CHECKING:
    from labrig.state.probe.machine import Entries, Machine, Value

# Of one file; what is beyond is told by its number and a hash.
NAMES_LIMIT = 50


def read(machine: Machine) -> Entries:
    """Yield the first name of each file that has several, with ``names``, the others.

    ``elsewhere`` counts those that lie outside of what was walked, ``more`` those beyond the first fifty. On the layers
    of a container the former is not told: a name that was removed still counts in the layer below.

    Raises:
        Unreadable: There are too many to tell them all.
    """
    owner_of = owners(machine)
    found = noticed(machine)
    cut = len(machine.root)
    layered = b"/" in machine.mounts and machine.mounts[b"/"].type in LAYERED
    for inode, paths in sorted(found.names.items(), key=lambda item: item[1]):
        first, *others = [written(path[cut:]) for path in paths]
        if layered and not others:
            continue
        value: Value = {"names": others[:NAMES_LIMIT]}
        if len(others) > NAMES_LIMIT:
            value["more"] = len(others) - NAMES_LIMIT
            value["sha256"] = hashlib.sha256("\n".join(others).encode()).hexdigest()
        if found.links[inode] > len(paths) and not found.too_many and not layered:
            value["elsewhere"] = found.links[inode] - len(paths)
        packages = {owner_of.get(path[cut:]) for path in paths}
        package = packages.pop()
        if package and not packages:
            value.update(package=package, as_packaged=True)
        yield first, value
    if found.too_many:
        raise Unreadable(f"files have more than {LINKS_LIMIT} further names; those after are not told")
