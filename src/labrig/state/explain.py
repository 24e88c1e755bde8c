"""One plain sentence for each difference.

What is said follows from the two sides alone: who caused it is not guessed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from labrig.state.compare import Difference

# How a side reads at the end of "exists only ..."; any other name, a host for example, reads "on NAME".
PLACES = {"fresh": "on the fresh machine", "upgrade": "on the upgraded machine"}

CONTENT = frozenset({"sha256", "size", "canonical"})


def sentence(
    difference: Difference, *, left: str = "fresh", right: str = "upgrade", in_production: bool | None = None
) -> str:
    """Return what a difference is, for a person to read.

    Args:
        difference: From ``compare``.
        left: The name of the left side: ``fresh``, ``before``, or a host.
        right: The name of the right side: ``upgrade``, ``after``, or a host.
        in_production: Whether the machine had the entry before it was upgraded; None where that is not known.

    >>> sentence(Difference("file", "/etc/a", {"mode": "0644"}, {"mode": "0600"}, ("mode",)))
    'file /etc/a: mode is 0644 on fresh and 0600 on upgrade'
    """
    sides = _Sides(left, right)
    if any("unreadable" in (side or {}) for side in (difference.left, difference.right)) and not difference.key:
        return _unread(difference, sides)
    if difference.left is None or difference.right is None:
        return _one_sided(difference, sides, in_production=in_production)
    said = "; ".join(_statements(difference, difference.left, difference.right, sides))
    owner = f" of package {difference.package}" if difference.package else ""
    return f"{_subject(difference, difference.left)}{owner}: {said}"


class _Sides:
    """The two sides by name, and how one speaks of them."""

    def __init__(self, left: str, right: str) -> None:
        self.left = left
        self.right = right
        self.in_time = (left, right) == ("before", "after")

    def only(self, *, on_left: bool) -> str:
        name = self.left if on_left else self.right
        return name if self.in_time else f"on {name}"

    def ways(self, left: str, right: str) -> str:
        where = (self.left, self.right) if self.in_time else (f"on {self.left}", f"on {self.right}")
        return f"{left} {where[0]} and {right} {where[1]}"

    def both(self, left: str, right: str) -> str:
        if self.in_time:
            return f"was {left} before and is {right} after"
        return f"is {left} on {self.left} and {right} on {self.right}"


def _subject(difference: Difference, value: Mapping[str, Any]) -> str:
    if "type" in difference.fields:
        return difference.key
    nouns = {"file": str(value.get("type", "file")), "socket": "listening socket", "id": "number of", **_NOUNS}
    return f"{nouns.get(difference.dimension, difference.dimension)} {difference.key}".strip()


_NOUNS = {
    "sudo": "sudo rule",
    "postgresql": "PostgreSQL",
    "mariadb": "MariaDB",
    "redis": "Redis",
    "container": "",  # Its keys begin with what it is.
}


def _unread(difference: Difference, sides: _Sides) -> str:
    on_left = difference.left is not None
    reason = (difference.left or difference.right or {}).get("unreadable")
    return f"dimension {difference.dimension} could not be read completely {sides.only(on_left=on_left)}: {reason}"


def _one_sided(difference: Difference, sides: _Sides, *, in_production: bool | None) -> str:
    on_left = difference.right is None
    value = (difference.left if on_left else difference.right) or {}
    told = {"package": ("version", "status"), "unit": ("enabled", "active"), "file": ("target",), **_TOLD}.get(
        difference.dimension, ()
    )
    facts = ", ".join(f"to {value[name]}" if name == "target" else str(value[name]) for name in told if value.get(name))
    subject = _subject(difference, value) + (f" ({facts})" if facts else "")
    if sides.in_time:
        return f"{subject} is gone after" if on_left else f"{subject} is new after"
    name = sides.left if on_left else sides.right
    said = f"{subject} exists only {PLACES.get(name, f'on {name}')}"
    if (sides.left, sides.right) != ("fresh", "upgrade"):
        return said
    if on_left:
        return f"{said}: the upgrade does not bring it"
    return f"{said}: {_ORIGIN[in_production]}"


_TOLD = {
    "authorized key": ("comment",),
    "postgresql": ("value",),
    "mariadb": ("value",),
    "container": ("state",),
}

_ORIGIN = {True: "left behind", False: "only the upgrade makes it", None: "a fresh deployment does not make it"}


def _statements(
    difference: Difference, left: Mapping[str, Any], right: Mapping[str, Any], sides: _Sides
) -> Iterator[str]:
    fields = set(difference.fields)
    if "type" in fields and difference.dimension == "file":
        yield sides.both(f"a {left.get('type')}", f"a {right.get('type')}")
        # Content against link target and the like: the type says it all; owner and mode may still differ.
        fields -= CONTENT | {"type", "target", "device"}
        fields -= {"mode"} if "mode" not in left or "mode" not in right else set()
    if fields & CONTENT:
        yield _content(left, right, sides)
        fields -= CONTENT
    # What follows from another field that differs says nothing more.
    for telling, implied in _IMPLIED.items():
        if telling in fields:
            fields -= implied
    for name in sorted(fields):
        say = _SAY.get(name)
        yield (
            say(left.get(name), right.get(name), sides)
            if say
            else f"{name} {sides.both(_shown(left.get(name)), _shown(right.get(name)))}"
        )


def _content(left: Mapping[str, Any], right: Mapping[str, Any], sides: _Sides) -> str:
    sizes = left.get("size"), right.get("size")
    if None in sizes or sizes[0] == sizes[1]:
        return "content differs"
    return f"content differs, its size {sides.both(f'{sizes[0]} bytes', f'{sizes[1]} bytes')}"


def _shown(value: object) -> str:
    if value is None or value == "":
        return "not set"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "empty"
    return str(value)


def _plain(left: object, right: object, sides: _Sides) -> str:
    return sides.both(_shown(left), _shown(right))


def _named(noun: str) -> Callable[[object, object, _Sides], str]:
    return lambda left, right, sides: f"{noun} {sides.both(_shown(left), _shown(right))}"


def _members(noun: str) -> Callable[[object, object, _Sides], str]:
    def say(left: object, right: object, sides: _Sides) -> str:
        here = left if isinstance(left, list) else []
        there = right if isinstance(right, list) else []
        parts = []
        for names, others, on_left in ((here, there, True), (there, here, False)):
            extra = ", ".join(name for name in names if name not in others)
            if extra:
                parts.append(f"{noun} {extra} only {sides.only(on_left=on_left)}")
        return "; ".join(parts) or f"{noun}: the same in another order"

    return say


def _cause(left: object, right: object, sides: _Sides) -> str:
    return f"installed {sides.ways(*('as a dependency' if side else 'on request' for side in (left, right)))}"


def _password(_left: object, _right: object, _sides: _Sides) -> str:
    return "the password, or its salt, differs"


def _unread_entry(left: object, right: object, sides: _Sides) -> str:
    if left and right:
        return f"could not be read: {sides.ways(str(left), str(right))}"
    return f"could not be read {sides.only(on_left=bool(left))}: {left or right}"


def _mapping(noun: str) -> Callable[[object, object, _Sides], str]:
    """Say of names with values each name that differs: ``column age is integer on fresh and text on upgrade``."""

    def say(left: object, right: object, sides: _Sides) -> str:
        here = left if isinstance(left, dict) else {}
        there = right if isinstance(right, dict) else {}
        parts = []
        for name in sorted(here.keys() | there.keys()):
            if name not in here or name not in there:
                parts.append(f"{noun} {name} only {sides.only(on_left=name in here)}")
            elif here[name] != there[name]:
                parts.append(f"{noun} {name} {sides.both(_shown(here[name]), _shown(there[name]))}")
        return "; ".join(parts[:5]) + (f"; and {len(parts) - 5} more" if len(parts) > 5 else "")

    return say


def _options(left: object, right: object, sides: _Sides) -> str:
    if isinstance(left, dict) or isinstance(right, dict):
        return _mapping("option")(left, right, sides)
    if isinstance(left, list) or isinstance(right, list):
        return _members("option")(left, right, sides)
    return f"options {sides.both(_shown(left), _shown(right))}"


def _labels(left: object, right: object, sides: _Sides) -> str:
    if isinstance(left, dict) or isinstance(right, dict):
        return _mapping("label")(left, right, sides)
    return f"labels {sides.both(_shown(left), _shown(right))}"


def _changed(what: str) -> Callable[[object, object, _Sides], str]:
    return lambda _left, _right, _sides: what


def _flag(said: str) -> Callable[[object, object, _Sides], str]:
    return lambda left, right, sides: f"{said} only {sides.only(on_left=bool(left) and not right)}"


def _superuser(left: object, right: object, sides: _Sides) -> str:
    return f"has the rights of root only {sides.only(on_left=bool(left) and not right)}"


_IMPLIED = {
    "active": {"sub"},
    "password": {"method", "fingerprint", "password_changed"},
    "method": {"fingerprint", "password_changed"},
    "fingerprint": {"password_changed"},
    "columns": {"column_order"},
    "definition": {"image_id"},
    "image": {"image_id", "digest", "image_outdated"},
    "digest": {"image_id", "image_outdated"},
}

_SAY: dict[str, Callable[[Any, Any, _Sides], str]] = {
    "active": _plain,
    "automatic": _cause,
    "enabled": _plain,
    "fingerprint": _password,
    "groups": _members("in group"),
    "members": _members("member"),
    "method": _named("hash method of the password"),
    "number": _plain,
    "programs": _named("its program"),
    "status": _plain,
    "sub": _named("its state"),
    "superuser": _superuser,
    "target": _named("link target"),
    "units": _named("its unit"),
    "unreadable": _unread_entry,
    "wanted": _named("selection"),
    # Accounts, and what lets people in.
    "administrators": _members("administrator"),
    "ignored": lambda left, right, sides: f"sudo does not read it: {sides.ways(_shown(left), _shown(right))}",
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
