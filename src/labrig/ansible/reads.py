"""What a recorded program looked at: the record as a value."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Reads:
    """What programs looked at; paths are absolute.

    Attributes:
        files: What was read; nothing that the programs themselves had written before.
        absent: What was looked for in vain.
        folders: Whose content was listed, with a digest of the names that were found; empty for more than one.
        variables: Which variables of the environment were asked for; ``*`` for all.
        wrote: What was opened for writing.
        programs: The programs that were started, each with its arguments, quoted as for a shell.
        addresses: What was connected to: host names, IP addresses, paths of sockets.
    """

    files: frozenset[str] = frozenset()
    absent: frozenset[str] = frozenset()
    folders: Mapping[str, str] = field(default_factory=dict)
    variables: frozenset[str] = frozenset()
    wrote: frozenset[str] = frozenset()
    programs: frozenset[str] = frozenset()
    addresses: frozenset[str] = frozenset()

    def __or__(self, other: Reads) -> Reads:
        """Return what either looked at."""
        folders = {**self.folders, **other.folders}
        for path in self.folders.keys() & other.folders.keys():
            if self.folders[path] != other.folders[path]:
                folders[path] = ""
        return Reads(
            self.files | other.files,
            self.absent | other.absent,
            folders,
            self.variables | other.variables,
            self.wrote | other.wrote,
            self.programs | other.programs,
            self.addresses | other.addresses,
        )


def parse(lines: Iterable[str]) -> Reads:
    """Return what the lines of a record tell; a half-written last line, as of a killed program, is left out."""
    found: dict[str, set[str]] = {kind: set() for kind in _KINDS}
    folders: dict[str, str] = {}
    for line in lines:
        try:
            kind, what, *more = json.loads(line)
        except ValueError:
            continue
        if kind == "listed":
            folders[what] = more[0] if folders.get(what, more[0]) == more[0] else ""
        elif kind not in ("read", "absent"):
            found[kind].add(what)
        elif kind == "absent" and what.endswith(".pyc"):
            # Byte code may come and go.
            continue
        elif _source(what) not in found["write"]:
            found[kind].add(_source(what))
    read, absent, *others = (frozenset(found[kind]) for kind in _KINDS)
    return Reads(read, absent, folders, *others)


_KINDS = ("read", "absent", "variable", "write", "program", "connect")


def _source(path: str) -> str:
    """Return the source of byte code: it is what decides."""
    if path.endswith(".pyc"):
        try:
            return importlib.util.source_from_cache(path)
        except ValueError:
            return path
    return path
