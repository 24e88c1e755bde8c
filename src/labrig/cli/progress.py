"""Showing a proof while it runs: a table that lives on a terminal, plain lines elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from labrig import clock
from labrig.cli.console import Alive, words
from labrig.prove import allowed
from labrig.prove.verdict import PATH_CHECKS, PATHS, Check, Finding, Question, Result, Verdict
from labrig.state.content import ContentDiff

SIGNS: dict[Result, tuple[str, str]] = {
    "pass": ("pass", "green"),
    "fail": ("FAIL", "bold red"),
    "error": ("ERROR", "bold magenta"),
    "skip": ("skip", "dim"),
}
# Findings beyond these are in the report; a terminal is not the place for hundreds.
SHOWN = 20
MESSAGE_LINES = 12
DIFF_LINES = 4


class Progress(Alive):
    """What a person sees of a proof; its methods may be called from several threads.

    Args:
        table: Whether the checks of a proof are shown as they are answered.
    """

    def __init__(self, *, table: bool = True) -> None:
        self._table = table
        super().__init__()
        self._began = clock.monotonic()
        self._steps: dict[str, str] = {}
        self._checks: dict[Question, Check] = {}
        self._lock = threading.Lock()

    def __rich__(self) -> RenderableType:
        with self._lock:
            steps = [
                Text(f"  {path}: {step}", style="dim", overflow="ellipsis", no_wrap=True)
                for path, step in self._steps.items()
            ]
            checks = [_table(self._checks)] if self._table else []
            return Group(*checks, *steps, Text(f"  {clock.monotonic() - self._began:.0f} s", style="dim"))

    def say(self, path: str, step: str, task: str) -> None:
        """Take note of a step that begins, or of a task within it."""
        with self._lock:
            self._steps[path] = f"{step}: {task}" if task else step
        # A line for each step, not for each task: a log is read afterwards.
        if not self.is_alive and not task:
            words.print(f"[{clock.monotonic() - self._began:6.1f}s] {path:<8} {step}", markup=False)

    def check(self, check: Check) -> None:
        """Take note of an answer."""
        with self._lock:
            self._checks[check.name, check.path] = check
        if not self.is_alive:
            sign, style = SIGNS[check.result]
            where = check.path or "both"
            line = Text(f"[{clock.monotonic() - self._began:6.1f}s] {where:<8} ")
            line.append(f"{check.name} {sign}", style=style)
            line.append(f": {_first_line(check.reason)}" if check.reason else "")
            words.print(line)

    def summary(self, verdict: Verdict) -> None:
        """Print the table and whatever failed, with all that a person needs to mend it."""
        checks = {(check.name, check.path): check for check in verdict.checks}
        words.print(_table(checks))
        print_reasons(verdict)


def _table(checks: dict[Question, Check]) -> Table:
    table = Table("", *PATHS, box=None, pad_edge=False, padding=(0, 2))
    for name in PATH_CHECKS:
        table.add_row(name, *(_cell(checks.get((name, path))) for path in PATHS))
    table.add_row("same-state", _cell(checks.get(("same-state", None))), "")
    return table


def _cell(check: Check | None) -> Text:
    if check is None:
        return Text("·", style="dim")
    sign, style = SIGNS[check.result]
    seconds = f" {check.seconds:.1f} s" if check.seconds and check.result != "skip" else ""
    seconds = " stored" if check.cached else seconds
    return Text(sign, style=style).append(seconds, style="dim")


def print_reasons(verdict: Verdict) -> None:
    """Print whatever failed, what was allowed, what is to be known, and what was proven against what."""
    for check in verdict.checks:
        if check.result in ("fail", "error"):
            print_failure(check, [one for one in verdict.findings if (one.check, one.path) == (check.name, check.path)])
    for one in verdict.ignored:
        if one.rule == allowed.RULE:
            words.print(f"allowed: {one.reason}" + (f", {one.count} times" if one.count > 1 else ""), markup=False)
    if verdict.cached and verdict.made is not None:
        words.print(f"from the store: nothing that decides it has changed since {_moment(verdict.made)}", markup=False)
    for note in verdict.notes:
        words.print(f"note: {note}", markup=False)
    words.print(
        f"{verdict.project}, scenario {verdict.scenario}, on {verdict.platform}; {_head(verdict)}; "
        f"{_production(verdict)}; {verdict.seconds:.1f} s",
        style="dim",
        markup=False,
    )


def print_failure(check: Check, findings: Sequence[Finding] = ()) -> None:
    """Print why a check failed, with all that a person needs to mend it."""
    where = f" on {check.path}" if check.path else ""
    words.print(Text(f"\n{check.name}{where}: ", style="bold").append(check.reason, style="not bold"))
    for finding in findings[:SHOWN]:
        _print_finding(finding)
    if len(findings) > SHOWN:
        words.print(f"  ... and {len(findings) - SHOWN} more; --report shows all", markup=False)
    # What a restart changed has just been told.
    details = () if findings and check.name == "survives-restart" else check.details
    for detail in details[:SHOWN]:
        if "task" in detail:
            at = f" ({detail['path']})" if detail["path"] else ""
            words.print(f"  - task '{detail['task']}'{at}, on {detail['host']}:", markup=False)
        elif "test" in detail:
            words.print(f"  - {detail['test']}:", markup=False)
        else:
            words.print(f"  - {detail.get('text', '')}", markup=False)
        lines = str(detail.get("message") or "").splitlines()
        for line in lines[:MESSAGE_LINES]:
            words.print(f"      {line}", markup=False)
        if len(lines) > MESSAGE_LINES:
            words.print(f"      ... {len(lines) - MESSAGE_LINES} more lines", markup=False)


def _print_finding(finding: Finding) -> None:
    kind = f" [{finding.kind}]" if finding.kind and not finding.text.endswith(finding.kind) else ""
    words.print(f"  - {finding.text}{kind}", markup=False)
    if finding.cause:
        words.print(f"      {finding.cause}", style="dim", markup=False)
    else:
        for task in finding.tasks[:2]:
            on = f" on {task['on']}" if "on" in task else ""
            words.print(f"      task '{task['task']}' ({task['path']}){on}", style="dim", markup=False)
    if finding.diff is not None:
        _print_diff(finding.diff)
    if finding.hint:
        words.print(f"      hint: {finding.hint}", markup=False)


def _print_diff(diff: ContentDiff) -> None:
    """Print the settings that differ, or else the first lines that do: both sides of them, and nothing around."""
    told = [f"{one.at}: {_value(one.left)} / {_value(one.right)}" for one in diff.changes]
    told = told or [line for line in diff.lines if line.startswith(("-", "+"))]
    for line in told[:DIFF_LINES]:
        words.print(f"        {line}", style="dim", markup=False)
    if len(told) > DIFF_LINES:
        words.print(f"        ... {len(told) - DIFF_LINES} more", style="dim", markup=False)
    elif not told and diff.summary:
        words.print(f"        {diff.summary}", style="dim", markup=False)


def _value(value: str | None) -> str:
    return "not set" if value is None else value


def _head(verdict: Verdict) -> str:
    head = verdict.head
    if not head.commit:
        return "change: the folder as it is"
    return f"change: {head.ref} ({head.commit[:12]}{', with uncommitted changes' if head.dirty else ''})"


def _production(verdict: Verdict) -> str:
    found = verdict.production
    if found is None:
        return "production: none"
    return f"production: {found.kind} {found.name} ({found.id.removeprefix('sha256:')[:12]})"


def _moment(made: datetime) -> str:
    return made.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def _first_line(text: str) -> str:
    return text.splitlines()[0] if text else ""
