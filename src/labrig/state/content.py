"""What differs between two contents, as a person reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Change:
    """One value that is not the same in two structured files.

    Attributes:
        at: Where it stands, outermost name first: ``server.listen``, ``[mysqld] port``.
        left: The value there, masked where it looks like a secret; None where there is none.
        right: Likewise.
    """

    at: str
    left: str | None
    right: str | None


@dataclass(frozen=True)
class ContentDiff:
    """The difference of two contents, of bounded size, with what looks like a secret masked.

    Attributes:
        form: ``text`` has lines, ``structure`` has lines and changes, ``binary`` has neither.
        lines: A unified diff without its two lines of file names.
        changes: The values that differ, where the structure of the file is known.
        summary: Sizes and types of binary contents, or what was cut off; one sentence, or empty.
    """

    form: Literal["text", "structure", "binary"]
    lines: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    summary: str = ""
