"""A state as a value: what a machine was found to be, read from JSON lines and written back.

The format, one JSON object a line: a header ``{"schema": "labrig.state/1", "hostname": ..., ...}``; for each
entry ``{"dimension", "key", "value"}`` in a stable order; ``{"dimension", "unreadable": reason}`` for what
could not be read; and ``{"end": true, "entries": N}``, without which a state is incomplete.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from labrig.errors import EnvironmentFailed
from labrig.state.entries import Entries, ForeignState, Key, Value
from labrig.state.entries import shortened as _shortened

__all__ = ["SCHEMA", "ForeignState", "Key", "State", "TruncatedState", "Value"]

SCHEMA = "labrig.state/1"

Record = dict[str, Any]


class TruncatedState(EnvironmentFailed):
    """A state ends early: the connection broke, or the file is not whole."""


@dataclass(frozen=True)
class State:
    """Everything that was found on one machine.

    Attributes:
        header: What the probe says of the machine: hostname, system, own addresses, what was left out.
        entries: (dimension, key) to value, a dimension's in the order in which they were read. Those that were read
            from lines are parsed when they are looked at.
        unreadable: Dimension to the reason why it, or a part of it, could not be read.
    """

    header: Mapping[str, Any] = field(default_factory=dict)
    entries: Mapping[Key, Value] = field(default_factory=dict)
    unreadable: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, lines: Iterable[str | bytes], *, source: str = "the state") -> State:
        """Return the state that ``lines`` hold; ``source`` is what messages call it.

        Raises:
            ForeignState: A line is not a record of a state of this version.
            TruncatedState: The end is missing, or says another number of entries than were read.
        """
        entries = Entries(source)
        records = _records(lines, source, entries.take)
        header = _header(next(records, None), source)
        unreadable: dict[str, str] = {}
        for number, record in records:
            match record:
                case {"dimension": str(dimension), "key": str(key), "value": dict(value)}:
                    entries.add(dimension, key, value)
                case {"dimension": str(dimension), "unreadable": str(reason)}:
                    unreadable[dimension] = reason
                case {"end": True, "entries": int(count)} if count == len(entries):
                    return cls(header, entries, unreadable)
                case {"end": True, "entries": count}:
                    raise TruncatedState(
                        f"{source} says that it holds {count} entries, but {len(entries)} were read",
                        hint="Capture it again.",
                    )
                case _:
                    raise ForeignState(
                        f"{source}, line {number}: expected an entry, found {_shortened(json.dumps(record))}"
                    )
        raise TruncatedState(
            f"{source} ends after {len(entries)} entries without its last line", hint="Capture it again."
        )

    def lines(self) -> Iterator[str]:
        """Yield the lines that ``parse`` reads, without line ends."""
        encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
        yield encode({"schema": SCHEMA, **self.header})
        for dimension, reason in self.unreadable.items():
            yield encode({"dimension": dimension, "unreadable": reason})
        for (dimension, key), value in self.entries.items():
            yield encode({"dimension": dimension, "key": key, "value": dict(value)})
        yield encode({"end": True, "entries": len(self.entries)})


def whole(lines: Iterable[str], *, source: str = "the state") -> Iterator[str]:
    """Yield the lines of a state as they come, and raise where it is not whole; nothing of it is held.

    Raises:
        ForeignState: As for ``State.parse``.
        TruncatedState: Likewise.
    """
    passing: list[str] = []
    entries = 0
    ended = False

    def tapped() -> Iterator[str]:
        for line in lines:
            passing[:] = [line]
            yield line

    records = _records(tapped(), source)
    _header(next(records, None), source)
    yield from passing
    for number, record in records:
        match record:
            case {"dimension": str(), "key": str(), "value": dict()}:
                entries += 1
            case {"dimension": str(), "unreadable": str()}:
                pass
            case {"end": True, "entries": int(count)}:
                ended = count == entries
            case _:
                raise ForeignState(
                    f"{source}, line {number}: expected an entry, found {_shortened(json.dumps(record))}"
                )
        yield passing[0]
        if ended:
            return
    raise TruncatedState(f"{source} ends after {entries} entries without its last line", hint="Capture it again.")


def _header(first: tuple[int, Record] | None, source: str) -> Record:
    if first is None:
        raise TruncatedState(f"{source} is empty")
    _, header = first
    schema = header.pop("schema", None)
    if schema == SCHEMA:
        return header
    if isinstance(schema, str) and schema.startswith("labrig.state/"):
        raise ForeignState(
            f"{source} has the version {schema}, this labrig reads {SCHEMA}", hint="Capture it again with this labrig."
        )
    raise ForeignState(f"{source}, line 1: expected the header of a state, found {_shortened(json.dumps(header))}")


def _records(
    lines: Iterable[str | bytes], source: str, taken: Callable[[str | bytes], bool] | None = None
) -> Iterator[tuple[int, Record]]:
    """Yield the number and the record of each line after the first that ``taken`` does not take for its own."""
    numbered = enumerate(lines, start=1)
    for number, line in numbered:
        if taken and number > 1 and taken(line):
            continue
        try:
            record = json.loads(line)
        except ValueError:
            if number > 1 and next(numbered, None) is None:
                raise TruncatedState(
                    f"{source} ends in the middle of line {number}: {_shortened(line)}", hint="Capture it again."
                ) from None
            raise ForeignState(f"{source}, line {number}: expected JSON, found {_shortened(line)}") from None
        if not isinstance(record, dict):
            raise ForeignState(f"{source}, line {number}: expected an object, found {_shortened(line)}")
        yield number, record
