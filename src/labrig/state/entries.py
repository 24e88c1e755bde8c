"""The entries of a state, each kept as the text it was read from until somebody looks at it.

Of two states of a hundred thousand entries nearly all are the same text: those are never parsed, and cost the memory
of their text alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, KeysView, Mapping
from dataclasses import dataclass
from sys import intern
from typing import Any

from labrig.errors import UsageError

Value = Mapping[str, Any]
Key = tuple[str, str]

# An entry as the probe writes it, with a key that needs no unescaping and a value without objects in it. Any other
# line is parsed at once.
_PLAIN = re.compile(
    r'\{"dimension":"([a-z0-9-]+)","key":"([^"\\\x00-\x1f]*)","value":(\{[^{}\x00-\x1f]*\})\}[\r\n]*', re.ASCII
)


class ForeignState(UsageError):
    """What was read is not a state, or one of a version that this labrig does not know."""


@dataclass(frozen=True)
class Paired:
    """One dimension of two states, laid side by side.

    Attributes:
        count: How many entries there are, those of both sides counted once.
        unread: How many are the same on both sides and could not be read.
        unequal: Key and both values of those that are not the same; None for a side that has none.
    """

    count: int
    unread: int
    unequal: tuple[tuple[str, Value | None, Value | None], ...]


class Entries(Mapping[Key, Value]):
    """(dimension, key) to value, a dimension's entries in the order in which they were read.

    A value that is not JSON raises ``ForeignState`` when it is looked at.
    """

    __slots__ = ("_held", "_source")

    def __init__(self, source: str = "the state") -> None:
        self._held: dict[str, dict[str, str | Value]] = {}
        self._source = source

    @classmethod
    def of(cls, entries: Mapping[Key, Value]) -> Entries:
        """Return the mapping itself if it is one of these, else one that holds the same."""
        if isinstance(entries, cls):
            return entries
        made = cls()
        for (dimension, key), value in entries.items():
            made.add(dimension, key, value)
        return made

    def add(self, dimension: str, key: str, value: Value) -> None:
        """Hold an entry."""
        self._held.setdefault(intern(dimension), {})[key] = value

    def take(self, line: str | bytes) -> bool:
        """Hold the entry of a line, unparsed; False, and nothing held, if it has to be parsed to tell what it is."""
        try:
            found = _PLAIN.fullmatch(line if isinstance(line, str) else line.decode("ascii"))
        except UnicodeDecodeError:
            return False
        if found is None:
            return False
        dimension, key, value = found.groups()
        held = self._held.get(dimension)
        if held is None:
            held = self._held[intern(dimension)] = {}
        held[key] = value
        return True

    @property
    def dimensions(self) -> KeysView[str]:
        """The names of the dimensions that have an entry."""
        return self._held.keys()

    def paired(self, other: Entries, dimension: str) -> Paired:
        """Return one dimension of these and others, side by side; what is equal as text is not parsed."""
        ours, theirs = self._held.get(dimension, {}), other._held.get(dimension, {})
        unread = 0
        unequal: list[tuple[str, Value | None, Value | None]] = []
        for key, text in ours.items():
            against = theirs.get(key)
            if text != against:
                left = self._parsed(dimension, key, text)
                right = None if against is None else other._parsed(dimension, key, against)
                if left != right:
                    unequal.append((key, left, right))
                    continue
            # Of a value, whether it has this field; of a text, whether it may.
            if "unreadable" in text and "unreadable" in self._parsed(dimension, key, text):
                unread += 1
        only_there = [key for key in theirs if key not in ours]
        unequal += ((key, None, other._parsed(dimension, key, theirs[key])) for key in only_there)
        return Paired(len(ours) + len(only_there), unread, tuple(unequal))

    def __getitem__(self, place: Key) -> Value:
        dimension, key = place
        return self._parsed(dimension, key, self._held[dimension][key])

    def __contains__(self, place: object) -> bool:
        return isinstance(place, tuple) and len(place) == 2 and place[1] in self._held.get(place[0], ())

    def __iter__(self) -> Iterator[Key]:
        return ((dimension, key) for dimension, held in self._held.items() for key in held)

    def __len__(self) -> int:
        return sum(map(len, self._held.values()))

    def __repr__(self) -> str:
        return f"<{len(self)} entries of {self._source}>"

    def _parsed(self, dimension: str, key: str, text: str | Value) -> Value:
        if not isinstance(text, str):
            return text
        try:
            value: Value = json.loads(text)
        except ValueError:
            raise ForeignState(
                f"{self._source}, entry {dimension} {key}: expected a value in JSON, found {shortened(text)}",
                hint="Capture it again.",
            ) from None
        return value


def shortened(line: str | bytes) -> str:
    """Return the start of a line, as messages show it."""
    text = line if isinstance(line, str) else line.decode("utf-8", "replace")
    return repr(text if len(text) <= 60 else text[:60] + "...")
