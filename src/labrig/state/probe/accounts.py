"""Users and groups by name, their passwords only as a state, and their numbers apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labrig.state.probe.canonical import password
from labrig.state.probe.text import written

if TYPE_CHECKING:
    from labrig.state.probe.machine import Entries, Machine, Value


# What stands in /etc/passwd where the password is in /etc/shadow.
SHADOWED = "x"


def users(machine: Machine) -> Entries:
    """Yield the users of /etc/passwd with home, shell, groups and the state of their password."""
    secrets = {line[0]: line for line in _table(machine, "/etc/shadow", 9)}
    member_of: dict[str, list[str]] = {}
    for group in _table(machine, "/etc/group", 4):
        for member in filter(None, group[3].split(",")):
            member_of.setdefault(member, []).append(group[0])
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
        value.update(password(shadow[1] if shadow and secret == SHADOWED else secret))
        if shadow and shadow[7]:
            value["expires"] = shadow[7]
        found[name] = value
    return _sorted(found)


def groups(machine: Machine) -> Entries:
    """Yield the groups of /etc/group with their members."""
    return _sorted(
        {
            name: {"members": sorted(filter(None, members.split(",")))}
            for name, _, _, members in _table(machine, "/etc/group", 4)
        }
    )


def numbers(machine: Machine) -> Entries:
    """Yield the number of every user and group."""
    found: dict[str, Value] = {}
    for path, kind, count in (("/etc/passwd", "user", 7), ("/etc/group", "group", 4)):
        for line in _table(machine, path, count):
            found[f"{kind} {line[0]}"] = {"number": line[2]}
    return _sorted(found)


def _table(machine: Machine, path: str, count: int) -> list[list[str]]:
    lines = (line.split(":") for line in machine.text(path).splitlines())
    return [line for line in lines if len(line) == count]


def _sorted(found: dict[str, Value]) -> Entries:
    for name in sorted(found):
        yield written(name.encode("utf-8", "surrogateescape")), found[name]
