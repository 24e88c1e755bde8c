"""Differences that a project allows in labrig.yml: one exact thing each, with a reason and a last day. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator

from labrig.prove.verdict import Check, CheckName, Compared, Ignored
from labrig.state.compare import CONTENT, Difference
from labrig.state.dimensions import DIMENSIONS
from labrig.state.model import Value

RULE = "allowed by labrig.yml"
"""What stands as the rule where a project's own entry set a difference aside."""


class Allowed(BaseModel):
    """One difference that does not count.

    Attributes:
        dimension: The difference's, as in a verdict.
        key: The difference's, whole and exact; what looks like a pattern is none.
        machine: The machine that it is on; every one where it is None.
        fields: The fields that may differ, ``content`` for a file's content; whatever it is, where there are none.
        check: The check that it holds for; every one where it is None.
        reason: Why it may be.
        expires: The last day on which it holds, in UTC.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    dimension: str
    key: str = Field(min_length=1)
    machine: str | None = None
    fields: tuple[str, ...] = ()
    check: Compared | None = None
    reason: str
    expires: date

    @field_validator("dimension")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in DIMENSIONS:
            raise ValueError(f"there is no dimension {value!r}; there are {', '.join(DIMENSIONS)}")
        return value

    @field_validator("reason")
    @classmethod
    def _said(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("expected a sentence on why this difference may be, found none")
        return value.strip()

    @field_validator("expires", mode="before")
    @classmethod
    def _day(cls, value: Any) -> Any:
        # A bare number would be read as seconds since 1970.
        if not isinstance(value, str | date):
            raise ValueError(f"expected a date such as 2027-02-18, found {value!r}")  # noqa: TRY004  # pydantic's way
        return value

    @property
    def label(self) -> str:
        """What is allowed, in the words of a verdict."""
        where = f"{self.machine}: " if self.machine else ""
        fields = f" ({', '.join(self.fields)})" if self.fields else ""
        only = f", only for {self.check}" if self.check else ""
        return f"{self.dimension} {where}{self.key}{fields}{only}"

    @property
    def words(self) -> str:
        """What is said where it sets something aside."""
        return f"{self.label}: {self.reason} (until {self.expires})"

    def matches(self, difference: Difference, machine: str) -> bool:
        """Return whether it names this very thing.

        A dimension that could not be read is never matched: nothing is known of what it holds.
        """
        if not difference.key or difference.dimension != self.dimension:
            return False
        if self.machine is None and self.key == f"{machine}: {difference.key}":
            return True
        return self.key == difference.key and self.machine in (None, machine)


def holding(entries: Iterable[Allowed], today: date) -> tuple[Allowed, ...]:
    """Return the entries that have not expired."""
    return tuple(entry for entry in entries if entry.expires >= today)


def of(check: CheckName, entries: Iterable[Allowed]) -> tuple[Allowed, ...]:
    """Return the entries that hold for a check."""
    return tuple(entry for entry in entries if entry.check in (None, check))


def remaining(
    difference: Difference, machine: str, entries: Iterable[Allowed]
) -> tuple[Difference | None, tuple[Allowed, ...]]:
    """Return what is left of a difference, None where all of it is allowed; and the entries that allowed something."""
    left_over: Difference | None = difference
    applied = []
    for entry in entries:
        if left_over is None:
            break
        if not entry.matches(left_over, machine):
            continue
        if not entry.fields:
            applied.append(entry)
            left_over = None
            continue
        fields = set(entry.fields) | (CONTENT if "content" in entry.fields else set())
        if fields & set(left_over.fields):
            applied.append(entry)
            left_over = _without(left_over, fields)
    return left_over, tuple(applied)


def _without(difference: Difference, fields: set[str]) -> Difference | None:
    left = tuple(name for name in difference.fields if name not in fields)
    if not left:
        return None
    gone = set(difference.fields) & fields
    return replace(difference, left=_but(difference.left, gone), right=_but(difference.right, gone), fields=left)


def _but(value: Value | None, gone: set[str]) -> Value | None:
    return None if value is None else {name: held for name, held in value.items() if name not in gone}


def notes(
    entries: Iterable[Allowed], today: date, checks: Sequence[Check], ignored: Iterable[Ignored]
) -> tuple[str, ...]:
    """Return a sentence for each entry that has expired, and for each that nothing matched.

    Of an entry whose checks were not all answered it is not known whether anything would have matched.
    """
    used = {one.reason for one in ignored if one.rule == RULE}
    found = []
    for entry in entries:
        if entry.expires < today:
            found.append(
                f"allowed difference {entry.label} expired on {entry.expires} and holds no more: {entry.reason}"
            )
        elif entry.words not in used and _answered(entry, checks):
            pattern = "; its key is taken as it is, not as a pattern" if set(entry.key) & set("*?") else ""
            found.append(f"allowed difference {entry.label} matched nothing in this proof{pattern}")
    return tuple(found)


def _answered(entry: Allowed, checks: Sequence[Check]) -> bool:
    wanted = get_args(Compared) if entry.check is None else (entry.check,)
    asked = [check.result for check in checks if check.name in wanted]
    return bool(asked) and all(result in ("pass", "fail") for result in asked)
