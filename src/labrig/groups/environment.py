"""The context of a group as environment variables: their names, and how each shell writes them down.

Pure: values in, text out. What is written is read back unchanged, whatever it holds.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any

from labrig.errors import UsageError

# What shells, the loader of programs and Docker's command live on, or will not have changed: a value of a group that
# took one of these names would break them.
RESERVED = frozenset(
    {
        *("BASH_ENV", "CDPATH", "ENV", "EUID", "GID", "HOME", "IFS", "LANG", "LC_ALL", "LOGNAME", "OLDPWD", "PATH"),
        *("PPID", "PROMPT_COMMAND", "PS1", "PS4", "PWD", "SHELL", "SHELLOPTS", "SHLVL", "TERM", "TMPDIR", "TZ"),
        *("UID", "USER", "DOCKER_CONTEXT", "DOCKER_HOST", "LD_LIBRARY_PATH", "LD_PRELOAD", "PYTHONHOME", "PYTHONPATH"),
    }
)
# Nothing in it means anything to a reader of .env files.
PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,-]+")


def variables(context: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the values by the names of their variables: ``user_id`` becomes ``USER_ID``, with a prefix before it.

    Raises:
        UsageError: Two keys become one name, or a key becomes a name that shells need, or a value holds a null byte.
    """
    found: dict[str, Any] = {}
    keys: dict[str, str] = {}
    for key, value in context.items():
        name = re.sub(r"[^A-Za-z0-9_]", "_", f"{prefix}{key}").upper()
        name = f"_{name}" if not name or name[0].isdigit() else name
        if name in keys:
            raise UsageError(
                f"context: the keys {keys[name]!r} and {key!r} both become the variable {name}",
                hint="rename one of them",
            )
        if name in RESERVED:
            raise UsageError(
                f"context: the key {key!r} becomes the variable {name}, which programs need as it is",
                hint="rename it, or put a prefix before all names with --prefix",
            )
        if "\0" in written(value):
            raise UsageError(f"context: the value of {key!r} holds a null byte, which no variable can hold")
        keys[name] = key
        found[name] = value
    return found


def written(value: Any) -> str:
    """Return a value as a variable holds it: text as it is, nothing as nothing, everything else as JSON has it."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def strings(values: Mapping[str, Any]) -> dict[str, str]:
    """Return variables as a process gets them."""
    return {name: written(value) for name, value in values.items()}


def bash(values: Mapping[str, Any]) -> str:
    """Return lines for ``eval`` in bash, zsh, and every POSIX shell."""
    return "".join(f"export {name}={shlex.quote(text)}\n" for name, text in strings(values).items())


def fish(values: Mapping[str, Any]) -> str:
    r"""Return lines for ``source`` in fish, in whose single quotes ``\\`` and ``\'`` alone mean something else."""
    lines = []
    for name, text in strings(values).items():
        quoted = text.replace("\\", "\\\\").replace("'", "\\'")
        lines.append(f"set -gx {name} '{quoted}'\n")
    return "".join(lines)


def dotenv(values: Mapping[str, Any]) -> str:
    """Return a .env file in the form that Compose reads.

    Readers agree on what stands in single quotes; that is used wherever a value allows it.
    """
    lines = []
    for name, text in strings(values).items():
        if PLAIN.fullmatch(text):
            quoted = text
        elif "'" not in text and "\\" not in text:
            quoted = f"'{text}'"
        else:
            escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$").replace("\n", "\\n")
            quoted = f'"{escaped}"'
        lines.append(f"{name}={quoted}\n")
    return "".join(lines)


def as_json(values: Mapping[str, Any]) -> str:
    """Return one JSON object; numbers, lists and the rest stay what they are."""
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"


FORMATS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "bash": bash,
    "fish": fish,
    "dotenv": dotenv,
    "json": as_json,
}
