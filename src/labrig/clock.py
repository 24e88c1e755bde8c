"""The one door through which time enters, so that tests can hold it still."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now() -> datetime:
    """Return the current time, timezone-aware, in UTC."""
    return datetime.now(tz=UTC)


def monotonic() -> float:
    """Return seconds from an arbitrary start; only differences mean anything."""
    return time.monotonic()


def sleep(seconds: float) -> None:
    """Let ``seconds`` pass."""
    time.sleep(seconds)
