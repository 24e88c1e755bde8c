"""The lab host's journal: who did what. What a command reads is never told, nor are its answers."""

from __future__ import annotations

import json
import syslog
from collections.abc import Sequence

# What a line of the journal may have without being cut by what carries it.
_LONGEST = 1000


class Session:
    """What one connection notes: each command once, however often a deployment repeats it."""

    def __init__(self, who: str) -> None:
        """Note for a developer whose key opened the connection; nothing is noted where nobody's did."""
        self._who = who
        self._noted: set[tuple[str, ...]] = set()

    def note(self, argv: Sequence[str]) -> None:
        """Note that a command is run, unless it was noted already."""
        if tuple(argv) not in self._noted:
            self._noted.add(tuple(argv))
            note(self._who, argv)


def note(who: str, argv: Sequence[str]) -> None:
    """Note that somebody runs a command, whole, in as many lines as it takes.

    Arguments are written so that none of them can pretend to be a line.

    Args:
        who: The developer whose key opened the connection; nothing is noted where it is empty.
        argv: The command.
    """
    if not who:
        return
    text = json.dumps(list(argv))
    parts = [text[start : start + _LONGEST] for start in range(0, len(text), _LONGEST)]
    syslog.openlog("labrig-lab", syslog.LOG_PID, syslog.LOG_AUTHPRIV)
    for number, part in enumerate(parts, start=1):
        place = f" ({number} of {len(parts)})" if len(parts) > 1 else ""
        syslog.syslog(syslog.LOG_INFO, f"{who}{place}: {part}")
