"""Environment variables in molecule.yml, as Molecule and Compose write them.

``$NAME``, ``${NAME}``, ``${NAME:-default}`` (unset or empty), ``${NAME-default}`` (unset); ``$$`` is a dollar.
A default may itself be ``$OTHER``. An unset variable without a default is empty.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_VARIABLE = re.compile(r"\$(?:(?P<escaped>\$)|(?P<named>[_a-zA-Z][_a-zA-Z0-9]*)|\{(?P<braced>[_a-zA-Z][^}]*)\})")
_BRACED = re.compile(r"(?P<name>[_a-zA-Z][_a-zA-Z0-9]*)(?:(?P<kind>:?-)(?P<default>.*))?", re.DOTALL)


def interpolate(text: str, variables: Mapping[str, str]) -> str:
    """Return ``text`` with its variables replaced.

    >>> interpolate("geerlingguy/docker-${DISTRO:-debian12}-ansible", {})
    'geerlingguy/docker-debian12-ansible'
    """

    def replace(match: re.Match[str]) -> str:
        if match["escaped"]:
            return "$"
        if match["named"]:
            return variables.get(match["named"], "")
        parts = _BRACED.fullmatch(match["braced"])
        if parts is None:
            return match[0]
        value = variables.get(parts["name"])
        if parts["kind"] is None:
            return value or ""
        if value or (value is not None and parts["kind"] == "-"):
            return value
        default = parts["default"]
        return variables.get(default[1:], "") if default.startswith("$") else default

    return _VARIABLE.sub(replace, text)
