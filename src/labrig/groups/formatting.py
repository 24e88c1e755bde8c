"""Placeholders in fields: ``{user_id}`` stands for what the context holds under that name.

Environment, ports, volumes and most fields follow Python's format strings: a name that the context does not hold is an
error, and ``{{`` is a brace. Commands are programs with braces of their own, so in them only names that the context
holds are replaced, ``${HOME}`` never, and everything else is left as it is.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from string import Formatter
from typing import Any

# In a command: {name}, {name[key]} or {name.attribute}; with both braces doubled it stands for itself.
_IN_COMMANDS = re.compile(r"(?<!\$)(\{\{|\{)([A-Za-z_]\w*)((?:\[[^\[\]{}]+\]|\.\w+)*)(\}\}|\})")

Replace = Callable[[str], str]


class FieldError(ValueError):
    """What is wrong with the value of a field; ``hint`` says what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def strict(text: str, values: Mapping[str, Any]) -> str:
    """Return a text with its placeholders replaced.

    Raises:
        FieldError: A name is not in the context, or the text is no format string.

    >>> strict("postgresql://{user}@db", {"user": "ada"})
    'postgresql://ada@db'
    """
    try:
        return text.format_map(values)
    except KeyError as error:
        missing = str(error.args[0])
        if _outermost(text, missing):
            raise FieldError(
                f"{text!r} names {missing!r}, which is not in the context", _nearest(missing, values)
            ) from None
        raise FieldError(f"{text!r}: {missing!r} is not there in what the context holds") from None
    except IndexError:
        raise FieldError(f"{text!r}: a placeholder needs a name, such as {{user_id}}; {{{{ is a brace") from None
    except (ValueError, AttributeError, TypeError) as error:
        raise FieldError(f"{text!r} cannot be formatted: {error}; {{{{ and }}}} are braces") from None


def lenient(text: str, values: Mapping[str, Any]) -> str:
    """Return a command's word with the placeholders replaced that the context knows.

    >>> lenient("awk '{print}' ${HOME} {user}", {"user": "ada"})
    "awk '{print}' ${HOME} ada"
    """

    def replaced(match: re.Match[str]) -> str:
        opening, name, way, closing = match.groups()
        if name not in values or len(opening) != len(closing):
            return match[0]
        return match[0][1:-1] if len(opening) == 2 else strict(f"{{{name}{way}}}", values)

    return _IN_COMMANDS.sub(replaced, text)


def everywhere(value: Any, replace: Replace) -> Any:
    """Return a value with all its texts replaced, in lists, in mappings and their keys.

    >>> everywhere({"a": ["{x}", 1]}, lambda text: text.format(x=2))
    {'a': ['2', 1]}
    """
    if isinstance(value, str):
        return replace(value)
    if isinstance(value, Mapping):
        return {everywhere(key, replace): everywhere(one, replace) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(everywhere(one, replace) for one in value) if type(value) in (list, tuple) else value
    return value


def names_in(value: Any) -> set[str]:
    """Return the names that the placeholders of a value stand for, in texts, lists and mappings.

    >>> sorted(names_in({"a": ["{x[1]}", "{y}-{{z}}"]}))
    ['x', 'y']
    """
    found: set[str] = set()

    def collect(text: str) -> str:
        found.update(_names(text))
        return text

    everywhere(value, collect)
    return found


def nearest(name: str, known: Sequence[str]) -> str:
    """Return a hint that names what was probably meant, and what there is."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]}? " if near else ""


def _nearest(missing: str, values: Mapping[str, Any]) -> str:
    known = sorted(str(key) for key in values)
    return f"{nearest(missing, known)}the context holds: {', '.join(known) or 'nothing'}"


def _names(text: str) -> set[str]:
    try:
        fields = [field for _, field, _, _ in Formatter().parse(text) if field]
    except ValueError:
        return {match[2] for match in _IN_COMMANDS.finditer(text)}
    return {re.split(r"[.\[]", field, maxsplit=1)[0] for field in fields}


def _outermost(text: str, missing: str) -> bool:
    return missing in _names(text)
