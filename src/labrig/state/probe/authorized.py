"""Keys that let people in over SSH, by their fingerprints."""

from __future__ import annotations

import base64
import binascii
import glob
import hashlib
import os
import re
from typing import TYPE_CHECKING

from labrig.state.probe.machine import Unreadable
from labrig.state.probe.masking import looks_secret
from labrig.state.probe.text import written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labrig.state.probe.machine import Entries, Machine, Value

SETTINGS = "/etc/ssh/sshd_config"
USUAL = (".ssh/authorized_keys", ".ssh/authorized_keys2")

# An option: its name, and a value in quotes in which a backslash keeps a quote from ending it.
OPTION = re.compile(r'([A-Za-z0-9-]+)(?:="((?:[^"\\]|\\.)*)")?(,|\s+|$)')
TYPE = re.compile(r"(ssh|ecdsa|sk-ssh|sk-ecdsa|rsa|webauthn)-[\w.@-]+")


def read(machine: Machine) -> Entries:
    """Yield ``USER SHA256:...`` with the type, options and comment of each key, and keys of trusted authorities.

    Raises:
        Unreadable: The settings of the server can't be read.
    """
    try:
        settings = list(_settings(machine, SETTINGS, 0))
    except OSError as problem:
        raise Unreadable(f"{SETTINGS}: {problem.strerror}") from None
    patterns = [word for name, words in settings if name == "authorizedkeysfile" for word in words]
    # The default holds unless a line outside of every Match sets another one; a Match adds what it may lead to.
    if not any(name == "authorizedkeysfile" for name, _ in _before_match(settings)):
        patterns += USUAL
    found: dict[str, Value] = {}
    for line in machine.text("/etc/passwd").splitlines():
        fields = line.split(":")
        if len(fields) == 7:
            for path in dict.fromkeys(_expanded(pattern, fields[0], fields[2], fields[5]) for pattern in patterns):
                if path:
                    found.update(_file(machine, fields[0], path))
    for name, words in settings:
        if name == "trustedusercakeys" and words and words[0].lower() != "none":
            found.update(_file(machine, "TrustedUserCAKeys", words[0]))
    for key in sorted(found):
        yield written(key.encode("utf-8", "surrogateescape")), found[key]


def _settings(machine: Machine, path: str, depth: int) -> Iterator[tuple[str, list[str]]]:
    for line in machine.text(path).splitlines():
        words = line.strip().replace("=", " ", 1).split()
        if not words or words[0].startswith("#"):
            continue
        name, values = words[0].lower(), [word.strip('"') for word in words[1:]]
        if name == "include" and depth < 16:
            for pattern in values:
                root = os.fsdecode(machine.root)
                for inner in sorted(glob.glob(root + os.path.join("/etc/ssh", pattern))):
                    yield from _settings(machine, inner[len(root) :], depth + 1)
        else:
            yield name, values


def _before_match(settings: list[tuple[str, list[str]]]) -> Iterator[tuple[str, list[str]]]:
    for name, words in settings:
        if name == "match":
            return
        yield name, words


def _expanded(pattern: str, user: str, number: str, home: str) -> str:
    if pattern.lower() == "none":
        return ""
    tokens = {"%%": "%", "%h": home, "%u": user, "%U": number}
    path = re.sub(r"%[%huU]", lambda found: tokens[found.group()], pattern)
    return os.path.normpath(os.path.join("/", home, path))


def _file(machine: Machine, whose: str, path: str) -> dict[str, Value]:
    # A home on another machine may be out of reach, and looking there would hang.
    if not machine.is_local(os.fsencode(path)):
        return {}
    try:
        text = machine.text(path)
    except NotADirectoryError:
        return {}  # /dev/null as a home
    except OSError as problem:
        return {f"{whose} {path}": {"unreadable": problem.strerror or str(problem)}}
    found: dict[str, Value] = {}
    for line in text.splitlines():
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            name, value = key(machine, stripped)
            found[f"{whose} {name}"] = {**value, "file": path}
    return found


def key(machine: Machine, line: str) -> tuple[str, Value]:
    """Return the fingerprint of a line's key and what else it says; a line that holds no key is told by its hash.

    What stands in such a line is not shown: it may be a private key in the wrong place.
    """
    options: dict[str, str] = {}
    rest = line
    while not TYPE.match(rest):
        option = OPTION.match(rest)
        if option is None:
            return _malformed(line)
        name, text, end = option.groups()
        options[name.lower()] = _option(machine, name.lower(), text)
        rest = rest[option.end() :].lstrip()
        if end != ",":
            break
    kind, encoded, comment = [*rest.split(None, 2), "", "", ""][:3]
    try:
        blob = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return _malformed(line)
    length = int.from_bytes(blob[:4], "big")
    if not TYPE.fullmatch(kind) or blob[4 : 4 + length] != kind.encode() or len(blob) <= 4 + length:
        return _malformed(line)
    fingerprint = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    value: Value = {"key_type": kind, "comment": comment.strip()}
    if options:
        value["key_options"] = options
    return "SHA256:" + fingerprint, value


def _option(machine: Machine, name: str, text: str | None) -> str:
    if text is None:
        return "on"
    if name == "environment" and looks_secret(text.partition("=")[0]):
        return text.partition("=")[0] + "=<set>"
    return machine.own_text(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


def _malformed(line: str) -> tuple[str, Value]:
    digest = hashlib.sha256(line.encode("utf-8", "surrogateescape")).hexdigest()[:12]
    return f"malformed line {digest}", {"length": len(line)}
