"""A rule: a named reason why something that differs does not count.

A rule is data. It names a dimension, a pattern that the whole key must match, and the fields that it sets aside
(``BYTES`` is hash and size: presence, type, mode and owner still count); without fields, it takes the entry out
altogether. A rule is as narrow as it can be; none covers a tree in which a deployment puts files.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

BYTES = frozenset({"sha256", "size"})


@dataclass(frozen=True)
class Rule:
    """One reason why a difference does not count.

    Attributes:
        name: What reports call it.
        dimension: Which entries it is about.
        pattern: Regular expression for the whole key.
        reason: Why the difference means nothing, one clause.
        fields: The fields set aside; empty: the entry, also where only one side has it.
        needs: A field that both sides must have, so that something is left to compare; empty for none.
        where: Field to regular expression: every side must look like that for the rule to hold.
        between_machines: It holds only between two machines: on one machine, before and after, the same
            difference is a change.
    """

    name: str
    dimension: str
    pattern: str
    reason: str
    fields: frozenset[str] = frozenset()
    needs: str = ""
    where: Mapping[str, str] = field(default_factory=dict, hash=False)
    between_machines: bool = False

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(self.pattern)

    def matches(self, key: str) -> bool:
        """Whether it is about the entry with this key."""
        return self._compiled.fullmatch(key) is not None

    def hides(
        self, differing: AbstractSet[str], left: Mapping[str, Any] | None, right: Mapping[str, Any] | None
    ) -> bool:
        """Whether it takes something away from the difference between two entries it is about.

        ``differing`` are the fields that differ; a side is None where it has no such entry.
        """
        sides = [side for side in (left, right) if side is not None]
        if self.needs and not all(self.needs in side for side in sides):
            return False
        if not all(re.fullmatch(look, str(side.get(name, ""))) for name, look in self.where.items() for side in sides):
            return False
        return not self.fields or (len(sides) == 2 and bool(self.fields & differing))
