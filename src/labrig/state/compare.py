"""Comparing two states: what differs, and which rules hid what.

>>> comparison = compare(fresh, upgrade)
>>> [sentence(difference) for difference in comparison.differences]
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from labrig.state.dimensions import DIMENSIONS
from labrig.state.entries import Entries
from labrig.state.rule import Rule
from labrig.state.rules import DEFAULT_RULES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from labrig.state.model import State, Value

WHOLE = ""
"""The key of a difference that concerns a whole dimension: it could not be read on one side."""

NO_FIELDS: frozenset[str] = frozenset()

# Two ways to hash one content: with own addresses as <self>, and as it is.
CONTENT = frozenset({"sha256", "size", "canonical"})

# A package that differs in these has other files.
VERSION = frozenset({"version", "architecture", "status"})
WITH_PACKAGE = frozenset({"file", "hard link"})
PACKAGED = CONTENT | {"target", "names"}
USUAL_MODES = frozenset({"0444", "0555", "0644", "0755"})
GRANTED = frozenset({"acl", "default_acl", "capabilities", "attributes", "locked", "unreadable"})


@dataclass(frozen=True)
class Difference:
    """One thing that is not the same in two states.

    Attributes:
        dimension: As in ``labrig.state.dimensions``.
        key: What differs; empty if the dimension could not be read on one side.
        left: The fields that differ, plus those that explain them; the whole value where the right has none;
            None where only the right has it.
        right: Likewise.
        fields: The names of the fields that differ; empty if one side has no such entry.
        files: How many of a package's own files, which are as its manifest says, differ with the package.
        held: How many further entries a server told that runs on this side only.
    """

    dimension: str
    key: str
    left: Value | None
    right: Value | None
    fields: tuple[str, ...] = ()
    files: int = 0
    held: int = 0

    @property
    def package(self) -> str | None:
        """The package that owns the file, if both sides that have it agree on one."""
        names = {side.get("package") for side in (self.left, self.right) if side is not None}
        return names.pop() if len(names) == 1 else None


@dataclass(frozen=True)
class Applied:
    """A rule that hid something, and how many entries."""

    rule: str
    reason: str
    count: int


@dataclass(frozen=True)
class Comparison:
    """What came of comparing two states.

    Attributes:
        differences: In the order of dimension and key.
        ignored: The rules that hid something, by name.
        compared: How many entries were compared, those of both sides counted once.
        notes: What could be read on neither side, as sentences: nothing is known of it.
    """

    differences: tuple[Difference, ...]
    ignored: tuple[Applied, ...]
    compared: int
    notes: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not self.differences


def compare(left: State, right: State, *, rules: Sequence[Rule] = DEFAULT_RULES) -> Comparison:
    """Return the differences between two states that no rule explains away."""
    by_dimension: dict[str, list[Rule]] = {}
    for rule in rules:
        by_dimension.setdefault(rule.dimension, []).append(rule)
    applied: Counter[Rule] = Counter()
    missing = _missing(left, right)
    differences = [*missing.values(), *(found for found in _partly_read(left, right) if found.dimension not in missing)]
    compared = 0
    alike_unread: Counter[str] = Counter()
    ours, theirs = Entries.of(left.entries), Entries.of(right.entries)
    for dimension in ours.dimensions | theirs.dimensions:
        if dimension in missing:
            continue
        pairs = ours.paired(theirs, dimension)
        compared += pairs.count
        alike_unread[dimension] += pairs.unread
        for key, value, other in pairs.unequal:
            differences += _judged(dimension, key, value, other, by_dimension.get(dimension, ()), applied)
    differences = _with_servers(_with_packages(differences))
    order = {name: place for place, name in enumerate(DIMENSIONS)}
    differences.sort(key=lambda found: (order.get(found.dimension, len(order)), found.dimension, found.key))
    ignored = sorted(
        (Applied(rule.name, rule.reason, count) for rule, count in applied.items()), key=lambda found: found.rule
    )
    return Comparison(tuple(differences), tuple(ignored), compared, tuple(_notes(left, right, alike_unread)))


def _missing(left: State, right: State) -> dict[str, Difference]:
    """Dimensions that only one side knows anything of: one difference each, not one for every entry."""
    held = [set(Entries.of(state.entries).dimensions) for state in (left, right)]
    found = {}
    for dimension in sorted(held[0] ^ held[1]):
        blind = right if dimension in held[0] else left
        reason = blind.unreadable.get(dimension)
        if reason is None and dimension in blind.header.get("dimensions", (dimension,)):
            continue  # It was read there, and there is none.
        told = {"unreadable": reason or "it was not captured"}
        found[dimension] = Difference(
            dimension, WHOLE, told if blind is left else None, told if blind is right else None
        )
    return found


def _partly_read(left: State, right: State) -> list[Difference]:
    """Dimensions that one side read in part only."""
    found = []
    for dimension in sorted(left.unreadable.keys() ^ right.unreadable.keys()):
        left_reason, right_reason = (
            {"unreadable": side.unreadable[dimension]} if dimension in side.unreadable else None
            for side in (left, right)
        )
        found.append(Difference(dimension, WHOLE, left_reason, right_reason))
    return found


def _notes(left: State, right: State, alike_unread: Counter[str]) -> Iterable[str]:
    for dimension in sorted(left.unreadable.keys() & right.unreadable.keys()):
        yield f"{dimension} could be read completely on neither side: {left.unreadable[dimension]}"
    for dimension, count in sorted((+alike_unread).items()):
        yield f"{count} entries of {dimension} could be read on neither side; what they hold is not compared"


def _judged(
    dimension: str, key: str, left: Value | None, right: Value | None, rules: Iterable[Rule], applied: Counter[Rule]
) -> list[Difference]:
    matching = [rule for rule in rules if rule.matches(key)]
    if left is None or right is None:
        for rule in matching:
            if rule.hides(NO_FIELDS, left, right):
                applied[rule] += 1
                return []
        return [Difference(dimension, key, left, right)]
    known = DIMENSIONS.get(dimension)
    context = known.context if known else NO_FIELDS
    fields = {name for name in left.keys() | right.keys() if left.get(name) != right.get(name)} - context
    if fields & CONTENT and _same_content(left, right):
        fields -= CONTENT
    for rule in matching:
        if fields and rule.hides(fields, left, right):
            applied[rule] += 1
            fields -= rule.fields or fields
    if not fields:
        return []
    shown = fields | context | {"type"}
    return [Difference(dimension, key, _only(left, shown), _only(right, shown), tuple(sorted(fields)))]


def _with_servers(differences: Sequence[Difference]) -> list[Difference]:
    """Return the differences, what a server told that runs on one side only as a number in the server's difference."""
    servers = [found for found in differences if not found.fields and (found.left or found.right or {}).get("runs")]
    if not servers:
        return list(differences)
    counts: Counter[tuple[str, str]] = Counter()
    kept = []
    for found in differences:
        of = next((server for server in servers if found is not server and _tells(server, found)), None)
        if of is None:
            kept.append(found)
        else:
            counts[of.dimension, of.key] += 1
    return [replace(found, held=counts[found.dimension, found.key]) for found in kept]


def _tells(server: Difference, found: Difference) -> bool:
    """Whether an entry is one of a server, and on the same side only: ``15/main role app`` of ``15/main server``."""
    one_sided = (found.left is None, found.right is None) == (server.left is None, server.right is None)
    name = server.key[: -len("server")]
    # Keys of the usual server begin with no name, those of another one with its socket.
    own = found.key.startswith(name) if name else not found.key.startswith("/")
    return one_sided and own and found.dimension == server.dimension


def _with_packages(differences: Sequence[Difference]) -> list[Difference]:
    """Return the differences, a package's own files that differ with it as a number in the package's difference.

    Only files that are what the manifest of their package says: what was altered stays a difference of its own.
    """
    packages = {
        found.key.partition(":")[0]: found
        for found in differences
        if found.dimension == "package" and (not found.fields or VERSION.intersection(found.fields))
    }
    counts: Counter[str] = Counter()
    kept = []
    for found in differences:
        if found.dimension in WITH_PACKAGE and found.package in packages and _as_packaged(found):
            counts[found.package] += found.dimension == "file"
        else:
            kept.append(found)
    return [
        replace(found, files=counts[name])
        if found.dimension == "package" and packages.get(name := found.key.partition(":")[0]) is found and counts[name]
        else found
        for found in kept
    ]


def _as_packaged(found: Difference) -> bool:
    sides = [side for side in (found.left, found.right) if side is not None]
    if not all(side.get("as_packaged") for side in sides):
        return False
    if found.fields:
        # With another version come other contents; owner and mode are not in the manifest.
        return PACKAGED.issuperset(found.fields)
    # What dpkg unpacks is root's, and everybody may read it; a deployment may have given it other rights.
    return all(
        side.get("owner", "root") == side.get("group", "root") == "root"
        and side.get("mode", "0644") in USUAL_MODES
        and not GRANTED.intersection(side)
        for side in sides
    )


def _same_content(left: Value, right: Value) -> bool:
    # An address may stand in a file by chance, on one machine it is then taken for its own: compare it as it is.
    if "plain" not in left and "plain" not in right:
        return False
    hashes = ("sha256", "plain")
    return not {left.get(name) for name in hashes}.isdisjoint({right.get(name) for name in hashes} - {None})


def _only(value: Value, names: Iterable[str]) -> Value:
    return {name: value[name] for name in value if name in names}
