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

# Of a longer value a sentence shows the part around what differs.
SHOWN = 80


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
    files = (
        f"; {_own_files(difference)} {'differs' if difference.files == 1 else 'differ'} with it"
        if difference.files
        else ""
    )
    return f"{_subject(difference, difference.left)}{owner}: {said}{files}"


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
    if difference.dimension == "file" and "type" in difference.fields:
        return difference.key
    nouns = {"file": str(value.get("type", "file")), "socket": "listening socket", "id": "number of", **_NOUNS}
    return f"{nouns.get(difference.dimension, difference.dimension)} {difference.key}".strip()


def _unread(difference: Difference, sides: _Sides) -> str:
    on_left = difference.left is not None
    reason = (difference.left or difference.right or {}).get("unreadable")
    return f"dimension {difference.dimension} could not be read completely {sides.only(on_left=on_left)}: {reason}"


def _one_sided(difference: Difference, sides: _Sides, *, in_production: bool | None) -> str:
    on_left = difference.right is None
    value = (difference.left if on_left else difference.right) or {}
    told = [_fact(name, value[name]) for name in _FACTS.get(difference.dimension, ()) if value.get(name)]
    facts = ", ".join(filter(None, told))
    subject = _subject(difference, value) + (f" ({facts})" if facts else "")
    files = f", with {_own_files(difference)}" if difference.files else ""
    if sides.in_time:
        return f"{subject} is gone after{files}" if on_left else f"{subject} is new after{files}"
    name = sides.left if on_left else sides.right
    said = f"{subject} exists only {PLACES.get(name, f'on {name}')}{files}"
    if (sides.left, sides.right) != ("fresh", "upgrade"):
        return said
    if on_left:
        return f"{said}: the upgrade does not bring it"
    return f"{said}: {_ORIGIN[in_production]}"


# What a one-sided entry is called, and what is told of it.
_NOUNS = {
    "diversion": "dpkg's diversion of",
    "statoverride": "dpkg's override for",
    "debconf": "debconf's answer to",
    "language package": "",
    "firewall": "packet filter",
    "sysctl": "kernel setting",
    "cron": "scheduled job",
    "sudo": "sudo rule",
    "postgresql": "PostgreSQL",
    "mariadb": "MariaDB",
    "redis": "Redis",
    "container": "",  # Its keys begin with what it is.
}
_FACTS = {
    "package": ("version", "status", "wanted"),
    "unit": ("enabled", "active"),
    "file": ("target",),
    "mount": ("source", "type"),
    "alternative": ("mode", "target"),
    "diversion": ("to", "by"),
    "statoverride": ("owner", "group", "mode"),
    "debconf": ("value",),
    "apt": ("priority", "options"),
    "hard link": ("names",),
    "language package": ("versions",),
    "setting": ("configured",),
    "sysctl": ("configured", "live"),
    "cron": ("in",),
    "firewall": ("hook",),
    "authorized key": ("comment",),
    "postgresql": ("value",),
    "mariadb": ("value",),
    "container": ("state",),
}


def _fact(name: str, value: object) -> str:
    if name in ("target", "to"):
        return f"to {value}"
    if name == "in":
        return f"in {_shown(value)}"
    if name == "names":
        return f"and {_shown(value)}"
    if name == "status":
        return _STATUS.get(str(value), str(value))
    if name == "wanted":
        return "held" if value == "hold" else ""
    return _shortened(_shown(value))


def _shortened(text: str) -> str:
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."


def _own_files(difference: Difference) -> str:
    return "1 file of its own" if difference.files == 1 else f"{difference.files} files of its own"


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
        say = (_SAY_THERE.get(name) if difference.dimension in _OF_ACCOUNTS_AND_SERVERS else None) or _SAY.get(name)
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


# dpkg's names for what is neither installed nor gone.
_STATUS = {
    "config-files": "removed but for its configuration files",
    "half-installed": "half installed",
    "half-configured": "installed but not configured to its end",
    "unpacked": "unpacked but not configured",
    "triggers-awaited": "installed, waits for another package's triggers",
    "triggers-pending": "installed, has triggers to run",
}


def _value(left: object, right: object, sides: _Sides) -> str:
    here, there = _shown(left), _shown(right)
    start = max(0, next((at for at, (a, b) in enumerate(zip(here, there, strict=False)) if a != b), 0) - SHOWN // 2)
    if max(len(here), len(there)) > SHOWN and start:
        return f"value {sides.both(*(f'...{_shortened(text[start:])}' for text in (here, there)))}"
    return f"value {sides.both(_shortened(here), _shortened(there))}"


# By what a mount is configured; anything else is the value of a setting.
_MOUNTED_BY = frozenset({"no", "fstab", "unit"})


def _configured(left: object, right: object, sides: _Sides) -> str:
    if not _MOUNTED_BY.issuperset((left, right)):
        return f"the configured value {sides.both(_shown(left), _shown(right))}"
    return f"configured {sides.ways(*('by nothing' if side == 'no' else f'by {side}' for side in (left, right)))}"


def _status(left: object, right: object, sides: _Sides) -> str:
    return sides.both(*(_STATUS.get(str(side), _shown(side)) for side in (left, right)))


def _selection(left: object, right: object, sides: _Sides) -> str:
    if "hold" in (left, right):
        return f"held at its version only {sides.only(on_left=left == 'hold')}"
    return f"selection {sides.both(_shown(left), _shown(right))}"


def _only(words: str) -> Callable[[object, object, _Sides], str]:
    return lambda left, right, sides: f"{words} only {sides.only(on_left=bool(left) and not right)}"


def _attributes(left: object, right: object, sides: _Sides) -> str:
    here, there = (side if isinstance(side, dict) else {} for side in (left, right))
    names = sorted(name for name in here.keys() | there.keys() if here.get(name) != there.get(name))
    return "; ".join(
        f"attribute {name} {sides.both(_shown(here.get(name)), _shown(there.get(name)))}" for name in names
    )


def _access_list(noun: str) -> Callable[[object, object, _Sides], str]:
    def say(left: object, right: object, sides: _Sides) -> str:
        if left and right:
            return _members(noun)(left, right, sides)
        # Every list repeats the mode; what somebody added are the entries with a name.
        here, there = (
            [entry for entry in side if entry.split(":")[1]] if isinstance(side, list) else [] for side in (left, right)
        )
        return _members(noun)(here or left, there or right, sides)

    return say


def _capabilities(left: object, right: object, sides: _Sides) -> str:
    return f"file capabilities differ: {sides.ways(_shown(left), _shown(right))}"


def _text(_left: object, _right: object, sides: _Sides) -> str:
    return f"what its unit file and drop-ins say {'has changed' if sides.in_time else 'differs'}"


def _true(said: str) -> Callable[[object, object, _Sides], str]:
    return lambda left, _right, sides: f"{said} only {sides.only(on_left=bool(left))}"


def _stale(left: object, right: object, sides: _Sides) -> str:
    here, there = ([str(reason) for reason in side] if isinstance(side, list) else [] for side in (left, right))
    parts = []
    for reasons, others, on_left in ((here, there, True), (there, here, False)):
        extra = [reason for reason in reasons if reason not in others]
        if extra:
            needs = "needed" if sides.in_time and on_left else "needs"
            parts.append(f"{needs} a restart {sides.only(on_left=on_left)}: {', '.join(extra)}")
    return "; ".join(parts)


def _applied(left: object, right: object, sides: _Sides) -> str:
    # A live value that is another one tells more than one that is as it should be.
    on_left = left is False or (left is True and right is not False)
    said = "not the configured one" if False in (left, right) else "the configured one"
    return f"the live value is {said} only {sides.only(on_left=on_left)}"


def _lines(noun: str) -> Callable[[object, object, _Sides], str]:
    members = _members(noun)

    def say(left: object, right: object, sides: _Sides) -> str:
        if isinstance(left, list) and isinstance(right, list) and sorted(left) == sorted(right):
            return f"the order of its {noun}s {'has changed' if sides.in_time else 'differs'}"
        return members(left, right, sides)

    return say


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


_IMPLIED = {
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

_SAY: dict[str, Callable[[Any, Any, _Sides], str]] = {
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
    "wanted": _selection,
}

# The dimensions whose fields are told in words of their own where the names are the same.
_OF_ACCOUNTS_AND_SERVERS = frozenset(
    {"user", "group", "sudo", "authorized key", "postgresql", "mariadb", "redis", "container"}
)

_SAY_THERE: dict[str, Callable[[Any, Any, _Sides], str]] = {
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
