"""Users and groups by name, their passwords only as a state, and their numbers apart."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

from labrig.state.probe.canonical import password
from labrig.state.probe.text import written

if TYPE_CHECKING:
    from labrig.state.probe.machine import Entries, Machine, Value


# What stands in /etc/passwd and /etc/group where the password is in /etc/shadow and /etc/gshadow.
SHADOWED = "x"

# The fields of /etc/shadow that say how a password ages, in days; the last change stands before them.
AGEING = ("password_min", "password_max", "password_warn", "password_inactive")


def users(machine: Machine) -> Entries:
    """Yield the users of /etc/passwd with home, shell, groups and the state of their password."""
    secrets = _first("/etc/shadow", 9, machine)
    member_of: dict[str, list[str]] = {}
    for group in _table(machine, "/etc/group", 4):
        for member in filter(None, group[3].split(",")):
            member_of.setdefault(member, []).append(group[0])
    ranges = {kind: _ranges(machine, f"/etc/{kind}") for kind in ("subuid", "subgid")}
    found: dict[str, Value] = {}
    for name, secret, uid, gid, comment, home, shell in _table(machine, "/etc/passwd", 7):
        value: Value = {
            "comment": comment,
            "home": home,
            "shell": shell,
            "group": machine.group(int(gid)) if gid.isdigit() else gid,
            "groups": sorted(member_of.get(name, ())),
        }
        if uid.strip("0") == "":
            value["superuser"] = True
        shadow = secrets.get(name)
        field = shadow[1] if shadow and secret == SHADOWED else secret
        value.update(password(field))
        if "method" in value:
            value.update(machine.fingerprint(field))
        if shadow:
            value.update(_ageing(shadow))
        for kind, counts in ranges.items():
            if name in counts:
                value[kind] = counts[name]
        # Whoever looks a name up finds the first line that has it.
        found.setdefault(name, value)
    return _sorted(found)


def groups(machine: Machine) -> Entries:
    """Yield the groups of /etc/group with their members, administrators and the state of their password."""
    secrets = _first("/etc/gshadow", 4, machine)
    found: dict[str, Value] = {}
    for name, secret, _, members in _table(machine, "/etc/group", 4):
        shadow = secrets.get(name)
        field = shadow[1] if shadow and secret == SHADOWED else secret
        value: Value = {"members": sorted(filter(None, members.split(","))), **password(field)}
        if "method" in value:
            value.update(machine.fingerprint(field))
        if shadow and shadow[2]:
            value["administrators"] = sorted(filter(None, shadow[2].split(",")))
        found.setdefault(name, value)
    return _sorted(found)


def numbers(machine: Machine) -> Entries:
    """Yield the number of every user and group."""
    found: dict[str, Value] = {}
    for path, kind, count in (("/etc/passwd", "user", 7), ("/etc/group", "group", 4)):
        for line in _table(machine, path, count):
            found.setdefault(f"{kind} {line[0]}", {"number": line[2]})
    return _sorted(found)


def _ageing(shadow: list[str]) -> Value:
    changed, *ages, expires, _ = shadow[2:]
    value: Value = {name: days for name, days in zip(AGEING, ages) if days}  # noqa: B905 - Python 3.8
    if changed == "0":
        value["password_must_change"] = True
    elif changed:
        value["password_changed"] = _day(changed)
    if expires:
        value["expires"] = _day(expires)
    return value


def _day(days: str) -> str:
    try:
        return (datetime.date(1970, 1, 1) + datetime.timedelta(days=int(days))).isoformat()
    except (ValueError, OverflowError):
        return days  # As it stands: it is no number of days, or of one that no calendar has.


def _ranges(machine: Machine, path: str) -> dict[str, int]:
    """Return how many numbers each user may use for its own users or groups; where they start is chance."""
    counts: dict[str, int] = {}
    for name, _, count in _table(machine, path, 3):
        if count.isdigit():
            owner = machine.owner(int(name)) if name.isdigit() else name
            counts[owner] = counts.get(owner, 0) + int(count)
    return counts


def _first(path: str, count: int, machine: Machine) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in _table(machine, path, count):
        found.setdefault(line[0], line)
    return found


def _table(machine: Machine, path: str, count: int) -> list[list[str]]:
    lines = (line.split(":") for line in machine.text(path).splitlines())
    return [line for line in lines if len(line) == count]


def _sorted(found: dict[str, Value]) -> Entries:
    for name in sorted(found):
        yield written(name.encode("utf-8", "surrogateescape")), found[name]
