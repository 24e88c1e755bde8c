"""YAML files that people write: read with an error that says file, line and column."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from labrig.errors import UsageError


def read(path: Path) -> Any:
    """Return the content of a YAML file; None where it is empty.

    Raises:
        UsageError: It cannot be read or is not YAML.
    """
    return parse(read_text(path), path)


def read_text(path: Path) -> str:
    """Return the text of a file.

    Raises:
        UsageError: It cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error


def parse(text: str, path: Path) -> Any:
    """Return what a YAML text holds; ``path`` is where messages say that it stands.

    Raises:
        UsageError: It is not YAML.
    """
    try:
        return yaml.safe_load(text)
    # What has the form of a date or a number, and is none, is a ValueError.
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise UsageError(f"{where}: not YAML: {getattr(error, 'problem', None) or error}") from error


def line_of(text: str, steps: Sequence[str | int]) -> int:
    r"""Return the line on which something stands in a YAML text that can be read.

    Args:
        text: The file's content.
        steps: The way to it, keys of mappings and places in lists; the line of the last step that there is.

    >>> line_of("images:\n  debian: mine\n", ["images", "debian"])
    2
    """
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    line = 1
    for step in steps:
        if isinstance(node, yaml.MappingNode):
            found = next((pair for pair in node.value if pair[0].value == str(step)), None)
            if found is None:
                break
            key, node = found
            line = key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
        else:
            break
    return line


def parse_mapping(text: str, path: Path) -> dict[str, Any]:
    """Return the mapping that a YAML text holds; empty where the text is.

    Raises:
        UsageError: It is not YAML or holds something else.
    """
    content = parse(text, path)
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise UsageError(f"{path}: expected a mapping, found {type(content).__name__}")
    return content
