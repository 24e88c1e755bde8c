"""Every file of the machine's own file systems: type, mode, owner and group, attributes, and a hash of the content.

Whether a file is what its package brought is told by dpkg's MD5 sums, or by rpm, in the same pass. MD5 makes up a third
of the time that files take (0.4 s of 1.2 s for 256 MB, where sha256sum over the same takes 1.1 s). In return a state
that was saved says it as well as a machine that runs, and nothing has to be asked a second time of a machine that may
have changed meanwhile or be gone.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import sys
from typing import TYPE_CHECKING

from labrig.state.probe.attributes import attributes, locked
from labrig.state.probe.canonical import SECRET, form_of
from labrig.state.probe.machine import OPEN_FLAGS, Unreadable
from labrig.state.probe.mounts import below
from labrig.state.probe.packages import INFO, MERGED, manifest, owners
from labrig.state.probe.text import unwritten, written

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

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

# Folders in which "immutable" is looked for on directories, too; of files it is always told.
LOCKED_FOLDERS = (b"/etc", b"/usr/local")

# Where languages write down what was installed by their own means; see ``labrig.state.probe.languages``.
RECORDS = (b".dist-info", b".egg-info", b".gemspec", b"node_modules")

# Names of files with several names; a backup made of hard links may hold millions.
LINKS_LIMIT = 100_000

SHA256_SIZE = 32
MD5_USE: dict[str, Any] = {"usedforsecurity": False} if sys.version_info >= (3, 9) else {}


def _digest_like(packaged: bytes | None) -> Any:
    """Return a new digest of the kind that a manifest has: MD5 or SHA-256; None for MD5 where FIPS 140 forbids it."""
    if packaged is None:
        return None
    if len(packaged) == SHA256_SIZE:
        return hashlib.sha256()
    try:
        return hashlib.md5(**MD5_USE)  # noqa: S324 - it is what dpkg's manifests have
    except ValueError:
        return None


class Noticed:
    """What a walk notices by the way, for other dimensions.

    Attributes:
        complete: Whether the walk went to its end.
        records: Paths at which a language may have written down a package.
        names: Inode to the paths that share it, in the order of the walk.
        links: Inode to the number of names that it has altogether.
        too_many: Whether there are more names than are kept.
    """

    def __init__(self) -> None:
        self.complete = False
        self.records: list[bytes] = []
        self.names: dict[tuple[int, int], list[bytes]] = {}
        self.links: dict[tuple[int, int], int] = {}
        self.too_many = False
        self._count = 0

    def link(self, path: bytes, status: os.stat_result) -> None:
        """Note one name of a file that has several."""
        self._count += 1
        self.too_many = self._count > LINKS_LIMIT
        if not self.too_many:
            inode = (status.st_dev, status.st_ino)
            self.names.setdefault(inode, []).append(path)
            self.links[inode] = status.st_nlink


def noticed(machine: Machine) -> Noticed:
    """Return what a walk of the machine noticed; walk it if no walk went to its end yet."""
    if not machine.noticed or not machine.noticed.complete:
        for _ in walk(machine):
            pass
    found: Noticed = machine.noticed
    return found


def read(machine: Machine) -> Entries:
    """Yield every file below the root, a directory's entries in the order of their bytes."""
    owner_of = owners(machine)
    sums = manifest(machine)
    cut = len(machine.root)
    for full, status, problem in walk(machine):
        path = full[cut:] or b"/"
        key = written(path)
        try:
            value = {} if status is None else entry(full, key, status, machine, sums.get(path))
        except FileNotFoundError:
            continue  # It went away while we looked: it is not part of the state.
        if problem is not None:
            value["unreadable"] = _reason(problem)
        package = owner_of.get(path)
        if package is not None:
            value["package"] = package
            if value.get("type") == "directory" or (value.get("type") == "link" and _leads_to(value, path, owner_of)):
                value["as_packaged"] = True
        elif path.startswith(INFO) and b"." in path[len(INFO) :]:
            value["package"] = written(path[len(INFO) :].rpartition(b".")[0].partition(b":")[0])
            value["as_packaged"] = True  # What dpkg keeps of a package comes and goes with it.
        for folder, dimension in machine.described.items():
            if path.startswith(folder) and path[len(folder) :][:1] == b"/":
                value["described"] = dimension
        yield key, value


def entry(path: bytes, key: str, status: os.stat_result, machine: Machine, packaged: bytes | None = None) -> Value:
    """Return what is known of one file; ``packaged`` is the digest of what its package brought.

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
            value.update(_opened(path, key, machine, packaged))
        elif kind == stat.S_IFLNK:
            value["target"] = written(os.readlink(path))
        elif kind in (stat.S_IFBLK, stat.S_IFCHR):
            value["device"] = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
        elif kind == stat.S_IFDIR and below(path[len(machine.root) :], LOCKED_FOLDERS):
            value.update(_locked_directory(path))
        if kind != stat.S_IFREG:
            value.update(_attributes(path, machine))
    except FileNotFoundError:
        raise
    except OSError as problem:
        value["unreadable"] = _reason(problem)
    return value


def _opened(path: bytes, key: str, machine: Machine, packaged: bytes | None) -> Value:
    try:
        descriptor = os.open(path, OPEN_FLAGS)
    except FileNotFoundError:
        raise
    except OSError as problem:
        return {**_attributes(path, machine), "unreadable": _reason(problem)}
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise FileNotFoundError(path)
        value = _attributes(descriptor, machine)
        flags = locked(descriptor)
        if flags:
            value["locked"] = flags
        value.update(_remembered(descriptor, path, key, status, machine, packaged))
    finally:
        os.close(descriptor)
    return value


def _remembered(
    descriptor: int, path: bytes, key: str, status: os.stat_result, machine: Machine, packaged: bytes | None
) -> Value:
    """Return ``content``, read only where an earlier look does not tell it."""
    memory = machine.memory
    known = memory.recall(path, status, packaged) if memory else None
    if known is not None:
        return known
    size = status.st_size
    found = os.read(descriptor, size) if size < WHOLE_LIMIT else None
    value = _streamed(descriptor, size, packaged) if found is None else content(found, key, machine, packaged)
    # A canonical form may depend on more than the bytes, such as the names of users.
    if memory and key not in SECRET and "canonical" not in value:
        addressed = None if found is None else memory.addressed(found)
        memory.keep(path, status, packaged, value, addressed=addressed)
    return value


def _attributes(file: bytes | int, machine: Machine) -> Value:
    try:
        return attributes(file, machine)
    except FileNotFoundError:
        raise
    except OSError as problem:
        return {"unreadable": f"attributes: {_reason(problem)}"}


def _locked_directory(path: bytes) -> Value:
    descriptor = os.open(path, OPEN_FLAGS | os.O_DIRECTORY)
    try:
        flags = locked(descriptor)
    finally:
        os.close(descriptor)
    return {"locked": flags} if flags else {}


def _leads_to(value: Value, path: bytes, owner_of: Mapping[bytes, str]) -> bool:
    """Whether a package's link leads to what a package brought, or nowhere; where it should lead, no manifest says."""
    target = os.path.normpath(os.path.join(os.path.dirname(path), unwritten(value["target"])))
    if target[1:].partition(b"/")[0] in MERGED:
        target = b"/usr" + target
    return target in owner_of or target == b"/dev/null"


def walk(machine: Machine) -> Iterator[tuple[bytes, os.stat_result | None, OSError | None]]:
    """Yield path, status and problem of everything that is the machine's own; never touches another mount.

    Memory holds the names of the directories on the way down, so it is bounded by the largest of them. What is
    noticed by the way is ``machine.noticed`` afterwards.

    Raises:
        Unreadable: What is mounted is not known, so that the walk might get into something that never answers.
    """
    if machine.mounts_unread:
        raise Unreadable(f"what is mounted, and so what is the machine's own, is not known: {machine.mounts_unread}")
    seen = machine.noticed = Noticed()
    left_out = frozenset(machine.root + point for point in machine.left_out)
    asked = [path for path in sorted(machine.only) if machine.is_local(path)]
    tops = [machine.root + path for path in asked] if machine.only else [machine.root or b"/"]
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
            elif status.st_nlink > 1:
                seen.link(path, status)
        except FileNotFoundError:
            continue
        except OSError as unreadable:
            problem = unreadable
        if path.endswith(RECORDS) and status and not stat.S_ISLNK(status.st_mode):
            seen.records.append(path)
        yield path, status, problem
    seen.complete = True


def content(found: bytes, key: str, machine: Machine, packaged: bytes | None = None) -> Value:
    """Return size and hashes of a regular file of less than 1 MiB, from its bytes.

    Where own addresses were replaced, size and hash are of the replaced text and ``plain`` is the hash of the
    bytes as they are. ``canonical`` is the hash of the canonical form where the file has one. ``as_packaged`` says
    that the digest of its bytes is ``packaged``.
    """
    text = machine.own_text(found)
    value: Value = {"size": len(text), "sha256": hashlib.sha256(text).hexdigest()}
    if text is not found:
        value["plain"] = hashlib.sha256(found).hexdigest()
    if key in SECRET:
        value = {}
    form = form_of(key, text)
    if form is not None:
        value["canonical"] = hashlib.sha256(form(text, machine)).hexdigest()
    if packaged is not None:
        digest = _digest_like(packaged)
        if digest is not None:
            digest.update(found)
            if digest.digest() == packaged:
                value["as_packaged"] = True
    return value


def _streamed(descriptor: int, size: int, packaged: bytes | None) -> Value:
    """Return size and hashes of a larger file; own addresses in it stay.

    ``sha256`` is that of the bytes for a file below 64 MiB, and else starts with ``blocks:`` (see ``BLOCKS_LIMIT``);
    of such a one ``as_packaged`` is not told.
    """
    if size >= BLOCKS_LIMIT:
        return {"size": size, "sha256": "blocks:" + _block_hash(descriptor, size)}
    return {"size": size, **_stream_hash(descriptor, size, packaged)}


def _stream_hash(descriptor: int, size: int, packaged: bytes | None) -> Value:
    # Never past the size it had at first: a log may grow faster than it is read.
    digests = [hashlib.sha256()]
    other = _digest_like(packaged)
    if other is not None:
        digests.append(other)
    left = size
    while left:
        block = os.read(descriptor, min(left, READ_SIZE))
        if not block:
            break
        for digest in digests:
            digest.update(block)
        left -= len(block)
    value: Value = {"sha256": digests[0].hexdigest()}
    if digests[-1].digest() == packaged:
        value["as_packaged"] = True
    return value


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
