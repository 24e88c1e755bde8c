"""What is to be mounted, by /etc/fstab, against what is mounted; swap too.

What the kernel, systemd or the container runtime mounts by itself is left out: the pseudo file systems, memory below
``/run`` and its like, and in a container whatever the host gave it.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from labrig.state.probe.machine import Unreadable
from labrig.state.probe.mounts import DISKS, NETWORK, OWN_FILES, below
from labrig.state.probe.text import written

if TYPE_CHECKING:
    from labrig.state.probe.machine import Entries, Machine, Value
    from labrig.state.probe.mounts import Mount

# Where systemd, the kernel and the container runtime mount what they need.
PASSING = (
    b"/proc",
    b"/sys",
    b"/dev",
    b"/run",
    b"/tmp",
    b"/var/lib/docker",
    b"/var/lib/containers",
    b"/var/lib/kubelet",
)

# What says nothing: it holds without being said.
IMPLIED = frozenset({"defaults", "rw", "relatime"})

# A file system is named by a number that was made up with it, another one on each machine.
NUMBERED = (b"UUID=", b"PARTUUID=")

UNIT_FOLDERS = (
    "/etc/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)


def read(machine: Machine) -> Entries:
    """Yield mount points, ``swap SOURCE`` and ``swap by UUID NUMBER``: what fstab says, and whether it is mounted.

    ``configured`` is ``fstab``, the name of a mount unit, or ``no`` for what is only mounted. ``mounted`` is missing
    where the machine does not run, and for swap in a container, whose kernel tells only the host's.

    Raises:
        Unreadable: What is mounted can't be told.
    """
    if machine.live and machine.mounts_unread:
        raise Unreadable(f"what is mounted is not known: {machine.mounts_unread}")
    found = {**_swap(machine), **_configured(machine)}
    if machine.live:
        for point, mount in machine.mounts.items():
            if written(point) not in found and _lasting(mount, in_container=machine.in_container):
                found[written(point)] = {
                    "configured": _unit(machine, point) or "no",
                    "source": written(os.fsencode(mount.source)) + _part(mount),
                    "type": mount.type,
                    "options": _words(",".join(mount.flags)),
                    "mounted": True,
                }
    for key in sorted(found):
        yield key, found[key]


def _configured(machine: Machine) -> dict[str, Value]:
    found = {}
    for source, point, kind, options, _dump, order in machine.fstab():
        if kind == b"swap":
            continue
        value = _said(source, kind, options)
        value["check"] = written(order)
        if machine.live:
            mount = machine.mounts.get(point)
            value["mounted"] = mount is not None
            if mount is not None and "ro" in mount.flags and "ro" not in value["options"]:
                value["read_only"] = True
        found[written(point)] = value
    return found


def _swap(machine: Machine) -> dict[str, Value]:
    found: dict[str, Value] = {}
    numbers = 0
    for source, _, kind, options, _dump, _order in machine.fstab():
        if kind == b"swap":
            key = "swap " + written(source)
            if source.startswith(NUMBERED):
                numbers += 1
                key = f"swap by UUID {numbers}"
            found[key] = _said(source, kind, options)
    if machine.in_container or not machine.live:
        return found
    swaps = _swaps()
    for value in found.values():
        device = _device(value["source"])
        value["mounted"] = device in swaps
        swaps.discard(device)
    found.update({"swap " + device: {"configured": "no", "mounted": True} for device in swaps})
    return found


def _said(source: bytes, kind: bytes, options: bytes) -> Value:
    return {
        "configured": "fstab",
        "source": written(source),
        "type": written(kind),
        "options": _words(written(options)),
    }


def unit_name(point: bytes) -> str:
    r"""Return the name of the unit for a mount point, as systemd-escape makes it.

    >>> unit_name(b"/srv/my-data")
    'srv-my\\x2ddata.mount'
    """
    plain = re.compile(rb"[A-Za-z0-9:_.]")
    path = point.strip(b"/")
    name = "".join(
        "-"
        if character == b"/"
        else character.decode()
        if plain.match(character) and not (place == 0 and character == b".")
        else f"\\x{character[0]:02x}"
        for place, character in enumerate(path[at : at + 1] for at in range(len(path)))
    )
    return (name or "-") + ".mount"


def _lasting(mount: Mount, *, in_container: bool) -> bool:
    if mount.point == b"/" or mount.point in OWN_FILES or below(mount.point, PASSING):
        return False
    if mount.type in NETWORK or mount.type.startswith("fuse."):
        return True
    return mount.type == "tmpfs" or (mount.type in DISKS and not in_container)


def _part(mount: Mount) -> str:
    """Return which part of a file system a bind mount shows; of a subvolume its options tell."""
    return "" if mount.root == b"/" or mount.type == "btrfs" else "[" + written(mount.root) + "]"


def _unit(machine: Machine, point: bytes) -> str:
    name = unit_name(point)
    return next((name for folder in UNIT_FOLDERS if os.path.lexists(machine.root + f"{folder}/{name}".encode())), "")


def _swaps() -> set[str]:
    try:
        with open("/proc/swaps", "rb") as stream:
            lines = stream.read().splitlines()[1:]
    except FileNotFoundError:
        return set()  # This kernel knows no swap.
    return {_device(written(re.sub(rb"\\040", b" ", line.split()[0]))) for line in lines if line}


def _device(source: str) -> str:
    """Return a device as /proc/swaps names it; only links in /dev are followed."""
    for tag, folder in (("UUID=", "by-uuid"), ("LABEL=", "by-label"), ("PARTUUID=", "by-partuuid")):
        if source.startswith(tag):
            source = f"/dev/disk/{folder}/" + source[len(tag) :].strip('"')
    return os.path.realpath(source) if source.startswith("/dev/") else source


def _words(options: str) -> list[str]:
    return sorted(set(options.split(",")) - IMPLIED - {""})
