"""Files whose order or numbers mean nothing: their canonical form, so that they compare by what they say.

``FORMS`` is the one table, by path; ``form_of`` knows a format by its first bytes as well. A form takes the
content as bytes and the machine, and returns the canonical bytes; whatever it does not understand stays in as it
is, so that a real change always shows.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from labrig.state.probe.machine import Machine

    Form = Callable[[bytes, Machine], bytes]


def password(secret: str) -> dict[str, str]:
    """Return what may be said of a password field of shadow: its state, the method, and a short fingerprint.

    The fingerprint is 48 bits of a digest over method, salt and hash together; it tells two secrets apart and,
    because the salt is not given, is of no use for guessing the password.
    """
    if not secret:
        return {"password": "none"}
    if secret[0] in "!*":
        return {"password": "locked"}
    method = secret.split("$")[1] if secret.startswith("$") and secret.count("$") > 1 else "des"
    return {
        "password": "set",
        "method": method,
        "fingerprint": hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()[:12],
    }


def lines(content: bytes, _machine: Machine) -> bytes:
    """Lines in any order."""
    return b"\n".join(sorted(content.splitlines()))


def passwd(content: bytes, machine: Machine) -> bytes:
    """Users in any order, their number left out unless it is 0, their group by name."""

    def user(fields: list[str]) -> list[str]:
        name, secret, uid, gid, *rest = fields
        return [name, secret, uid if int(uid) == 0 else "", machine.group(int(gid)), *rest]

    return _colon_lines(content, 7, user)


def group(content: bytes, _machine: Machine) -> bytes:
    """Groups and their members in any order, their number left out unless it is 0."""

    def entry(fields: list[str]) -> list[str]:
        name, secret, gid, members = fields
        return [name, secret, gid if int(gid) == 0 else "", _sorted_names(members)]

    return _colon_lines(content, 4, entry)


def shadow(content: bytes, _machine: Machine) -> bytes:
    """Password states in any order, without the secrets and the day of the last change."""

    def user(fields: list[str]) -> list[str]:
        name, secret, _changed, *rest = fields
        said = password(secret)
        return [name, said["password"], said.get("method", ""), *rest]

    return _colon_lines(content, 9, user)


def gshadow(content: bytes, _machine: Machine) -> bytes:
    """Group passwords as states, administrators and members, all in any order."""

    def entry(fields: list[str]) -> list[str]:
        name, secret, administrators, members = fields
        return [name, password(secret)["password"], _sorted_names(administrators), _sorted_names(members)]

    return _colon_lines(content, 4, entry)


def subordinate(content: bytes, _machine: Machine) -> bytes:
    """Subordinate ranges in any order, by their length; where one starts depends on who came first."""
    return _colon_lines(content, 3, lambda fields: [fields[0], str(int(fields[2]))] if fields[1].isdigit() else fields)


def automatic_packages(content: bytes, _machine: Machine) -> bytes:
    """Apt's list of packages installed as a dependency, in any order; entries that say "not automatic" say nothing."""
    paragraphs = [paragraph.strip() for paragraph in content.split(b"\n\n")]
    return b"\n\n".join(sorted(paragraph for paragraph in paragraphs if not paragraph.endswith(b"Auto-Installed: 0")))


def paragraphs(content: bytes, _machine: Machine) -> bytes:
    """Paragraphs between empty lines, in any order."""
    return b"\n\n".join(sorted(paragraph.strip() for paragraph in content.split(b"\n\n")))


def sentinel(content: bytes, _machine: Machine) -> bytes:
    """Redis Sentinel's settings as they stand, without the random name that it gives itself and writes there."""
    return re.sub(rb"(?m)^(sentinel myid) [0-9a-f]{40}$", rb"\1", content)


def berkeley(content: bytes, _machine: Machine) -> bytes:
    """A file of Berkeley DB, such as postmap writes, without the random name on its pages and the time of postalias."""
    size = int.from_bytes(content[20:24], sys.byteorder)
    if size not in BERKELEY_PAGES:
        return content
    pages = bytearray(content)
    for start in range(0, len(pages), size):
        if content[start + 12 : start + 16] in BERKELEY:
            pages[start + 52 : start + 72] = bytes(20)
    return re.sub(rb"\d{10}(?=\0?\x01YP_LAST_MODIFIED)", b"", bytes(pages))


# The number on the pages that describe a hash table or a tree, 12 bytes from the start of the page.
BERKELEY = frozenset(number.to_bytes(4, sys.byteorder) for number in (0x061561, 0x053162))
BERKELEY_PAGES = frozenset(1 << power for power in range(9, 17))

FORMS: dict[str, Form] = {
    "/etc/passwd": passwd,
    "/etc/group": group,
    "/etc/shadow": shadow,
    "/etc/gshadow": gshadow,
    "/etc/subuid": subordinate,
    "/etc/subgid": subordinate,
    "/etc/shells": lines,
    "/etc/redis/sentinel.conf": sentinel,
    "/var/lib/apt/extended_states": automatic_packages,
    "/var/lib/dpkg/triggers/File": lines,
    "/var/lib/ucf/hashfile": lines,
    "/var/lib/ucf/registry": lines,
    "/var/cache/debconf/config.dat": paragraphs,
    "/var/cache/debconf/templates.dat": paragraphs,
}


def form_of(path: str, content: bytes) -> Form | None:
    """Return the form of a file, by its path or by what it starts with; None if it counts as it stands."""
    return berkeley if content[12:16] in BERKELEY else FORMS.get(path)


def _colon_lines(content: bytes, count: int, form: Callable[[list[str]], list[str]]) -> bytes:
    canonical = []
    for line in content.decode("utf-8", "surrogateescape").splitlines():
        fields = line.split(":")
        if len(fields) == count:
            with contextlib.suppress(ValueError):  # A number that is none: the line counts as it stands.
                fields = form(fields)
        canonical.append(":".join(fields))
    return "\n".join(sorted(canonical)).encode("utf-8", "surrogateescape")


def _sorted_names(names: str) -> str:
    return ",".join(sorted(names.split(",")))
