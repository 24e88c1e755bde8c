"""What an earlier look at this machine read of its files, so that what has not changed since is not read again.

Answers that follow from files alone are remembered with them, such as systemd's list of unit files, for which it
opens each of them several times.

A file is taken for unchanged where inode, size, and the times of its last change (mtime, ctime) are what they were.
Whatever writes to a file sets its ctime, which nobody can set back, with two exceptions, and such files are not
remembered: one written in the two seconds before the look began, as a second write may fall into the same tick of the
clock; and one that a process has mapped to write to it, as only the first write to a page sets the time.

What is remembered travels through whoever looks, as a text that means something to the probe only. It holds hashes
and no contents. It is of one run of labrig: saved states never come from it.
"""

from __future__ import annotations

import base64
import hashlib
import marshal
import os
import stat
import sys
import time
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from labrig.state.probe.machine import Value

    # Inode, size, mtime and ctime in ns.
    Mark = tuple[int, int, int, int]
    # The mark, the digest of what the package brought, whether addresses are in it, and what was found.
    Known = tuple[Mark, "bytes | None", "bool | None", Value]

# In nanoseconds; the kernel's clock for files ticks every 1 to 10 ms.
TOO_YOUNG = 2_000_000_000

# So many files have to be new or other ones before it is worth to tell them.
WORTH_TELLING = 300

# Of more files than these nothing is remembered: each takes 600 bytes here, and 70 on their way.
FILES_LIMIT = 100_000

# Another Python may write such data otherwise.
WRITER = hashlib.sha256(sys.version.encode()).hexdigest()[:16]

FAST = 1


class Memory:
    """What is known of files by their paths."""

    def __init__(self, text: str, addresses: Mapping[str, str], others: Iterable[str] = ()) -> None:
        """Begin with what an earlier look has told, or with nothing where ``text`` is empty.

        Args:
            text: What ``as_text`` returned, on this machine or on one that has files in common with it.
            addresses: The addresses that are replaced in texts, with what for.
            others: Those that another machine, which is to be given the text, may have.
        """
        self._addresses = sorted(addresses.items())
        self._watched = frozenset(address.encode() for address in (*addresses, *others))
        self._known: dict[bytes, Known] = {}
        self._answers: dict[str, tuple[str, str]] = {}
        writer, _, packed = text.partition(" ")
        if writer == WRITER:
            told = marshal.loads(zlib.decompress(base64.b64decode(packed)))  # noqa: S302 - its own words
            found, watched, known, self._answers = told
            if watched.issuperset(address.encode() for address in addresses):
                self._watched = watched
                if found != self._addresses:
                    known = {path: one for path, one in known.items() if not one[2]}
            else:
                known = {path: one for path, one in known.items() if one[2] is None}
            self._known = known
        self._now: dict[bytes, Known] = {}
        self._new = 0
        self._young = time.time_ns() - TOO_YOUNG
        self._mapped = _mapped_for_writing()

    def addressed(self, content: bytes) -> bool:
        """Tell whether an address that some machine replaces may be in what was found in a file."""
        return any(address in content for address in self._watched) and b"\0" not in content

    def recall(self, path: bytes, status: os.stat_result, packaged: bytes | None) -> Value | None:
        """Return what is known of the content of a file; None where it has to be read."""
        known = self._known.get(path)
        if known is None or known[0] != _mark(status) or known[1] != packaged:
            return None
        if self._mapped is not None and status.st_ino not in self._mapped:
            self._now[path] = known
        return dict(known[3])

    def keep(
        self, path: bytes, status: os.stat_result, packaged: bytes | None, value: Value, *, addressed: bool | None
    ) -> None:
        """Remember what was found in a file, unless it may change without a trace.

        Args:
            path: The file.
            status: What it was before it was read.
            packaged: As for ``recall``.
            value: What was found.
            addressed: What ``addressed`` told; None for a file in which no address is replaced, whichever it is.
        """
        if self._mapped is None or status.st_ino in self._mapped or status.st_ctime_ns > self._young:
            return
        if len(self._now) >= FILES_LIMIT:
            return
        self._now[path] = (_mark(status), packaged, addressed, dict(value))
        self._new += 1

    def answer(self, folders: Iterable[str], ask: Callable[[], str]) -> str:
        """Return what ``ask`` does, which follows from nothing but what is in some folders; ask only if that is new."""
        folders = sorted(set(folders))
        name = " ".join(folders)
        mark, youngest = _inside(folders)
        known, text = self._answers.get(name, ("", ""))
        if known == mark:
            return text
        text = ask()
        if youngest < self._young:
            self._answers[name] = (mark, text)
            self._new += WORTH_TELLING
        return text

    @property
    def told(self) -> bool:
        """Whether what is remembered now differs enough from what was known that the next look should have it."""
        return self._new >= WORTH_TELLING

    def as_text(self) -> str:
        """Return all of it as one word after another, in ASCII."""
        packed = zlib.compress(marshal.dumps((self._addresses, self._watched, self._now, self._answers)), FAST)
        return f"{WRITER} {base64.b64encode(packed).decode()}"


def _mark(status: os.stat_result) -> Mark:
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _inside(folders: Iterable[str]) -> tuple[str, int]:
    """Return a digest of what everything in some folders is, and when the youngest of it changed, in ns."""
    found: list[object] = []
    youngest = 0
    pending = list(folders)
    while pending:
        path = pending.pop()
        try:
            marks = [os.lstat(path)]
            if stat.S_ISLNK(marks[0].st_mode):
                marks.append(os.stat(path))
            if stat.S_ISDIR(marks[0].st_mode):
                pending += [os.path.join(path, name) for name in sorted(os.listdir(path))]
        except OSError as problem:
            found.append((path, problem.errno))
            continue
        found.append((path, [_mark(one) for one in marks]))
        youngest = max(youngest, *(one.st_ctime_ns for one in marks))
    return hashlib.sha256(repr(found).encode()).hexdigest(), youngest


def _mapped_for_writing() -> set[int] | None:
    """Return the inodes of files that a process can write to through its memory; None where one can't be asked."""
    found = set()
    for process in os.listdir("/proc"):
        if not process.isdigit():
            continue
        try:
            for fields in _mappings(process):
                if b"w" in fields[1] and b"s" in fields[1]:
                    found.add(int(fields[4]))
        except (FileNotFoundError, ProcessLookupError):
            continue  # It has ended, and what it had mapped was written before.
        except OSError:
            return None
    return found


def _mappings(process: str) -> Iterator[list[bytes]]:
    with open(f"/proc/{process}/maps", "rb") as stream:
        for line in stream:
            yield line.split(None, 5)
