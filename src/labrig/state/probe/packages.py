"""Installed packages, and which package a file belongs to."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from labrig.state.probe.machine import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labrig.state.probe.machine import Entries, Machine

DPKG = "/var/lib/dpkg"
RPM_FIELDS = r"%{NAME}\t%{EPOCHNUM}:%{VERSION}-%{RELEASE}\t%{ARCH}\n"

# Debian's merged /usr: package lists still name the old places.
MERGED = (b"bin", b"sbin", b"lib", b"lib32", b"lib64", b"libx32")


def read(machine: Machine) -> Entries:
    """Yield packages by name, ``name:architecture`` for one of a foreign architecture, in the order of their keys."""
    if machine.text(DPKG + "/status"):
        return iter(sorted(_dpkg(machine)))
    return iter(sorted(_rpm(machine)))


def _dpkg(machine: Machine) -> Entries:
    native = _native(machine)
    automatic = _automatic(machine)
    for fields in _paragraphs(machine.text(DPKG + "/status")):
        wanted, _flag, status = ([*fields.get("Status", "").split(), "", "", ""])[:3]
        if status in ("", "not-installed"):
            continue
        name, architecture = fields["Package"], fields.get("Architecture", "")
        foreign = architecture not in (native, "all", "")
        yield (
            name + ":" + architecture if foreign else name,
            {
                "version": fields.get("Version", fields.get("Config-Version", "")),
                "architecture": architecture,
                "status": status,
                "wanted": wanted,
                "automatic": (name, native if architecture == "all" else architecture) in automatic,
            },
        )


def _native(machine: Machine) -> str:
    listed = machine.text(DPKG + "/arch").split()
    if listed:
        return listed[0]
    for fields in _paragraphs(machine.text(DPKG + "/status")):
        if fields.get("Package") == "dpkg":
            return fields.get("Architecture", "")
    return ""


def _automatic(machine: Machine) -> set[tuple[str, str]]:
    states = _paragraphs(machine.text("/var/lib/apt/extended_states"))
    return {
        (fields.get("Package", ""), fields.get("Architecture", ""))
        for fields in states
        if fields.get("Auto-Installed") == "1"
    }


def _paragraphs(text: str) -> Iterator[dict[str, str]]:
    for paragraph in text.split("\n\n"):
        fields = dict(
            line.split(": ", 1) for line in paragraph.splitlines() if ": " in line and not line.startswith((" ", "\t"))
        )
        if "Package" in fields:
            yield fields


def _rpm(machine: Machine) -> Entries:
    try:
        listed = machine.query("rpm", "-qa", "--qf", RPM_FIELDS)
    except Unreadable as problem:
        raise Unreadable(f"there is no dpkg database, and {problem}") from None
    versions: dict[str, list[str]] = {}
    for line in listed.splitlines():
        name, version, architecture = line.split("\t")
        # Several versions of one package, kernels for example, may be installed side by side.
        versions.setdefault(f"{name}:{architecture}", []).append(version)
    for key, found in versions.items():
        name, _, architecture = key.rpartition(":")
        yield key, {"version": " ".join(sorted(found)), "architecture": architecture, "status": "installed"}


def owners(machine: Machine) -> dict[bytes, str]:
    """Return path to package, by the lists of dpkg; empty without it.

    A path is where it really is: merged /usr and diversions are followed. What two packages list, as
    they do with most directories, is given to neither.
    """
    folder = machine.root + (DPKG + "/info").encode()
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(b".list"))
    except OSError:
        return {}
    merged = _merged(machine)
    diverted = _diversions(machine)
    found: dict[bytes, str] = {}
    for name in names:
        package = name[: -len(b".list")].partition(b":")[0].decode("utf-8", "replace")
        try:
            with open(folder + b"/" + name, "rb") as stream:
                paths = stream.read().split(b"\n")
        except OSError:
            continue
        for path in paths:
            place, by = diverted.get(path, (path, package))
            if by == package:
                place = path
            head = place[1 : place.find(b"/", 1)]
            if head in merged:
                place = b"/usr" + place
            # Architectures of one package share files; anything else two packages list is a directory.
            if found.setdefault(place, package) != package:
                found[place] = ""
    return {path: package for path, package in found.items() if package}


def _merged(machine: Machine) -> set[bytes]:
    return {name for name in MERGED if os.path.islink(machine.root + b"/" + name)}


def _diversions(machine: Machine) -> dict[bytes, tuple[bytes, str]]:
    lines = machine.text(DPKG + "/diversions").encode("utf-8", "surrogateescape").splitlines()
    return {lines[at]: (lines[at + 1], lines[at + 2].decode("utf-8", "replace")) for at in range(0, len(lines) - 2, 3)}
