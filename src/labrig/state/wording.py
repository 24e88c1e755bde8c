"""How each field of an entry is said, of two sides that differ in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# Of a longer value a sentence shows the part around what differs.
SHOWN = 80


class Sides:
    """The two sides by name, and how one speaks of them."""

    def __init__(self, left: str, right: str) -> None:
        self.left = left
        self.right = right
        self.in_time = (left, right) == ("before", "after")

    def only(self, *, on_left: bool) -> str:
        """Return where it is, if it is only there: ``on fresh``, ``before``."""
        name = self.left if on_left else self.right
        return name if self.in_time else f"on {name}"

    def ways(self, left: str, right: str) -> str:
        """Return ``LEFT on fresh and RIGHT on upgrade``."""
        where = (self.left, self.right) if self.in_time else (f"on {self.left}", f"on {self.right}")
        return f"{left} {where[0]} and {right} {where[1]}"

    def both(self, left: str, right: str) -> str:
        """Return ``is LEFT on fresh and RIGHT on upgrade``, or ``was LEFT before and is RIGHT after``."""
        if self.in_time:
            return f"was {left} before and is {right} after"
        return f"is {left} on {self.left} and {right} on {self.right}"


Say = Callable[[Any, Any, Sides], str]
"""Says how two values of a field differ, the left one first."""


def shortened(text: str) -> str:
    """Return a value of which a sentence shows no more than ``SHOWN`` characters."""
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."


def shown(value: object) -> str:
    """Return a value as a sentence has it."""
    if value is None or value == "":
        return "not set"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "empty"
    return str(value)


def _plain(left: object, right: object, sides: Sides) -> str:
    return sides.both(shown(left), shown(right))


def _named(noun: str) -> Say:
    return lambda left, right, sides: f"{noun} {sides.both(shown(left), shown(right))}"


def _members(noun: str) -> Say:
    def say(left: object, right: object, sides: Sides) -> str:
        here = left if isinstance(left, list) else []
        there = right if isinstance(right, list) else []
        parts = []
        for names, others, on_left in ((here, there, True), (there, here, False)):
            extra = ", ".join(name for name in names if name not in others)
            if extra:
                parts.append(f"{noun} {extra} only {sides.only(on_left=on_left)}")
        return "; ".join(parts) or f"{noun}: the same in another order"

    return say


def _cause(left: object, right: object, sides: Sides) -> str:
    return f"installed {sides.ways(*('as a dependency' if side else 'on request' for side in (left, right)))}"


def _password(_left: object, _right: object, _sides: Sides) -> str:
    return "the password, or its salt, differs"


def _unread_entry(left: object, right: object, sides: Sides) -> str:
    if left and right:
        return f"could not be read: {sides.ways(str(left), str(right))}"
    return f"could not be read {sides.only(on_left=bool(left))}: {left or right}"


# dpkg's names for what is neither installed nor gone.
STATUS = {
    "config-files": "removed but for its configuration files",
    "half-installed": "half installed",
    "half-configured": "installed but not configured to its end",
    "unpacked": "unpacked but not configured",
    "triggers-awaited": "installed, waits for another package's triggers",
    "triggers-pending": "installed, has triggers to run",
}


def _value(left: object, right: object, sides: Sides) -> str:
    here, there = shown(left), shown(right)
    start = max(0, next((at for at, (a, b) in enumerate(zip(here, there, strict=False)) if a != b), 0) - SHOWN // 2)
    if max(len(here), len(there)) > SHOWN and start:
        return f"value {sides.both(*(f'...{shortened(text[start:])}' for text in (here, there)))}"
    return f"value {sides.both(shortened(here), shortened(there))}"


# By what a mount is configured; anything else is the value of a setting.
_MOUNTED_BY = frozenset({"no", "fstab", "unit"})


def _configured(left: object, right: object, sides: Sides) -> str:
    if not _MOUNTED_BY.issuperset((left, right)):
        return f"the configured value {sides.both(shown(left), shown(right))}"
    return f"configured {sides.ways(*('by nothing' if side == 'no' else f'by {side}' for side in (left, right)))}"


def _status(left: object, right: object, sides: Sides) -> str:
    return sides.both(*(STATUS.get(str(side), shown(side)) for side in (left, right)))


def _selection(left: object, right: object, sides: Sides) -> str:
    if "hold" in (left, right):
        return f"held at its version only {sides.only(on_left=left == 'hold')}"
    return f"selection {sides.both(shown(left), shown(right))}"


def _only(words: str) -> Say:
    return lambda left, right, sides: f"{words} only {sides.only(on_left=bool(left) and not right)}"


def _attributes(left: object, right: object, sides: Sides) -> str:
    here, there = (side if isinstance(side, dict) else {} for side in (left, right))
    names = sorted(name for name in here.keys() | there.keys() if here.get(name) != there.get(name))
    return "; ".join(f"attribute {name} {sides.both(shown(here.get(name)), shown(there.get(name)))}" for name in names)


def _access_list(noun: str) -> Say:
    def say(left: object, right: object, sides: Sides) -> str:
        if left and right:
            return _members(noun)(left, right, sides)
        # Every list repeats the mode; what somebody added are the entries with a name.
        here, there = (
            [entry for entry in side if entry.split(":")[1]] if isinstance(side, list) else [] for side in (left, right)
        )
        return _members(noun)(here or left, there or right, sides)

    return say


def _capabilities(left: object, right: object, sides: Sides) -> str:
    return f"file capabilities differ: {sides.ways(shown(left), shown(right))}"


def _text(_left: object, _right: object, sides: Sides) -> str:
    return f"what its unit file and drop-ins say {'has changed' if sides.in_time else 'differs'}"


def _true(said: str) -> Say:
    return lambda left, _right, sides: f"{said} only {sides.only(on_left=bool(left))}"


def _stale(left: object, right: object, sides: Sides) -> str:
    here, there = ([str(reason) for reason in side] if isinstance(side, list) else [] for side in (left, right))
    parts = []
    for reasons, others, on_left in ((here, there, True), (there, here, False)):
        extra = [reason for reason in reasons if reason not in others]
        if extra:
            needs = "needed" if sides.in_time and on_left else "needs"
            parts.append(f"{needs} a restart {sides.only(on_left=on_left)}: {', '.join(extra)}")
    return "; ".join(parts)


def _applied(left: object, right: object, sides: Sides) -> str:
    # A live value that is another one tells more than one that is as it should be.
    on_left = left is False or (left is True and right is not False)
    said = "not the configured one" if False in (left, right) else "the configured one"
    return f"the live value is {said} only {sides.only(on_left=on_left)}"


def _lines(noun: str) -> Say:
    members = _members(noun)

    def say(left: object, right: object, sides: Sides) -> str:
        if isinstance(left, list) and isinstance(right, list) and sorted(left) == sorted(right):
            return f"the order of its {noun}s {'has changed' if sides.in_time else 'differs'}"
        return members(left, right, sides)

    return say


def _mapping(noun: str) -> Say:
    """Say of names with values each name that differs: ``column age is integer on fresh and text on upgrade``."""

    def say(left: object, right: object, sides: Sides) -> str:
        here = left if isinstance(left, dict) else {}
        there = right if isinstance(right, dict) else {}
        parts = []
        for name in sorted(here.keys() | there.keys()):
            if name not in here or name not in there:
                parts.append(f"{noun} {name} only {sides.only(on_left=name in here)}")
            elif here[name] != there[name]:
                parts.append(f"{noun} {name} {sides.both(shown(here[name]), shown(there[name]))}")
        return "; ".join(parts[:5]) + (f"; and {len(parts) - 5} more" if len(parts) > 5 else "")

    return say


def _options(left: object, right: object, sides: Sides) -> str:
    if isinstance(left, dict) or isinstance(right, dict):
        return _mapping("option")(left, right, sides)
    if isinstance(left, list) or isinstance(right, list):
        return _members("option")(left, right, sides)
    return f"options {sides.both(shown(left), shown(right))}"


def _labels(left: object, right: object, sides: Sides) -> str:
    if isinstance(left, dict) or isinstance(right, dict):
        return _mapping("label")(left, right, sides)
    return f"labels {sides.both(shown(left), shown(right))}"


def _changed(what: str) -> Say:
    return lambda _left, _right, _sides: what


def _flag(said: str) -> Say:
    return lambda left, right, sides: f"{said} only {sides.only(on_left=bool(left) and not right)}"


IMPLIED = {
    "active": {"sub"},
    "drop_ins": {"text"},
    "password": {"method", "fingerprint", "password_changed"},
    "method": {"fingerprint", "password_changed"},
    "fingerprint": {"password_changed"},
    "columns": {"column_order"},
    "definition": {"image_id"},
    "image": {"image_id", "digest", "image_outdated"},
    "digest": {"image_id", "image_outdated"},
}

_SAY: dict[str, Say] = {
    "acl": _access_list("access list entry"),
    "active": _plain,
    "attributes": _attributes,
    "applied": _applied,
    "configured": _configured,
    "crashes": _true("systemd starts it again and again"),
    "drop_ins": _lines("drop-in"),
    "elements": _members("element"),
    "executable": _plain,
    "hook": _named("hook and policy"),
    "live": _named("the live value"),
    "load": _named("its loading"),
    "reload_needed": _true("systemd has not read its changed files (daemon-reload)"),
    "result": _named("why it failed"),
    "rules": _lines("rule"),
    "schedule": _members("time"),
    "settings": _lines("setting"),
    "stale": _stale,
    "text": _text,
    "triggers": _named("what it starts"),
    "workers": _members("workers of user"),
    "automatic": _cause,
    "by": _named("who diverts"),
    "capabilities": _capabilities,
    "check": _named("its order among the checks at start"),
    "choices": _members("choice"),
    "default_acl": _access_list("default access list entry"),
    "elsewhere": _named("number of names outside of what was captured"),
    "enabled": _plain,
    "files": _members("in"),
    "fingerprint": _password,
    "groups": _members("in group"),
    "label": _named("SELinux label"),
    "locked": _members("marked by chattr as"),
    "members": _members("member"),
    "method": _named("hash method of the password"),
    "more": _named("number of further names"),
    "mounted": _only("mounted"),
    "names": _members("also named"),
    "number": _plain,
    "options": _members("option"),
    "owners": _members("asked by"),
    "programs": _named("its program"),
    "read_only": _only("mounted read-only, against its options,"),
    "seen": _only("seen by somebody"),
    "status": _status,
    "sub": _named("its state"),
    "superuser": _only("has the rights of root"),
    "target": _named("link target"),
    "to": _named("where to"),
    "units": _named("its unit"),
    "unreadable": _unread_entry,
    "value": _value,
    "versions": _members("version"),
    "ways": _members("way"),
    "wanted": _selection,
}

# The dimensions whose fields are told in words of their own where the names are the same.
_OF_ACCOUNTS_AND_SERVERS = frozenset(
    {"user", "group", "sudo", "authorized key", "postgresql", "mariadb", "redis", "container"}
)

_SAY_THERE: dict[str, Say] = {
    # Accounts, and what lets people in.
    "administrators": _members("administrator"),
    "ignored": lambda left, right, sides: f"sudo does not read it: {sides.ways(shown(left), shown(right))}",
    "key_options": _mapping("option"),
    "key_type": _named("type"),
    "list": _members("its list has"),
    "of": _members("it stands for"),
    "password_changed": _named("day when the password was set"),
    "password_inactive": _named("days in which an expired password can be changed"),
    "password_max": _named("days that the password is valid"),
    "password_min": _named("days before the password may be changed"),
    "password_must_change": _flag("the password must be changed at the next login"),
    "password_warn": _named("days of warning before the password expires"),
    "settings": _mapping("option"),
    "subgid": _named("count of subordinate groups"),
    "subuid": _named("count of subordinate users"),
    "tags": _members("tag"),
    # Databases.
    "accepts_connections": _flag("accepts connections"),
    "attributes": _members("attribute"),
    "character_type": _named("character type"),
    "checksums": _named("checksums of pages"),
    "column_grants": _mapping("grant on column"),
    "column_order": _changed("its columns stand in another order"),
    "column_type": _named("type"),
    "columns": _mapping("column"),
    "connection_limit": _named("limit of connections"),
    "constraints": _mapping("constraint"),
    "counts": _mapping("number of rows in"),
    "definition": _changed("its definition differs"),
    "grants": _members("grant"),
    "indexes": _mapping("index"),
    "inherits": _members("inherits from"),
    "labels": _labels,
    "locale_provider": _named("provider of the locale"),
    "locked": _flag("is locked"),
    "member_of": _members("member of"),
    "partitions": _mapping("partition"),
    "password_expired": _flag("the password has expired"),
    "plugins": _members("is let in by"),
    "policies": _mapping("policy"),
    "privileges": _mapping("privileges on"),
    "replica_identity": _named("replica identity"),
    "row_security": _named("row security"),
    "rules": _members("rule"),
    "template": _flag("is a template"),
    "triggers": _mapping("trigger"),
    "valid": _flag("is valid"),
    "waits_for_restart": _flag("waits for a restart of the server"),
    # Containers.
    "capabilities": _members("capability"),
    "devices": _members("device"),
    "environment": _mapping("variable"),
    "exit_code": _named("exit code"),
    "extra_hosts": _members("extra host"),
    "image_id": _changed("it is made from another build of the image"),
    "image_outdated": _flag("runs what its image was before, and has not been made anew,"),
    "limits": _mapping("limit"),
    "log_driver": _named("log driver"),
    "mounts": _members("mount"),
    "network_mode": _named("network mode"),
    "networks": _members("in network"),
    "options": _options,
    "ports": _members("published port"),
    "privileged": _flag("is privileged"),
    "read_only": _flag("its root is read-only"),
    "restart": _named("restart policy"),
    "security": _members("security option"),
    "subnets": _members("subnet"),
    "tmpfs": _members("tmpfs at"),
}


def words(dimension: str, field: str) -> Say | None:
    """Return what says how a field of a dimension differs; None where the field's name and both values say it."""
    own = _SAY_THERE.get(field) if dimension in _OF_ACCOUNTS_AND_SERVERS else None
    return own or _SAY.get(field)
