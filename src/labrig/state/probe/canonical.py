"""Files whose order or numbers mean nothing: their canonical form, so that they compare by what they say.

``FORMS`` is the one table. A form takes the content as bytes and the machine, and returns the canonical bytes;
whatever it does not understand stays in as it is, so that a real change always shows.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from labrig.state.probe.machine import Machine

    Form = Callable[[bytes, Machine], bytes]


def password(secret: str) -> dict[str, str]:
    """Return what may be said of a password field of shadow: its state, and the method of a hash that is there.

    An account that is locked may keep its hash behind the lock; then it has a method, too.
    """
    if not secret:
        return {"password": "none"}
    hashed = secret.lstrip("!")
    state = "set" if hashed == secret and not secret.startswith("*") else "locked"
    if hashed in ("", "x") or hashed.startswith("*"):
        return {"password": "locked"}
    method = hashed.split("$")[1] if hashed.startswith("$") and hashed.count("$") > 1 else "des"
    return {"password": state, "method": method}


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
    """Password states in any order, without the secrets and the day of the last change; 0 demands a change."""

    def user(fields: list[str]) -> list[str]:
        name, secret, changed, *rest = fields
        said = password(secret)
        return [name, said["password"], said.get("method", ""), changed if changed == "0" else "", *rest]

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


# A hash of the bytes could confirm a guess of a password in them; only the canonical form is told.
SECRET = frozenset({"/etc/shadow", "/etc/gshadow", "/etc/shadow-", "/etc/gshadow-"})

FORMS: dict[str, Form] = {
    "/etc/passwd": passwd,
    "/etc/group": group,
    "/etc/shadow": shadow,
    "/etc/gshadow": gshadow,
    "/etc/shadow-": shadow,
    "/etc/gshadow-": gshadow,
    "/etc/subuid": subordinate,
    "/etc/subgid": subordinate,
    "/etc/shells": lines,
    "/var/lib/apt/extended_states": automatic_packages,
    "/var/lib/dpkg/triggers/File": lines,
    "/var/lib/ucf/hashfile": lines,
    "/var/lib/ucf/registry": lines,
    "/var/cache/debconf/config.dat": paragraphs,
    "/var/cache/debconf/templates.dat": paragraphs,
}


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
