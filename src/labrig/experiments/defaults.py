"""Defaults for many experiments: the order in which a lab host's state is asked, and layers laid over one another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

DEFAULT = "default"


def order(key: str) -> list[str]:
    """Return the keys under which a value is looked for, the most special first.

    >>> order("/shop/login")
    ['/shop/login', '/shop/login/default', '/shop/default', '/default']
    """
    parts = [part for part in key.split("/") if part]
    exact = ["/" + "/".join(parts)] if parts else []
    parents = ["/".join(["", *parts[:count], DEFAULT]) for count in range(len(parts), -1, -1)]
    return [*exact, *parents]


def found(key: str, get: Callable[[str], str | None]) -> tuple[str, str] | None:
    """Return the first key in that order that a state has a value for, and the value; None where it has none.

    Args:
        key: What is asked for.
        get: The state: the value of exactly this key, or None.
    """
    for one in order(key):
        value = get(one)
        if value is not None:
            return one, value
    return None


def merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Return mappings laid over another, the last on top; mappings within them likewise, all else as a whole.

    >>> merged({"limits": {"cpus": 1, "memory": "1G"}, "port": 80}, {"limits": {"cpus": 2}})
    {'limits': {'cpus': 2, 'memory': '1G'}, 'port': 80}
    """
    result: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            below = result.get(key)
            is_both = isinstance(below, Mapping) and isinstance(value, Mapping)
            result[key] = merged(below or {}, value) if is_both else value
    return result
