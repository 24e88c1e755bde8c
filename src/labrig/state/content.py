r"""What differs between two contents, as a person reads it: pure.

>>> difference("/etc/x.conf", b"port = 80\n", b"port = 81\n").changes
(Change(at='port', left='80', right='81'),)
"""

from __future__ import annotations

import difflib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from labrig.state.secrets import Mask
from labrig.state.structure import structure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from labrig.state.structure import Place, Structure

# What a difference shows at most.
LINES = 400
LINE_LENGTH = 300
CHARACTERS = 64 << 10
CHANGES = 100
VALUE_LENGTH = 200
# Comparing line by line takes longer than in proportion: of more lines that differ, only the first are looked at.
COMPARED_LINES = 4000


@dataclass(frozen=True)
class Change:
    """One value that is not the same in two structured files.

    Attributes:
        at: Where it stands, outermost name first: ``server.listen``, ``[mysqld] port``.
        left: The value there, masked where it looks like a secret; None where there is none.
        right: Likewise.
    """

    at: str
    left: str | None
    right: str | None


@dataclass(frozen=True)
class ContentDiff:
    """The difference of two contents, of bounded size, with what looks like a secret masked.

    Attributes:
        form: ``text`` has lines, ``structure`` has lines and changes, ``binary`` has neither.
        lines: A unified diff without its two lines of file names.
        changes: The values that differ, where the structure of the file is known.
        summary: Sizes and types of binary contents, or what was cut off; one sentence, or empty.
    """

    form: Literal["text", "structure", "binary"]
    lines: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    summary: str = ""


def difference(path: str, left: bytes | None, right: bytes | None) -> ContentDiff:
    """Return how two contents of one file differ; None is a side that does not have the file.

    Args:
        path: The file's path, from which its form may be known.
        left: The content on the left side.
        right: Likewise.
    """
    texts = [None if content is None else _text(content) for content in (left, right)]
    if any(text is None and content is not None for text, content in zip(texts, (left, right), strict=True)):
        return ContentDiff("binary", summary=_binary(left, right))
    mask = Mask()
    lines, summary = _lines(*mask.texts(*(text or "" for text in texts)))
    if texts[0] is None or texts[1] is None:
        return ContentDiff("text", lines, summary=summary)
    structures = [structure(path, text) for text in texts if text is not None]
    if structures[0] is None or structures[1] is None or not any(structures):
        return ContentDiff("text", lines, summary=summary)
    changes = list(_changes(structures[0], structures[1], mask))
    if len(changes) > CHANGES:
        summary = "; ".join(filter(None, [summary, f"{len(changes) - CHANGES} more settings differ"]))
    elif not changes:
        summary = "; ".join(filter(None, [summary, "every setting is the same: only how it is written differs"]))
    return ContentDiff("structure", lines, tuple(changes[:CHANGES]), summary)


def unknown(reason: str) -> ContentDiff:
    """Return what stands for a difference that cannot be shown; ``reason`` is a sentence."""
    return ContentDiff("text", summary=reason)


def _text(content: bytes) -> str | None:
    """Return a content as text; None if it is none."""
    if b"\0" in content or _magic(content):
        return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
        strange = sum((char < " " and char not in "\t\n\r\f\x1b") or "\x7f" <= char < "\xa0" for char in text)
        return text if strange * 50 <= len(text) else None


def _lines(left: str, right: str) -> tuple[tuple[str, ...], str]:
    here, there = (_split(text) for text in (left, right))
    start, here, there, cut = _differing(here, there)
    shown: list[str] = []
    total = dropped = 0
    for line in list(difflib.unified_diff(here, there, lineterm="", n=3))[2:]:
        found = _numbered(line, start) if line.startswith("@@") else _shown(line)
        if len(shown) >= LINES or total + len(found) > CHARACTERS:
            dropped += 1
            continue
        shown.append(found)
        total += len(found)
    notes = [f"{dropped} more lines are not shown"] if dropped else []
    if cut:
        notes.append(f"only the first {COMPARED_LINES} lines that differ are compared")
    return tuple(shown), "; ".join(notes)


def _split(text: str) -> list[str]:
    if not text:
        return []
    lines = text.split("\n")
    if lines[-1] == "":
        return lines[:-1]
    lines[-1] += "\x00"  # No line holds one: it stands for the missing end of the last line.
    return lines


def _differing(here: list[str], there: list[str], around: int = 3) -> tuple[int, list[str], list[str], bool]:
    """Return where the lines begin to differ, and the part of both sides from there to where they end to."""
    first = next((at for at, (one, other) in enumerate(zip(here, there, strict=False)) if one != other), None)
    if first is None:
        first = min(len(here), len(there))
    same = 0
    while same < min(len(here), len(there)) - first and here[-1 - same] == there[-1 - same]:
        same += 1
    start = max(0, first - around)
    parts = [side[start : max(start, len(side) - same + around)] for side in (here, there)]
    cut = any(len(part) > COMPARED_LINES for part in parts)
    return start, parts[0][:COMPARED_LINES], parts[1][:COMPARED_LINES], cut


def _numbered(header: str, start: int) -> str:
    """Return a header of a unified diff with its line numbers counted from the beginning of the file."""
    _, left, right, _ = header.split(" ", 3)
    moved = []
    for side in (left, right):
        line, comma, count = side[1:].partition(",")
        moved.append(f"{side[0]}{int(line) + start}{comma}{count}")
    return f"@@ {' '.join(moved)} @@"


def _shown(line: str) -> str:
    ended = not line.endswith("\x00")
    text = "".join(
        char if char == "\t" or char.isprintable() else char.encode("unicode_escape").decode()
        for char in line.removesuffix("\x00")
    )
    if len(text) > LINE_LENGTH:
        text = f"{text[:LINE_LENGTH]}... ({len(text) - LINE_LENGTH} more characters)"
    return text if ended else f"{text} (no newline at the end)"


def _changes(left: Structure, right: Structure, mask: Mask) -> Iterator[Change]:
    for place in dict.fromkeys([*left, *right]):
        here, there = left.get(place, []), right.get(place, [])
        if here == there:
            continue
        only_here, only_there = Counter(here) - Counter(there), Counter(there) - Counter(here)
        one, other = list(only_here.elements()), list(only_there.elements())
        at = _at(place)
        if not one and not other:
            yield Change(at, *(_limited(", ".join(mask.at(place, value) for value in side)) for side in (here, there)))
        for number in range(max(len(one), len(other))):
            # The first of one side stands against the first of the other: most often it is one that changed.
            yield Change(at, *(_value(place, side, number, mask) for side in (one, other)))


def _value(place: Place, side: Sequence[str], number: int, mask: Mask) -> str | None:
    return _limited(mask.at(place, side[number])) if number < len(side) else None


def _at(place: Place) -> str:
    said = ""
    for name in place:
        if not said:
            said = name
        elif name.startswith("["):
            said += name
        else:
            said += f" {name}" if place[0].startswith("[") and said == place[0] else f".{name}"
    return said


def _limited(value: str) -> str:
    return value if len(value) <= VALUE_LENGTH else f"{value[:VALUE_LENGTH]}..."


_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x7fELF", "ELF program or library"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"PK\x03\x04", "zip"),
    (b"\x89PNG", "PNG image"),
    (b"\xff\xd8\xff", "JPEG image"),
    (b"GIF8", "GIF image"),
    (b"\0\0\1\0", "icon"),
    (b"SQLite format 3\0", "SQLite database"),
    (b"!<arch>\ndebian", "Debian package"),
    (b"!<arch>\n", "static library"),
    (b"\xed\xab\xee\xdb", "RPM package"),
    (b"%PDF", "PDF"),
    (b"wOF2", "font"),
    (b"\xca\xfe\xba\xbe", "Java class"),
    (b"\xfe\xed\xfe\xed", "Java key store"),
    (b"REDIS0", "Redis database"),
    (b"LPKSHHRH", "journal"),
    (b"\x13\x57\x9a\xce", "GDBM database"),
    (b"\xce\x9a\x57\x13", "GDBM database"),
    (b"\xce\xfa\xed\xfe", "Mach-O"),
)


def _magic(content: bytes) -> str:
    if content[257:262] == b"ustar":
        return "tar"
    return next((name for start, name in _MAGIC if content.startswith(start)), "")


def _binary(left: bytes | None, right: bytes | None) -> str:
    said = ["none" if side is None else _described(side) for side in (left, right)]
    if left is not None and right is not None and len(left) == len(right):
        differing = sum(one != other for one, other in zip(left, right, strict=True))
        first = next((at for at, (one, other) in enumerate(zip(left, right, strict=True)) if one != other), 0)
        return f"{said[0]} against {said[1]}; {differing} bytes differ, the first at {first}"
    return f"{said[0]} against {said[1]}"


def _described(content: bytes) -> str:
    kind = _magic(content) or ("text" if _text(content) is not None else "binary data")
    return f"{kind}, {len(content)} bytes"
