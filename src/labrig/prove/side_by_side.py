"""A unified diff as two columns with the changed words marked: pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest

# Two lines that have less in common are shown as one that went and one that came.
ALIKE = 0.4
# Longer lines are shown whole: to find what changed in them takes longer than a page may.
LONGEST = 600

_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@")
_WORDS = re.compile(r"\w+|\s+|[^\w\s]")


@dataclass(frozen=True)
class Cell:
    """One line of one side: its number, and its text in pieces, each with whether it changed."""

    number: int
    pieces: tuple[tuple[str, bool], ...]


@dataclass(frozen=True)
class Row:
    """What stands side by side; a row with neither side is a remark, or a gap between two places of the file."""

    left: Cell | None
    right: Cell | None
    changed: bool = False
    remark: str = ""


def rows(lines: Iterable[str]) -> tuple[Row, ...]:
    """Return the rows of a unified diff that has no lines of file names.

    >>> [row.changed for row in rows(["@@ -1,2 +1,2 @@", " same", "-port 80", "+port 8080"])]
    [False, True]
    """
    found: list[Row] = []
    removed: list[str] = []
    added: list[str] = []
    left = right = 1

    def flush() -> None:
        nonlocal left, right
        for before, after in zip_longest(removed, added):
            here, there = _marked(before, after)
            found.append(
                Row(
                    None if here is None else Cell(left, here),
                    None if there is None else Cell(right, there),
                    changed=True,
                )
            )
            left += here is not None
            right += there is not None
        removed.clear()
        added.clear()

    for line in lines:
        sign, text = line[:1], line[1:].removesuffix("\n")
        if sign == "-":
            if added:
                flush()
            removed.append(text)
            continue
        if sign == "+":
            added.append(text)
            continue
        flush()
        hunk = _HUNK.match(line)
        if hunk:
            if found:
                found.append(Row(None, None))
            left, right = int(hunk[1]), int(hunk[2])
        elif sign in (" ", "\n", ""):
            found.append(Row(Cell(left, ((text, False),)), Cell(right, ((text, False),))))
            left, right = left + 1, right + 1
        else:
            found.append(Row(None, None, remark=line.strip().lstrip("\\ ")))
    flush()
    return tuple(found)


Pieces = tuple[tuple[str, bool], ...]


def _marked(before: str | None, after: str | None) -> tuple[Pieces | None, Pieces | None]:
    if before is None or after is None or max(len(before), len(after)) > LONGEST:
        return _whole(before), _whole(after)
    here, there = _WORDS.findall(before), _WORDS.findall(after)
    matcher = SequenceMatcher(None, here, there, autojunk=False)
    if matcher.ratio() < ALIKE:
        return _whole(before), _whole(after)
    blocks = matcher.get_opcodes()
    return (
        _pieces(here, [(start, end, tag != "equal") for tag, start, end, _, _ in blocks]),
        _pieces(there, [(start, end, tag != "equal") for tag, _, _, start, end in blocks]),
    )


def _whole(text: str | None) -> Pieces | None:
    return None if text is None else ((text, False),)


def _pieces(words: Sequence[str], blocks: Iterable[tuple[int, int, bool]]) -> Pieces:
    return tuple(("".join(words[start:end]), changed) for start, end, changed in blocks if end > start)
