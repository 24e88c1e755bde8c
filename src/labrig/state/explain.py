"""One plain sentence for each difference.

What is said follows from the two sides alone: who caused it is not guessed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labrig.state.wording import IMPLIED, STATUS, Sides, shortened, shown, words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
    sides = Sides(left, right)
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


def _subject(difference: Difference, value: Mapping[str, Any]) -> str:
    if difference.dimension == "file" and "type" in difference.fields:
        return difference.key
    nouns = {"file": str(value.get("type", "file")), "socket": "listening socket", "id": "number of", **_NOUNS}
    return f"{nouns.get(difference.dimension, difference.dimension)} {difference.key}".strip()


def _unread(difference: Difference, sides: Sides) -> str:
    on_left = difference.left is not None
    reason = (difference.left or difference.right or {}).get("unreadable")
    return f"dimension {difference.dimension} could not be read completely {sides.only(on_left=on_left)}: {reason}"


def _one_sided(difference: Difference, sides: Sides, *, in_production: bool | None) -> str:
    on_left = difference.right is None
    value = (difference.left if on_left else difference.right) or {}
    told = [_fact(name, value[name]) for name in _FACTS.get(difference.dimension, ()) if value.get(name)]
    facts = ", ".join(filter(None, told))
    subject = _subject(difference, value) + (f" ({facts})" if facts else "")
    files = f", with {_own_files(difference)}" if difference.files else ""
    if value.get("runs"):
        return _server(difference, subject, sides)
    if sides.in_time:
        return f"{subject} is gone after{files}" if on_left else f"{subject} is new after{files}"
    name = sides.left if on_left else sides.right
    said = f"{subject} exists only {PLACES.get(name, f'on {name}')}{files}"
    if (sides.left, sides.right) != ("fresh", "upgrade"):
        return said
    if on_left:
        return f"{said}: the upgrade does not bring it"
    return f"{said}: {_ORIGIN[in_production]}"


def _server(difference: Difference, subject: str, sides: Sides) -> str:
    on_left = difference.right is None
    told = f": nothing that it holds is compared, {difference.held} entries on one side" if difference.held else ""
    if sides.in_time:
        return f"{subject} {'no longer runs' if on_left else 'runs only'} after{told}"
    name = sides.left if on_left else sides.right
    return f"{subject} runs only {PLACES.get(name, f'on {name}')}{told}"


# What a one-sided entry is called, and what is told of it.
_NOUNS = {
    "diversion": "dpkg's diversion of",
    "statoverride": "dpkg's override for",
    "debconf": "debconf's answer to",
    "language package": "",
    "route": "",  # Its keys begin with what it is.
    "firewall": "packet filter",
    "sysctl": "kernel setting",
    "cron": "scheduled job",
    "sudo": "sudo rule",
    "postgresql": "PostgreSQL",
    "mariadb": "MariaDB",
    "redis": "Redis",
    "container": "",  # Likewise.
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
    "route": ("ways",),
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
        return f"in {shown(value)}"
    if name == "names":
        return f"and {shown(value)}"
    if name == "status":
        return STATUS.get(str(value), str(value))
    if name == "wanted":
        return "held" if value == "hold" else ""
    return shortened(shown(value))


def _own_files(difference: Difference) -> str:
    return "1 file of its own" if difference.files == 1 else f"{difference.files} files of its own"


_ORIGIN = {True: "left behind", False: "only the upgrade makes it", None: "a fresh deployment does not make it"}


def _statements(
    difference: Difference, left: Mapping[str, Any], right: Mapping[str, Any], sides: Sides
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
    for telling, implied in IMPLIED.items():
        if telling in fields:
            fields -= implied
    for name in sorted(fields):
        say = words(difference.dimension, name)
        yield (
            say(left.get(name), right.get(name), sides)
            if say
            else f"{name} {sides.both(shown(left.get(name)), shown(right.get(name)))}"
        )


def _content(left: Mapping[str, Any], right: Mapping[str, Any], sides: Sides) -> str:
    sizes = left.get("size"), right.get("size")
    if None in sizes or sizes[0] == sizes[1]:
        return "content differs"
    return f"content differs, its size {sides.both(f'{sizes[0]} bytes', f'{sizes[1]} bytes')}"
