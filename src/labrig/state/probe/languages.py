"""Packages that a language's own tool installed, not dpkg: Python distributions, global modules of npm, Ruby gems."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

from labrig.state.probe.files import noticed
from labrig.state.probe.machine import OPEN_FLAGS
from labrig.state.probe.packages import owners
from labrig.state.probe.text import written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labrig.state.probe.machine import Entries, Machine

    Found = tuple[str, str, str, bytes]

PYTHON = re.compile(rb"(?P<name>.+?)-(?P<version>[^-]+)(-py[\d.]+)?\.(dist|egg)-info")
GEM = re.compile(rb"(?P<name>.+)-(?P<version>\d[^-]*)(-[a-z][\w-]*)?\.gemspec")

# A description of one package, not a place for data.
DESCRIPTION_LIMIT = 1 << 20


def read(machine: Machine) -> Entries:
    """Yield ``KIND NAME in FOLDER`` with the ``versions`` that are there; KIND is python, npm or gem.

    Those that belong to a package of the system are left out, and so are the modules that an application of Node.js
    keeps in a folder of its own: they are files.
    """
    owner_of = owners(machine)
    cut = len(machine.root)
    found: dict[str, set[str]] = {}
    for path in noticed(machine).records:
        for kind, name, version, record in _packages(path):
            if record[cut:] not in owner_of:
                place = written(os.path.dirname(path)[cut:])
                found.setdefault(f"{kind} {name} in {place}", set()).add(version)
    for key in sorted(found):
        yield key, {"versions": sorted(found[key])}


def _packages(path: bytes) -> Iterator[Found]:
    folder, name = os.path.split(path)
    if name.endswith((b".dist-info", b".egg-info")):
        yield _python(path, name)
    elif name.endswith(b".gemspec") and os.path.basename(folder) == b"specifications":
        parsed = GEM.fullmatch(name)
        if parsed:
            yield "gem", written(parsed["name"]), written(parsed["version"]), path
    elif name == b"node_modules" and os.path.basename(folder) == b"lib":
        yield from _npm(path)


def _python(path: bytes, name: bytes) -> Found:
    parsed = PYTHON.fullmatch(name)
    if parsed:
        title, version = parsed["name"], written(parsed["version"])
    else:
        # An installation for development names no version here.
        title = name.rpartition(b".")[0]
        told = re.search(rb"^Version:[ \t]*(\S+)", _described(path + b"/PKG-INFO") or _described(path), re.MULTILINE)
        version = written(told[1]) if told else ""
    return "python", re.sub(r"[-_.]+", "-", written(title)).lower(), version, path


def _npm(folder: bytes) -> Iterator[Found]:
    for name in _listed(folder):
        inside = [name + b"/" + module for module in _listed(folder + b"/" + name)] if name.startswith(b"@") else [name]
        for module in inside:
            if os.path.islink(folder + b"/" + module):
                yield "npm", written(module), "linked to " + written(os.readlink(folder + b"/" + module)), folder
                continue
            record = folder + b"/" + module + b"/package.json"
            try:
                version = str(json.loads(_described(record)).get("version", ""))
            except (ValueError, AttributeError):
                version = ""
            if os.path.lexists(record):
                yield "npm", written(module), version, record


def _listed(folder: bytes) -> list[bytes]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _described(path: bytes) -> bytes:
    try:
        descriptor = os.open(path, OPEN_FLAGS)
    except OSError:
        return b""
    try:
        return os.read(descriptor, DESCRIPTION_LIMIT)
    except OSError:
        return b""  # It is a directory.
    finally:
        os.close(descriptor)
