"""What a file has besides mode and owner: access lists, capabilities, extended attributes, and whether it is locked."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import struct
from typing import TYPE_CHECKING

from labrig.state.probe.text import written

if TYPE_CHECKING:
    from collections.abc import Callable

    from labrig.state.probe.machine import Machine, Value

ACLS = {"system.posix_acl_access": "acl", "system.posix_acl_default": "default_acl"}

# security.evm is a sum over the inode's number and more; the others belong to the file system itself.
NOT_THE_FILES = re.compile(r"security\.evm|(trusted|user)\.overlay\..*|system\.(?!posix_acl_).*")

# They hold when the file was made: systemd's journal and Samba keep it there. Only that they are there is told.
TIMES = frozenset({"user.crtime_usec", "user.DOSATTRIB"})

# A longer value, or one that is no text, is told by its hash.
TEXT_LIMIT = 64

# Tags of linux/posix_acl.h, in the order in which getfacl prints them.
TAGS = {0x01: "user", 0x02: "user", 0x04: "group", 0x08: "group", 0x10: "mask", 0x20: "other"}
USER, GROUP = 0x02, 0x08
ACL_VERSION = 2

# linux/capability.h: the place of each is its number.
# fmt: off
CAPABILITIES = (
    "chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap",
    "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner",
    "sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice",
    "sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write", "audit_control", "setfcap",
    "mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf",
    "checkpoint_restore",
)
# fmt: on
EFFECTIVE = 0x000001
REVISION = 0xFF000000
WITH_OWNER = 0x03000000

# linux/fs.h; the other flags tell how a file system stores the file.
LONG = struct.calcsize("l")
READS = 0x40000000 if os.uname().machine.startswith(("ppc", "mips", "sparc", "alpha")) else 0x80000000
GET_FLAGS = READS | LONG << 16 | ord("f") << 8 | 1
FLAGS = {0x10: "immutable", 0x20: "append-only"}


def attributes(file: bytes | int, machine: Machine) -> Value:
    """Return the fields ``acl``, ``default_acl``, ``capabilities``, ``label`` and ``attributes``, each if there is one.

    Args:
        file: A path, of which a link is looked at itself, or the descriptor of an open file.
        machine: Knows the names of users and groups.

    Raises:
        OSError: They can't be read.
    """
    follow = isinstance(file, int)
    try:
        names = os.listxattr(file, follow_symlinks=follow)
    except OSError as problem:
        if problem.errno in (errno.ENOTSUP, errno.ENOSYS):
            return {}  # This file system has none.
        raise
    found: Value = {}
    others = {}
    for name in names:
        if NOT_THE_FILES.fullmatch(name):
            continue
        try:
            value = os.getxattr(file, name, follow_symlinks=follow)
        except OSError as problem:
            if problem.errno == errno.ENODATA:
                continue  # It went away while we looked.
            others[_name(name)] = f"unreadable: {problem.strerror}"
            continue
        if name in ACLS:
            found[ACLS[name]] = acl(value, machine.owner, machine.group)
        elif name in TOLD:
            field, tell = TOLD[name]
            found[field] = tell(value)
        else:
            others[_name(name)] = "set" if name in TIMES else shown(value)
    if others:
        found["attributes"] = others
    return found


def acl(value: bytes, owner: Callable[[int], str], group: Callable[[int], str]) -> list[str]:
    """Return the entries of an access control list as getfacl prints them.

    >>> acl(value, machine.owner, machine.group)
    ['user::rw-', 'user:www-data:r--', 'group::r--', 'mask::r--', 'other::r--']
    """
    if len(value) % 8 != 4 or struct.unpack_from("<I", value)[0] != ACL_VERSION:
        return [shown(value)]
    entries = []
    for tag, bits, number in struct.iter_unpack("<HHI", value[4:]):
        name = owner(number) if tag == USER else group(number) if tag == GROUP else ""
        rights = "".join(right if bits & bit else "-" for right, bit in (("r", 4), ("w", 2), ("x", 1)))
        entries.append((tag, f"{TAGS.get(tag, tag)}:{name}:{rights}"))
    return [text for _, text in sorted(entries)]


def capabilities(value: bytes) -> str:
    """Return file capabilities as getcap prints them: ``cap_net_raw=ep``."""
    if len(value) not in (12, 20, 24):
        return shown(value)
    words = struct.unpack(f"<{len(value) // 4}I", value)
    sets = [words[1:3], words[3:5]] if len(words) > 3 else [words[1:3]]
    effective = "e" if words[0] & EFFECTIVE else ""
    by_flags: dict[str, list[str]] = {}
    for place, (permitted, inheritable) in enumerate(sets):
        for bit in range(32):
            flags = ("i" if inheritable >> bit & 1 else "") + ("p" if permitted >> bit & 1 else "")
            if flags:
                number = place * 32 + bit
                name = CAPABILITIES[number] if number < len(CAPABILITIES) else str(number)
                by_flags.setdefault(effective + flags, []).append("cap_" + name)
    text = " ".join(f"{','.join(names)}={flags}" for flags, names in sorted(by_flags.items())) or "="
    if words[0] & REVISION == WITH_OWNER and words[-1]:
        text += f" [rootid={words[-1]}]"
    return text


def label(value: bytes) -> str:
    """Return an SELinux label; the categories that each container gets by chance are left out."""
    text = shown(value.rstrip(b"\0"))
    if ":container_" in text or ":svirt_" in text:
        return re.sub(r":c\d+([.,]c\d+)*$", "", text)
    return text


def shown(value: bytes) -> str:
    """Return a value as it is if it is a short text, else by its hash."""
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if len(text) <= TEXT_LIMIT and text.isprintable():
        return text
    return "sha256:" + hashlib.sha256(value).hexdigest()


TOLD: dict[str, tuple[str, Callable[[bytes], str]]] = {
    "security.capability": ("capabilities", capabilities),
    "security.selinux": ("label", label),
}


def locked(descriptor: int) -> list[str]:
    """Return which of ``immutable`` and ``append-only`` an open file is, as chattr sets them."""
    try:
        answer = fcntl.ioctl(descriptor, GET_FLAGS, bytes(LONG))
    except OSError:
        return []  # This file system has no such flags.
    flags = struct.unpack_from("=I", answer)[0]
    return [name for bit, name in FLAGS.items() if flags & bit]


def _name(name: str) -> str:
    return written(os.fsencode(name))
