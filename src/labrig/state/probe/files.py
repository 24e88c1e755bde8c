"""Every file of the root file system: type, mode, owner and group, and a hash of the content."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from typing import TYPE_CHECKING

from labrig.state.probe.canonical import FORMS, SECRET
from labrig.state.probe.machine import OPEN_FLAGS
from labrig.state.probe.packages import owners
from labrig.state.probe.text import written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labrig.state.probe.machine import Entries, Machine, Value

KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "link",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFBLK: "block device",
    stat.S_IFCHR: "character device",
}

# Up to here a file is read as a whole, and own addresses in it are found.
WHOLE_LIMIT = 1 << 20
READ_SIZE = 1 << 20

# From here on a file is hashed by its blocks that are not all zero, each with its place. Holes then cost
# nothing, and because the size alone decides, a file has one hash however sparsely it happens to be stored.
BLOCKS_LIMIT = 64 << 20
BLOCK_SIZE = 1 << 16
ZEROS = bytes(BLOCK_SIZE)


def read(machine: Machine) -> Entries:
    """Yield every file below the root, a directory's entries in the order of their bytes."""
    owner_of = owners(machine)
    cut = len(machine.root)
    for full, status, problem in walk(machine):
        path = full[cut:] or b"/"
        key = written(path)
        try:
            value = {} if status is None else entry(full, key, status, machine)
        except FileNotFoundError:
            continue  # It went away while we looked: it is not part of the state.
        if problem is not None:
            value["unreadable"] = _reason(problem)
        if path in owner_of:
            value["package"] = owner_of[path]
        for folder, dimension in machine.described.items():
            if path.startswith(folder) and path[len(folder) :][:1] == b"/":
                value["described"] = dimension
        yield key, value


def entry(path: bytes, key: str, status: os.stat_result, machine: Machine) -> Value:
    """Return what is known of one file.

    Raises:
        FileNotFoundError: It is gone, or has become something else meanwhile.
    """
    kind = stat.S_IFMT(status.st_mode)
    value: Value = {
        "type": KINDS.get(kind, "unknown"),
        "owner": machine.owner(status.st_uid),
        "group": machine.group(status.st_gid),
    }
    if kind != stat.S_IFLNK:
        value["mode"] = f"{stat.S_IMODE(status.st_mode):04o}"
    try:
        if kind == stat.S_IFREG:
            value.update(content(path, key, machine))
        elif kind == stat.S_IFLNK:
            value["target"] = written(os.readlink(path))
        elif kind in (stat.S_IFBLK, stat.S_IFCHR):
            value["device"] = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
    except FileNotFoundError:
        raise
    except OSError as problem:
        value["unreadable"] = _reason(problem)
    return value


def walk(machine: Machine) -> Iterator[tuple[bytes, os.stat_result | None, OSError | None]]:
    """Yield path, status and problem of everything that is the machine's own; never touches another mount.

    Memory holds the names of the directories on the way down, so it is bounded by the largest of them.
    """
    left_out = frozenset(machine.root + point for point in machine.left_out)
    tops = [machine.root + path for path in sorted(machine.only)] or [machine.root or b"/"]
    pending: list[tuple[bytes, list[bytes]]] = [(b"", tops[::-1])]
    while pending:
        prefix, names = pending[-1]
        if not names:
            pending.pop()
            continue
        path = prefix + names.pop()
        if path in left_out:
            continue
        status = problem = None
        try:
            status = os.lstat(path)
            if stat.S_ISDIR(status.st_mode):
                inside = os.listdir(path)
                inside.sort(reverse=True)
                pending.append((path.rstrip(b"/") + b"/", inside))
        except FileNotFoundError:
            continue
        except OSError as unreadable:
            problem = unreadable
        yield path, status, problem


def content(path: bytes, key: str, machine: Machine) -> Value:
    """Return size and hashes of a regular file.

    ``sha256`` is that of the bytes for a file below 64 MiB, and else starts with ``blocks:`` (see ``BLOCKS_LIMIT``).
    Where own addresses were replaced, size and hash are of the replaced text and ``plain`` is the hash of the
    bytes as they are. ``canonical`` is the hash of the canonical form where the file has one.

    Raises:
        FileNotFoundError: It is gone, or has become something else than a regular file.
    """
    descriptor = os.open(path, OPEN_FLAGS)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise FileNotFoundError(path)
        size = status.st_size
        if size >= BLOCKS_LIMIT:
            return {"size": size, "sha256": "blocks:" + _block_hash(descriptor, size)}
        if size >= WHOLE_LIMIT:
            return {"size": size, "sha256": _stream_hash(descriptor, size)}
        found = os.read(descriptor, size)
    finally:
        os.close(descriptor)
    text = machine.own_text(found)
    value = {"size": len(text), "sha256": hashlib.sha256(text).hexdigest()}
    if text is not found:
        value["plain"] = hashlib.sha256(found).hexdigest()
    if key in SECRET:
        value = {}
    if key in FORMS:
        value["canonical"] = hashlib.sha256(FORMS[key](text, machine)).hexdigest()
    return value


def _stream_hash(descriptor: int, size: int) -> str:
    # Never past the size it had at first: a log may grow faster than it is read.
    digest = hashlib.sha256()
    left = size
    while left:
        block = os.read(descriptor, min(left, READ_SIZE))
        if not block:
            break
        digest.update(block)
        left -= len(block)
    return digest.hexdigest()


def _block_hash(descriptor: int, size: int) -> str:
    digest = hashlib.sha256()
    place = 0
    while place < size:
        place = _next_bytes(descriptor, place, size) // BLOCK_SIZE * BLOCK_SIZE
        block = os.pread(descriptor, min(BLOCK_SIZE, size - place), place)
        if not block:
            break
        if block != ZEROS[: len(block)]:
            digest.update(b"%d:" % place)
            digest.update(block)
        place += BLOCK_SIZE
    return digest.hexdigest()


def _next_bytes(descriptor: int, place: int, size: int) -> int:
    try:
        return os.lseek(descriptor, place, os.SEEK_DATA)
    except OSError as problem:
        # ENXIO: only a hole is left. Anything else: this file system can't tell, so every byte is read.
        return size if problem.errno == errno.ENXIO else place


def _reason(problem: OSError) -> str:
    return problem.strerror or str(problem)
