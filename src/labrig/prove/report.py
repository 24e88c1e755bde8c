"""A verdict as one self-contained HTML page, with the logs beside it."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from labrig import __version__
from labrig.errors import EnvironmentFailed
from labrig.prove import allowed, side_by_side, timeline
from labrig.prove.meaning import meaning
from labrig.prove.side_by_side import Row
from labrig.prove.verdict import PATH_CHECKS, PATHS, Finding, Kind, Verdict

PAGE = "index.html"
# The rest of the differences is folded up, so that one sees at a glance what there is.
OPEN = 3
# Lines of contents on one page, which a browser shows at once; those that come after it show only their first ones.
LINES = 20_000
FIRST_LINES = 30

KINDS: Mapping[Kind | None, str] = {
    "left behind": "production has it, and a fresh deployment does not make it",
    "not updated": "the upgrade leaves it as production has it",
    "created differently": "what the change makes is not the same on both",
    "changed at run time": "no task made it what it is: it changed while the machine ran",
    "only after a restart": "it shows once the machine has been restarted",
    None: "what made them differ is not known",
}
NO_KIND = "not classified"
NO_ROLE = "no role"

# What cannot be seen, or would turn the text around it, is shown as what it is.
_VISIBLE = {
    **{number: chr(0x2400 + number) for number in range(0x20) if chr(number) not in "\t\n"},
    0x7F: "\u2421",
    **{
        number: f"<U+{number:04X}>"
        for start, end in ((0x80, 0xA0), (0x200B, 0x2010), (0x202A, 0x202F), (0x2066, 0x206A), (0xFEFF, 0xFF00))
        for number in range(start, end)
    },
}


@dataclass(frozen=True)
class Group:
    """Differences of one class, by the role whose tasks touched them."""

    kind: str
    says: str
    roles: tuple[tuple[str, tuple[tuple[int, Finding], ...]], ...]

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(len(findings) for _, findings in self.roles)


def write(verdict: Verdict, directory: Path, logs: Path | None) -> Path:
    """Write the page, and copies of the logs if there are any; return the page's path.

    Raises:
        EnvironmentFailed: The directory cannot be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        names = []
        if logs is not None:
            target = directory / "logs"
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(logs, target)
            names = sorted(path.name for path in target.iterdir())
        page = directory / PAGE
        page.write_text(render(verdict, names), encoding="utf-8")
    except OSError as error:
        raise EnvironmentFailed(f"the report cannot be written to {directory}: {error}") from error
    return page


def render(verdict: Verdict, logs: list[str]) -> str:
    """Return the page: no script, no font and no picture from elsewhere, so that it opens from disk.

    Its policy lets a browser run the page's own script, by its hash, and load nothing.
    """
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=visible
    )
    environment.filters.update(value=_value, kind=_kind, role=_role, rest=_rest)
    script = part("report.js")
    grouped = groups(verdict.findings)
    return environment.from_string(part("report.html.j2")).render(
        verdict=verdict,
        meaning=meaning(verdict),
        checks={(check.name, check.path): check for check in verdict.checks},
        failed=[check for check in verdict.checks if check.result in ("fail", "error") and check.details],
        differing={(finding.check, finding.path) for finding in verdict.findings},
        rows=PATH_CHECKS,
        paths=PATHS,
        groups=grouped,
        contents=contents(grouped),
        facets=facets(verdict.findings),
        open=OPEN,
        time=timeline.lay_out(verdict.ran, _touched(verdict.findings)),
        rules=[one for one in verdict.ignored if one.rule != allowed.RULE],
        allowances=[one for one in verdict.ignored if one.rule == allowed.RULE],
        logs=logs,
        version=__version__,
        # These two are the page's own, and hold nothing of what was found.
        style=Markup(part("report.css")),  # noqa: S704
        script=Markup(script),  # noqa: S704
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def groups(findings: Iterable[Finding]) -> tuple[Group, ...]:
    """Return the differences by class and, within, by role; each with its number on the page, which counts from 1."""
    by_kind: dict[str, dict[str, list[Finding]]] = {}
    for finding in findings:
        by_kind.setdefault(_kind(finding), {}).setdefault(_role(finding), []).append(finding)
    number = 0
    found = []
    for kind, says in KINDS.items():
        roles = []
        for role, own in sorted(by_kind.get(kind or NO_KIND, {}).items(), key=lambda one: (one[0] == NO_ROLE, one[0])):
            roles.append((role, tuple(enumerate(own, number + 1))))
            number += len(own)
        if roles:
            found.append(Group(kind or NO_KIND, says, tuple(roles)))
    return tuple(found)


def contents(grouped: Iterable[Group]) -> dict[int, tuple[Row, ...]]:
    """Return the lines of each difference that has any, by its number; of some only the first where all are too many.

    What a page shows is so bounded that a browser shows it at once.
    """
    left = LINES
    found = {}
    for number, finding in (one for group in grouped for _, findings in group.roles for one in findings):
        lines = finding.diff.lines if finding.diff else ()
        if not lines:
            continue
        shown = lines if len(lines) <= left else lines[:FIRST_LINES]
        left -= len(shown)
        found[number] = side_by_side.rows(shown)
        if len(shown) < len(lines):
            found[number] += (Row(None, None, remark=f"{len(lines) - len(shown)} more lines are in the JSON form"),)
    return found


def facets(findings: tuple[Finding, ...]) -> tuple[tuple[str, tuple[tuple[str, int], ...]], ...]:
    """Return what one may filter by: each facet with its values and how often they occur, where there are several."""
    counts: dict[str, Counter[str]] = {
        "class": Counter(_kind(finding) for finding in findings),
        "dimension": Counter(finding.dimension for finding in findings),
        "role": Counter(_role(finding) for finding in findings),
        "check": Counter(finding.check for finding in findings),
    }
    return tuple((name, tuple(sorted(values.items()))) for name, values in counts.items() if len(values) > 1)


def _kind(finding: Finding) -> str:
    return finding.kind or NO_KIND


def _role(finding: Finding) -> str:
    """Return the role of the first task that touched it; a role of the change comes before one of production."""
    tasks = sorted(finding.tasks, key=lambda task: task.get("on") == "production")
    return next((str(task["role"]) for task in tasks if task.get("role")), NO_ROLE)


def _rest(finding: Finding) -> str:
    """Return the sentence without the name of what differs, which stands before it in bold."""
    key = finding.key.partition(": ")[2] or finding.key
    for name in (finding.key, key):
        before, found, after = finding.text.partition(name)
        if found and len(before.split()) <= 3:
            return after.lstrip(": ")
    return finding.text


def _touched(findings: Iterable[Finding]) -> set[timeline.Touched]:
    return {
        (str(task.get("on") or finding.path), str(task["task"]), str(task["path"]))
        for finding in findings
        for task in finding.tasks
    }


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def visible(value: Any) -> Any:
    """Return a text without what a page cannot hold, such as half of a name that is not UTF-8."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return value.translate(_VISIBLE).encode("utf-8", "backslashreplace").decode("utf-8")


def part(name: str) -> str:
    """Return a part of the page that is the same for all verdicts."""
    return (resources.files("labrig.prove") / name).read_text(encoding="utf-8")
