"""Installed packages, and which package a file belongs to."""

from __future__ import annotations

import functools
import os
import re
from typing import TYPE_CHECKING

from labrig.state.probe.machine import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from labrig.state.probe.machine import Entries, Machine

MD5_DIGITS, SHA256_DIGITS = 32, 64

DPKG = "/var/lib/dpkg"
INFO = b"/var/lib/dpkg/info/"
RPM_FIELDS = r"%{NAME}\t%{EPOCHNUM}:%{VERSION}-%{RELEASE}\t%{ARCH}\n"
RPM_FILES = r"[%{=NAME}\t%{FILEDIGESTS}\t%{FILENAMES}\n]"

# Debian's merged /usr: package lists still name the old places.
MERGED = (b"bin", b"sbin", b"lib", b"lib32", b"lib64", b"libx32")


# In a manifest, and below "Conffiles:" in dpkg's status.
SUM = re.compile(rb"[0-9a-f]{32}  ")
CONFFILE = re.compile(rb" (/.+?) ([0-9a-f]{32})( obsolete| remove-on-upgrade)*")


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
    if not versions:
        raise Unreadable("rpm is there but knows no package, and there is no dpkg database")
    for key, found in versions.items():
        name, _, architecture = key.rpartition(":")
        yield key, {"version": " ".join(sorted(found)), "architecture": architecture, "status": "installed"}


@functools.lru_cache(maxsize=1)  # Several dimensions ask.
def owners(machine: Machine) -> dict[bytes, str]:
    """Return path to package, by the lists of dpkg or by rpm; empty without either.

    A path is where it really is: merged /usr and diversions are followed. What two packages list, as
    they do with most directories, is given to neither.
    """
    real = _places(machine)
    found: dict[bytes, str] = {}
    for package, lines in _info(machine, b".list"):
        for path in lines:
            place = real(path, package)
            # Architectures of one package share files; anything else two packages list is a directory.
            if found.setdefault(place, package) != package:
                found[place] = ""
    for package, _, path in _rpm_files(machine):
        if found.setdefault(path, package) != package:
            found[path] = ""
    return {path: package for path, package in found.items() if package}


def manifest(machine: Machine) -> dict[bytes, bytes]:
    """Return path to the MD5 (dpkg) or SHA-256 (rpm) of what a package brought there, configuration files too."""
    real = _places(machine)
    found: dict[bytes, bytes] = {}
    for package, lines in _info(machine, b".md5sums"):
        for line in lines:
            if SUM.fullmatch(line[:34]):
                found[real(b"/" + line[34:], package)] = bytes.fromhex(line[:32].decode())
    package = ""
    for line in machine.text(DPKG + "/status").encode("utf-8", "surrogateescape").split(b"\n"):
        if line.startswith(b"Package: "):
            package = line[len(b"Package: ") :].decode("utf-8", "replace")
        elif line.startswith(b" /"):
            conffile = CONFFILE.fullmatch(line)
            if conffile:
                found.setdefault(real(conffile.group(1), package), bytes.fromhex(conffile.group(2).decode()))
    for _, digest, path in _rpm_files(machine):
        if len(digest) in (MD5_DIGITS, SHA256_DIGITS):
            found[path] = bytes.fromhex(digest)
    return found


def _rpm_files(machine: Machine) -> list[tuple[str, str, bytes]]:
    """Return package, digest and path of all that rpm installed; empty where dpkg has its files or rpm is not there.

    What can't be told here is told by the dimension of packages.
    """
    if machine.rpm_files is None:
        machine.rpm_files = []
        if machine.live and not os.path.isdir(machine.root + INFO):
            try:
                listed = machine.query("rpm", "-qa", "--qf", RPM_FILES)
            except Unreadable:
                listed = ""
            for line in listed.splitlines():
                package, digest, path = [*line.split("\t", 2), "", ""][:3]
                machine.rpm_files.append((package, digest, path.encode("utf-8", "surrogateescape")))
    return machine.rpm_files


def _info(machine: Machine, ending: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """Yield package name and lines of every file of dpkg's with this ending."""
    folder = machine.root + INFO
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(ending))
    except OSError:
        return
    for name in names:
        try:
            with open(folder + name, "rb") as stream:
                lines = stream.read().split(b"\n")
        except OSError:
            continue
        yield name[: -len(ending)].partition(b":")[0].decode("utf-8", "replace"), lines


def _places(machine: Machine) -> Callable[[bytes, str], bytes]:
    """Return a function that tells where a package's path really is."""
    merged = {name for name in MERGED if os.path.islink(machine.root + b"/" + name)}
    diverted = {origin: (target, by) for origin, target, by in diversions(machine.text(DPKG + "/diversions"))}

    def real(path: bytes, package: str) -> bytes:
        place, by = diverted.get(path, (path, package))
        if by == package:
            place = path
        if place[1 : place.find(b"/", 1)] in merged:
            place = b"/usr" + place
        return place

    return real


def diversions(text: str) -> list[tuple[bytes, bytes, str]]:
    """Return dpkg's diversions: what a file would be called, what it is called instead, and who keeps its name.

    The last is a package, or ``:`` for a diversion that an administrator made.
    """
    lines = text.encode("utf-8", "surrogateescape").splitlines()
    return [(lines[at], lines[at + 1], lines[at + 2].decode("utf-8", "replace")) for at in range(0, len(lines) - 2, 3)]
