"""The lab host's journal: who did what. What a command reads is never told, nor are its answers."""

from __future__ import annotations

import json
import syslog
from collections.abc import Sequence

# What a line of the journal may have without being cut by what carries it.
_LONGEST = 1000


def note(who: str, argv: Sequence[str]) -> None:
    """Note that somebody runs a command; arguments are written so that none of them can pretend to be a line.

    Args:
        who: The developer whose key opened the connection; nothing is noted where it is empty.
        argv: The command.
    """
    if not who:
        return
    syslog.openlog("labrig-lab", syslog.LOG_PID, syslog.LOG_AUTHPRIV)
    syslog.syslog(syslog.LOG_INFO, f"{who}: {json.dumps(list(argv))[:_LONGEST]}")
