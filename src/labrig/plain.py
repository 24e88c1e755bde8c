"""Words of others, which must not be orders to the terminal that they are shown on."""

from __future__ import annotations

import re

# Sequences of ECMA-48 that begin with CSI, or with OSC and its kin; then all controls but tab and line feed.
_ORDERS = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)


def plain(text: str) -> str:
    r"""Return a text without control characters, and without what they would have ordered.

    >>> plain("\x1b]0;title\x07\x1b[2Jben\x9b31m\r@desk\n")
    'ben@desk\n'
    """
    return _ORDERS.sub("", text)
