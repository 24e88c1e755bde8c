"""Where apt takes packages from: its sources, the keys that it trusts, and its pins.

Both forms of sources, one line each and deb822, read the same. What apt would not understand stays in as it is.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from labrig.state.probe.openpgp import fingerprints
from labrig.state.probe.text import written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labrig.state.probe.machine import Entries, Machine, Value

    Source = tuple[str, Value]

FOLDER = "/etc/apt"
KEY_FOLDERS = ("/etc/apt/trusted.gpg.d", "/etc/apt/keyrings", "/usr/share/keyrings")

# apt leaves out files with other characters in their names.
READ_BY_APT = re.compile(r"[A-Za-z0-9_.-]+")

# The fields of deb822 that make up an entry; any other is an option of it.
OWN_FIELDS = frozenset({"types", "uris", "suites", "components", "enabled"})

# The names that the options of one line have in deb822.
OPTIONS = {"arch": "architectures", "lang": "languages", "target": "targets"}


def read(machine: Machine) -> Entries:
    """Yield ``source TYPE URI SUITE COMPONENT``, ``key FINGERPRINT`` and ``pin PACKAGE: PIN``."""
    found: dict[str, Value] = {}
    for path in [
        "/sources.list",
        *_names(machine, FOLDER + "/sources.list.d", (".list", ".sources"), "/sources.list.d/"),
    ]:
        text = machine.text(FOLDER + path)
        for key, value in deb822(text) if path.endswith(".sources") else one_line(text):
            found.setdefault("source " + key, value)
    for path in ["/preferences", *_names(machine, FOLDER + "/preferences.d", ("", ".pref"), "/preferences.d/")]:
        for key, value in pins(machine.text(FOLDER + path)):
            found.setdefault("pin " + key, value)
    for path in ["/etc/apt/trusted.gpg", *_key_files(machine)]:
        try:
            content = machine.read(path)
        except FileNotFoundError:
            continue
        for fingerprint in fingerprints(content) if content else ():
            files = found.setdefault("key " + fingerprint, {"files": []})["files"]
            files.append(written(os.fsencode(path)))
    for key in sorted(found):
        yield key, found[key]


def one_line(text: str) -> Iterator[Source]:
    """Yield the entries of lines like ``deb [signed-by=FILE] URI SUITE COMPONENT ...``."""
    for line in text.splitlines():
        said = line.partition("#")[0].strip()
        if not said:
            continue
        parsed = re.fullmatch(r"(deb|deb-src)\s+(?:\[([^]]*)\]\s*)?(\S+)\s+(\S+)\s*(.*)", said)
        if not parsed:
            yield "not understood: " + _shown(said), {}
            continue
        kind, options, uri, suite, components = parsed.groups()
        told = {}
        for option in (options or "").split():
            name, _, value = option.partition("=")
            bare = name.rstrip("+-")
            told[OPTIONS.get(bare.lower(), bare.lower()) + name[len(bare) :]] = value.split(",")
        yield from _entries([kind], [uri], [suite], components.split(), told)


def deb822(text: str) -> Iterator[Source]:
    """Yield the entries of paragraphs with ``Types``, ``URIs``, ``Suites`` and ``Components``."""
    for fields in stanzas(text):
        if fields.get("enabled", "yes").strip().lower() in ("no", "false", "without", "off", "disable"):
            continue
        if not fields.get("types") or not fields.get("uris") or not fields.get("suites"):
            yield (
                "not understood: " + _shown("; ".join(f"{name}: {value}" for name, value in sorted(fields.items()))),
                {},
            )
            continue
        told = {
            re.sub("-add$", "+", re.sub("-remove$", "-", name)): _signed_by(value)
            if name == "signed-by"
            else re.split(r"[\s,]+", value.strip())
            for name, value in fields.items()
            if name not in OWN_FIELDS and not name.startswith("x-")
        }
        yield from _entries(
            fields["types"].split(),
            fields["uris"].split(),
            fields["suites"].split(),
            fields.get("components", "").split(),
            told,
        )


def pins(text: str) -> Iterator[Source]:
    """Yield the pins of a file of preferences, each with its priority."""
    for fields in stanzas(text):
        for package in fields.get("package", "").split() or [""]:
            said = " ".join(fields.get("pin", "").split())
            yield _shown(f"{package}: {said}"), {"priority": fields.get("pin-priority", "").strip()}


def stanzas(text: str) -> Iterator[dict[str, str]]:
    """Yield paragraphs as field, in small letters, to value; lines that go on are joined, comments left out."""
    fields: dict[str, str] = {}
    name = ""
    for line in [*text.splitlines(), ""]:
        if line.startswith("#"):
            continue
        if not line.strip():
            if fields:
                yield fields
            fields, name = {}, ""
        elif line[0] in " \t" and name:
            fields[name] += "\n" + line.strip()
        else:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()


def _entries(
    kinds: list[str], uris: list[str], suites: list[str], components: list[str], told: dict[str, list[str]]
) -> Iterator[Source]:
    options = sorted(f"{name}={','.join(sorted(values))}" for name, values in told.items())
    for kind in kinds:
        for uri in uris:
            for suite in suites:
                for component in components or [""]:
                    place = re.sub(r"^(\w[\w+.-]*://)[^/@]*@", r"\1<login>@", uri).rstrip("/")
                    yield _shown(" ".join(filter(None, (kind, place, suite, component)))), {"options": options}


def _signed_by(value: str) -> list[str]:
    if "BEGIN PGP" not in value:
        return re.split(r"[\s,]+", value.strip())
    # In a field, an empty line of the armor is a line with a dot.
    armor = "\n".join("" if line == "." else line for line in value.strip().splitlines()) + "\n"
    return fingerprints(armor.encode("utf-8", "surrogateescape"))


def _key_files(machine: Machine) -> Iterator[str]:
    for folder in KEY_FOLDERS:
        yield from _names(machine, folder, (".gpg", ".asc", ".pgp"), folder + "/")


def _names(machine: Machine, folder: str, endings: tuple[str, ...], prefix: str) -> list[str]:
    try:
        names = sorted(os.fsdecode(name) for name in os.listdir(machine.root + folder.encode()))
    except FileNotFoundError:
        return []
    return [
        prefix + name
        for name in names
        if READ_BY_APT.fullmatch(name) and ("." + name.rpartition(".")[2] if "." in name else "") in endings
    ]


def _shown(text: str) -> str:
    return written(text.encode("utf-8", "surrogateescape"))
