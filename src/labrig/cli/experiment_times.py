"""Times of experiments as a person reads them."""

from __future__ import annotations

from datetime import datetime


def moment(text: str) -> str:
    """Return a time of ISO 8601 in this machine's time zone; a dash where there is none that can be read."""
    try:
        return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return "-"
