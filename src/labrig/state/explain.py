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
    return f"{nouns.get(difference.dimension, difference.dimension)} {difference.key}"


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
    facts = ", ".join(_BEFORE.get(name, "") + _shown(value[name]) for name in told if value.get(name))
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


_BEFORE = {"target": "to ", "in": "in "}
_NOUNS = {"firewall": "packet filter", "setting": "setting", "sysctl": "kernel setting", "cron": "scheduled job"}
_TOLD = {"setting": ("configured",), "sysctl": ("configured", "live"), "cron": ("in",), "firewall": ("hook",)}

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
        return "; ".join(parts)

    return say


def _cause(left: object, right: object, sides: _Sides) -> str:
    return f"installed {sides.ways(*('as a dependency' if side else 'on request' for side in (left, right)))}"


def _password(_left: object, _right: object, _sides: _Sides) -> str:
    return "the password, or its salt, differs"


def _unread_entry(left: object, right: object, sides: _Sides) -> str:
    if left and right:
        return f"could not be read: {sides.ways(str(left), str(right))}"
    return f"could not be read {sides.only(on_left=bool(left))}: {left or right}"


def _superuser(left: object, right: object, sides: _Sides) -> str:
    return f"has the rights of root only {sides.only(on_left=bool(left) and not right)}"


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
        order = "has changed" if sides.in_time else "differs"
        return members(left, right, sides) or f"the order of its {noun}s {order}"

    return say


_IMPLIED = {"active": {"sub"}, "drop_ins": {"text"}, "password": {"method", "fingerprint"}, "method": {"fingerprint"}}

_SAY: dict[str, Callable[[Any, Any, _Sides], str]] = {
    "active": _plain,
    "applied": _applied,
    "configured": _named("the configured value"),
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
}
