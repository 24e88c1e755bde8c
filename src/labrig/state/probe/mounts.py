"""What is mounted, and which of it is the machine's own: told by what a mount is, never by its name.

Nothing here looks at a mount point itself: a network file system whose server is gone would never answer.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

DISKS = frozenset(
    {"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "jfs", "nilfs2", "reiserfs", "bcachefs", "zfs", "vfat", "exfat"}
)

NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "glusterfs", "9p", "afs", "lustre", "ocfs2", "gfs2"}
)

# A container's root.
LAYERED = frozenset({"overlay", "aufs"})

# Docker lays these over the root file system, yet they are the machine's own files.
OWN_FILES = frozenset({b"/etc/hosts", b"/etc/hostname", b"/etc/resolv.conf"})


class Mount(NamedTuple):
    """One line of /proc/self/mountinfo.

    Attributes:
        point: Where, as seen from the root that is read.
        root: Which part of the file system; ``/`` for the whole of it.
        type: Of the file system.
        source: What is mounted, as the kernel tells it.
        device: Its number, ``8:1``.
        flags: Those of this mount: ``ro``, ``nosuid``.
        options: Those of the file system.
    """

    point: bytes
    root: bytes
    type: str
    source: str
    device: bytes
    flags: tuple[str, ...]
    options: tuple[str, ...]


def mounts(lines: Iterable[bytes], root: bytes = b"") -> dict[bytes, Mount]:
    """Return mount point to mount for ``root`` itself, as ``/``, and all below it, from the lines of mountinfo.

    Of several at one point the last one is what is seen there.
    """
    found = {}
    for line in lines:
        fields = line.split(b" ")
        point = plain(fields[4])
        if root and point != root and not point.startswith(root + b"/"):
            continue
        kind, source, options = fields[fields.index(b"-") + 1 :][:3]
        point = point[len(root) :] or b"/"
        found[point] = Mount(
            point,
            plain(fields[3]),
            kind.decode("ascii", "replace"),
            plain(source).decode("utf-8", "surrogateescape"),
            fields[2],
            _words(fields[5]),
            _words(options),
        )
    return found


def left_out(found: dict[bytes, Mount], configured: Iterable[bytes], *, in_container: bool = False) -> frozenset[bytes]:
    """Return the mount points whose files are not the machine's own, and everything mounted below them.

    A disk that is mounted as a whole is its own. A network or pseudo file system, memory, a container's overlay, a
    part of a file system (a bind mount, a Docker volume) and one that is seen elsewhere already are not. In a
    container a disk counts only where fstab names it, in ``configured``: any other comes from the host.
    """
    known = frozenset(configured)
    seen = {(mount.device, mount.root) for mount in found.values() if mount.point == b"/"}
    out: set[bytes] = set()
    for point in sorted(found):
        mount = found[point]
        if point == b"/":
            continue
        place = (mount.device, mount.root)
        own = point in OWN_FILES or (
            mount.type in DISKS and _whole(mount) and place not in seen and (not in_container or point in known)
        )
        if not own or below(point, out):
            out.add(point)
        elif point not in OWN_FILES:
            seen.add(place)
    return frozenset(out)


def below(path: bytes, points: Iterable[bytes]) -> bool:
    """Whether a path is one of the points or lies below one."""
    return any(path == point or path.startswith(point + b"/") for point in points)


def _whole(mount: Mount) -> bool:
    if mount.type == "zfs":
        return mount.root == b"/"
    if not mount.source.startswith("/dev/"):
        return False
    if mount.type == "btrfs":
        # A subvolume is mounted as a whole, too; a part of one is a bind mount.
        return any(option == "subvol=" + mount.root.decode("utf-8", "surrogateescape") for option in mount.options)
    return mount.root == b"/"


def _words(field: bytes) -> tuple[str, ...]:
    return tuple(sorted(field.decode("utf-8", "surrogateescape").split(",")))


def plain(field: bytes) -> bytes:
    """Return a field of mountinfo or fstab with its octal escapes undone."""
    return re.sub(rb"\\([0-7]{3})", lambda code: bytes([int(code.group(1), 8)]), field)
