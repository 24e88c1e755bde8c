"""The probe's second entry: a look at a few things only, to be taken again and again; with contents if asked for."""

from __future__ import annotations

import base64
import json
import os
import stat
import sys
from typing import TYPE_CHECKING, Any

from labrig.state.probe import files
from labrig.state.probe.machine import OPEN_FLAGS, Machine, Unreadable
from labrig.state.probe.main import DIMENSIONS, SCHEMA
from labrig.state.probe.text import unwritten

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from labrig.state.probe.machine import Entries, Value


def records(request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a header, the entries that ``request["keys"]`` names by dimension, and the end.

    With ``contents``, a number of bytes, a file that is not larger has its ``content`` in base64, with own addresses
    replaced as for its hash.
    """
    machine = Machine({name: value for name, value in request.items() if name not in ("keys", "contents")})
    yield {"schema": SCHEMA}
    count = 0
    for name, keys in request["keys"].items():
        wanted = frozenset(keys)
        try:
            found = (
                _files(machine, keys, request.get("contents", 0)) if name == "file" else _some(machine, name, wanted)
            )
            for key, value in found:
                yield {"dimension": name, "key": key, "value": value}
                count += 1
        except Unreadable as problem:
            yield {"dimension": name, "unreadable": str(problem)}
        except Exception as problem:  # noqa: BLE001 - whatever one dimension meets, the others are still told
            yield {"dimension": name, "unreadable": f"{type(problem).__name__}: {problem}"}
    yield {"end": True, "entries": count}


def _some(machine: Machine, name: str, wanted: Collection[str]) -> Entries:
    return ((key, value) for key, value in DIMENSIONS[name](machine) if key in wanted)


def _files(machine: Machine, keys: Collection[str], limit: int) -> Entries:
    for key in sorted(set(keys)):
        path = machine.root + unwritten(key)
        try:
            status = os.lstat(path)
            value = files.entry(path, key, status, machine)
            if limit and stat.S_ISREG(status.st_mode) and status.st_size <= min(limit, files.WHOLE_LIMIT - 1):
                value.update(_content(path, status.st_size, machine))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as problem:
            value = {"unreadable": problem.strerror or str(problem)}
        yield key, value


def _content(path: bytes, size: int, machine: Machine) -> Value:
    descriptor = os.open(path, OPEN_FLAGS)
    try:
        found = os.read(descriptor, size)
    finally:
        os.close(descriptor)
    return {"content": base64.b64encode(machine.own_text(found)).decode("ascii")}


def main(arguments: list[str]) -> int:
    """Write what was asked for to standard output as JSON lines."""
    for record in records(json.loads(arguments[0])):
        sys.stdout.write(json.dumps(record) + "\n")
    return 0
