"""Secrets in what people are shown: masked in a text, and in one that comes in pieces."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

MASK = "***"
# What is shorter would be found everywhere, and is no secret.
SHORTEST = 4
# A line that is longer is told before it ends, in characters: some programs write no line ends.
_LONG = 1 << 16


def mask(text: str, secrets: Iterable[str]) -> str:
    """Return a text in which no secret is left; what is shorter than four characters is no secret.

    >>> mask("password=hunter2", ["hunter2", "x"])
    'password=***'
    """
    for secret in _told(secrets):
        text = text.replace(secret, MASK)
    return text


class Masking:
    """One stream of output, passed on in whole lines: a secret may be split over pieces, but never over lines.

    Of a very long line what is there is passed on, but for as much of its end as may be the beginning of a secret.
    """

    def __init__(self, secrets: Iterable[str], tell: Callable[[str], object]) -> None:
        """Begin.

        Args:
            secrets: What is masked; each is in one line.
            tell: Is told the output.
        """
        self._secrets = _told(secrets)
        self._tell = tell
        self._kept = ""

    def hear(self, piece: str) -> None:
        """Take what has been written."""
        self._kept += piece
        end = max(self._kept.rfind("\n"), self._kept.rfind("\r")) + 1
        if len(self._kept) - end > _LONG:
            end = self._end_within_a_line()
        self._pass_on(end)

    def flush(self) -> None:
        """Pass on what is left: nothing follows."""
        self._pass_on(len(self._kept))

    def _end_within_a_line(self) -> int:
        """Return up to where no secret begins that is not there as a whole."""
        if not self._secrets:
            return len(self._kept)
        end = len(self._kept) - len(self._secrets[0]) + 1
        for found in re.finditer("|".join(map(re.escape, self._secrets)), self._kept):
            if found.start() < end < found.end():
                end = found.end()
        return end

    def _pass_on(self, end: int) -> None:
        text, self._kept = self._kept[:end], self._kept[end:]
        if text:
            self._tell(mask(text, self._secrets))


def _told(secrets: Iterable[str]) -> list[str]:
    """Return what counts as a secret, the longest first: a shorter one may be a part of it."""
    return sorted({one for one in secrets if len(one) >= SHORTEST}, key=len, reverse=True)
