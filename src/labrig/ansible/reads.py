"""What a recorded program looked at: the record as a value."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Reads:
    """What programs looked at; paths are absolute.

    Attributes:
        files: What was read, or looked for in vain; nothing that the programs themselves had written before.
        folders: Whose content was listed.
        variables: Which variables of the environment were asked for; ``*`` for all.
        wrote: What was opened for writing.
        programs: The programs that were started, each with its arguments, quoted as for a shell.
        addresses: What was connected to: host names, IP addresses, paths of sockets.
    """

    files: frozenset[str] = frozenset()
    folders: frozenset[str] = frozenset()
    variables: frozenset[str] = frozenset()
    wrote: frozenset[str] = frozenset()
    programs: frozenset[str] = frozenset()
    addresses: frozenset[str] = frozenset()

    def __or__(self, other: Reads) -> Reads:
        """Return what either looked at."""
        return Reads(
            self.files | other.files,
            self.folders | other.folders,
            self.variables | other.variables,
            self.wrote | other.wrote,
            self.programs | other.programs,
            self.addresses | other.addresses,
        )


def parse(lines: Iterable[str]) -> Reads:
    """Return what the lines of a record tell; a half-written last line, as of a killed program, is left out."""
    found: dict[str, set[str]] = {kind: set() for kind in ("read", "listed", "variable", "write", "program", "connect")}
    for line in lines:
        try:
            kind, what = json.loads(line)
        except ValueError:
            continue
        if kind in ("read", "absent"):
            source = _source(what)
            if source not in found["write"]:
                found["read"].add(source)
        else:
            found[kind].add(what)
    return Reads(*(frozenset(found[kind]) for kind in ("read", "listed", "variable", "write", "program", "connect")))


def _source(path: str) -> str:
    """Return the source of byte code: it is what decides, and byte code may come and go."""
    if path.endswith(".pyc"):
        try:
            return importlib.util.source_from_cache(path)
        except ValueError:
            return path
    return path
