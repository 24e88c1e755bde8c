"""A comparison for people and for programs: sentences by dimension, and JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from labrig.state import sides
from labrig.state.compare import Comparison, compare
from labrig.state.explain import sentence
from labrig.state.model import Key, State
from labrig.state.rule import Rule
from labrig.state.rules import DEFAULT_RULES, ONE_MACHINE_RULES

SCHEMA = "labrig.comparison/1"

RULES: Mapping[str, tuple[Rule, ...]] = {"two-machines": DEFAULT_RULES, "one-machine": ONE_MACHINE_RULES, "none": ()}
"""The sets of rules that can be asked for, by name."""


@dataclass(frozen=True)
class Told:
    """Two states compared, and what is needed to tell of it.

    Attributes:
        left: What the left side is called.
        right: Likewise.
        headers: What both states say of their machines.
        rules: The name of the set of rules.
        found: What came of it.
        notes: What was not compared, as sentences.
        allowed: What differs and may, with the reasons.
        unused: What might differ and does not.
    """

    left: str
    right: str
    headers: tuple[Mapping[str, Any], Mapping[str, Any]]
    rules: str
    found: Comparison
    notes: tuple[str, ...]
    allowed: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return self.found.same

    def sentences(self) -> dict[str, list[str]]:
        """Return dimension to what differs there, in the order of the comparison."""
        told: dict[str, list[str]] = {}
        for one in self.found.differences:
            told.setdefault(one.dimension, []).append(sentence(one, left=self.left, right=self.right))
        return told

    def lines(self) -> Iterator[str]:
        """Yield what a person reads: sentences by dimension, what was not compared, and the answer last."""
        for dimension, said in self.sentences().items():
            yield f"{dimension}: {len(said)}"
            yield from (f"  {one}" for one in said)
        for note in self.notes:
            yield f"not compared: {note}"
        for one in self.allowed:
            yield f"allowed: {one}"
        for one in self.unused:
            yield f"allowed, but it does not differ: {one}"
        yield self.answer()

    def answer(self) -> str:
        """Return the answer in one sentence."""
        found = self.found
        hidden = sum(one.count for one in found.ignored)
        by = f"{hidden} set aside by {_counted(len(found.ignored), 'rule')}" if hidden else "none set aside by a rule"
        of = f"of {_counted(found.compared, 'entry', 'entries')} compared, {by}"
        who = "before and after" if (self.left, self.right) == ("before", "after") else f"{self.left} and {self.right}"
        if self.same:
            return f"same: {who}: no difference {of}"
        return f"different: {who}: {_counted(len(found.differences), 'difference')} {of}"

    def as_json(self) -> dict[str, Any]:
        """Return the comparison as ``labrig.comparison/1``."""
        left, right = self.headers
        return {
            "schema": SCHEMA,
            "same": self.same,
            "left": {"name": self.left, **left},
            "right": {"name": self.right, **right},
            "rules": self.rules,
            "differences": [
                {
                    "dimension": one.dimension,
                    "key": one.key,
                    "fields": list(one.fields),
                    "left": None if one.left is None else dict(one.left),
                    "right": None if one.right is None else dict(one.right),
                    "package": one.package,
                    "text": sentence(one, left=self.left, right=self.right),
                }
                for one in self.found.differences
            ],
            "compared": self.found.compared,
            "ignored": [{"rule": one.rule, "reason": one.reason, "count": one.count} for one in self.found.ignored],
            "notes": list(self.notes),
            "allowed": list(self.allowed),
            "unused": list(self.unused),
        }


def tell(
    left: State,
    right: State,
    *,
    rules: str = "",
    names: Sequence[str] | None = None,
    allowed: Mapping[Key, str] = MappingProxyType({}),
) -> Told:
    """Compare two states.

    Args:
        left: One state.
        right: The other.
        rules: A name of ``RULES``; empty for what the headers say: one machine or two.
        names: What to call the two sides; None for what the headers say.
        allowed: What may differ, by dimension and exact key, each with its reason.
    """
    one_machine = sides.is_one_machine(left.header, right.header) if not rules else rules == "one-machine"
    chosen = rules or ("one-machine" if one_machine else "two-machines")
    called = tuple(names) if names else sides.names(left.header, right.header, one_machine=one_machine)
    headers = left.header, right.header
    left, right, notes = sides.alike(left, right)
    found = compare(left, right, rules=RULES[chosen])
    met = {(one.dimension, one.key) for one in found.differences}
    kept = tuple(one for one in found.differences if (one.dimension, one.key) not in allowed)
    may = tuple(f"{' '.join(key)}: {reason}" for key, reason in allowed.items() if key in met)
    unused = tuple(" ".join(key) for key in allowed if key not in met)
    notes = (*notes, *found.notes)
    return Told(called[0], called[1], headers, chosen, replace(found, differences=kept), notes, may, unused)


def _counted(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"
