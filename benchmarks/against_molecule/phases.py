"""How long the phases of a run took, from the lines that it printed and when: pure.

Both commands are put into the same six phases; what is in none of them, such as reading the project, is ``other``.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import pairwise

PHASES = ("create", "deploy", "again", "verify", "compare", "destroy", "other")

OF_MOLECULE = {
    "create": "create",
    "prepare": "create",
    "converge": "deploy",
    "idempotence": "again",
    "verify": "verify",
    "destroy": "destroy",
}
OF_LABRIG = {
    "boot": "create",
    "production": "create",
    "prepare": "create",
    "deploy": "deploy",
    "deploy-again": "again",
    "verify": "verify",
    "capture": "compare",
    "restart": "compare",
    "compare": "compare",
    "explain": "compare",
}
_MOLECULE = re.compile(r"\[\S+ > (?P<action>[a-z_]+)\] (?P<what>Executing|Executed)")
_LABRIG = re.compile(r"^\[ *[\d.]+s\] (?P<path>fresh|upgrade|both) +(?P<step>[a-z-]+)(?: [0-9a-f]{12})?$")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")

Line = tuple[float, str]
"""A line, and the seconds after which it was printed."""


def of_molecule(lines: Iterable[Line], seconds: float) -> dict[str, float]:
    """Return the seconds of each phase of ``molecule test``, which did them one after the other."""
    found: dict[str, float] = defaultdict(float)
    began: dict[str, float] = {}
    for at, line in lines:
        match = _MOLECULE.search(_COLOURS.sub("", line))
        if match is None:
            continue
        action = match["action"]
        if match["what"] == "Executing":
            began[action] = at
        elif action in began:
            found[OF_MOLECULE.get(action, "other")] += at - began.pop(action)
    return _whole(found, seconds)


def of_labrig(lines: Iterable[Line], seconds: float) -> dict[str, float]:
    """Return the seconds of each phase of ``labrig prove``: of the path that ended last, and of what came after it.

    From the end of the comparison, the machines are removed.
    """
    steps: dict[str, list[Line]] = defaultdict(list)
    end = seconds
    for at, line in lines:
        match = _LABRIG.match(line.rstrip())
        if match:
            steps[match["path"]].append((at, match["step"]))
        elif " same-state " in line and line.startswith("["):
            end = at
    if not steps["both"]:
        # It ended before it compared, or it had its answer from before.
        return _whole({}, seconds)
    last = max(("fresh", "upgrade"), key=lambda path: steps[path][-1][0] if steps[path] else 0.0)
    found: dict[str, float] = defaultdict(float)
    for (began, step), (ended, _) in pairwise([*steps[last], *steps["both"], (end, "")]):
        found[OF_LABRIG.get(step, "other")] += max(0.0, ended - began)
    found["destroy"] = seconds - end
    return _whole(found, seconds)


def _whole(found: Mapping[str, float], seconds: float) -> dict[str, float]:
    known = {phase: found.get(phase, 0.0) for phase in PHASES if phase != "other"}
    return {**known, "other": max(0.0, seconds - sum(known.values()))}
