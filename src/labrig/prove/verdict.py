"""What a proof says: checks, differences, verdict, and their JSON form ``labrig.verdict/1``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

from labrig.errors import ExitCode
from labrig.prove.repository import Head
from labrig.state.content import ContentDiff

SCHEMA = "labrig.verdict/1"

CheckName = Literal["deploys", "idempotent", "verified", "survives-restart", "same-state"]
Compared = Literal["same-state", "idempotent", "survives-restart"]
PathName = Literal["fresh", "upgrade"]
Result = Literal["pass", "fail", "error", "skip"]
Decision = Literal["proven", "disproved", "error"]
Kind = Literal["left behind", "not updated", "created differently", "changed at run time", "only after a restart"]
Question = tuple[CheckName, PathName | None]

PATHS: tuple[PathName, ...] = ("fresh", "upgrade")
PATH_CHECKS: tuple[CheckName, ...] = ("deploys", "idempotent", "verified", "survives-restart")


@dataclass(frozen=True)
class Check:
    """One question and its answer.

    Attributes:
        path: The path that it was asked on; None for what compares both.
        reason: One sentence; for a check that passed, what it rests on.
        details: What was found, one mapping each: a failed task, a failed test, a change.
    """

    name: CheckName
    path: PathName | None
    result: Result
    reason: str = ""
    seconds: float = 0.0
    cached: bool = False
    details: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Finding:
    """One difference in a verdict.

    Attributes:
        path: The machine's path; None for ``same-state``, which compares both.
        left: The fields that differ on fresh, or before; None where there is no such thing.
        right: Likewise on upgrade, or after.
        text: What it is, one sentence.
        tasks: The tasks that touched it, or name it: ``task``, ``role``, ``path`` (file:line), ``result``, ``did``,
            which says what it did to it, and ``on``, which is fresh, upgrade or production.
        kind: The class of difference; None where it is not known.
        hint: What to do about it, one sentence.
        diff: How the contents differ, for a file.
        cause: Which task of which path brought it about, one sentence; empty where that is not known.
    """

    check: Compared
    path: PathName | None
    dimension: str
    key: str
    left: Mapping[str, Any] | None
    right: Mapping[str, Any] | None
    text: str
    package: str | None = None
    tasks: tuple[Mapping[str, Any], ...] = ()
    kind: Kind | None = None
    hint: str = ""
    diff: ContentDiff | None = None
    cause: str = ""


@dataclass(frozen=True)
class Ran:
    """One task of one playbook run on one host, or a whole step, for the time lines of a report.

    Attributes:
        path: None for what concerns both.
        step: ``production``, which makes or finds its snapshot, ``boot``, ``prepare``, ``deploy``, ``capture``,
            ``deploy-again``, ``verify``, ``restart``, ``compare`` or ``explain``.
        host: The machine; empty for a whole step, which has no task either.
        where: Where the task stands, ``file:line``.
        result: ok, changed, failed, skipped or unreachable.
        began: Seconds after the proof began.
        seconds: How long it took.
        inside: How many seconds of them its commands, or tests, ran; None where nobody measured that.
    """

    path: PathName | None
    step: str
    host: str
    task: str
    role: str | None
    where: str
    result: str
    began: float
    seconds: float
    inside: float | None = None


@dataclass(frozen=True)
class Ignored:
    """How often a rule applied."""

    rule: str
    reason: str
    count: int


@dataclass(frozen=True)
class Production:
    """Where production's state was taken from: ``kind`` is ref or image; ``id`` a commit or an image id."""

    kind: Literal["ref", "image"]
    name: str
    id: str


@dataclass(frozen=True)
class Verdict:
    """The answer of one proof.

    Attributes:
        notes: What is no reason to fail and yet to be known, one sentence each: of the project's own settings, and of
            what could not be found out about a difference.
        ran: What was done when, in the order in which it began.
        cached: It was answered from the store, of a proof whose inputs were all the same.
        made: When what it says was found out; for one that is cached, earlier.
    """

    project: str
    scenario: str
    platform: str
    head: Head
    production: Production | None
    seconds: float
    checks: tuple[Check, ...]
    findings: tuple[Finding, ...] = ()
    compared: int = 0
    ignored: tuple[Ignored, ...] = ()
    notes: tuple[str, ...] = field(default=())
    ran: tuple[Ran, ...] = ()
    cached: bool = False
    made: datetime | None = None

    @property
    def decision(self) -> Decision:
        """Disproved if a check failed; an error if one could not be asked; proven only if neither."""
        results = {check.result for check in self.checks}
        if "error" in results:
            return "error"
        if "fail" in results:
            return "disproved"
        asked = {(check.name, check.path) for check in self.checks if check.result == "pass"}
        needed = {("deploys", "fresh"), ("deploys", "upgrade"), ("same-state", None)}
        return "proven" if needed <= asked else "error"

    @property
    def exit_code(self) -> ExitCode:
        """The exit code that the decision stands for."""
        codes: dict[Decision, ExitCode] = {
            "proven": ExitCode.OK,
            "disproved": ExitCode.FAILED,
            "error": ExitCode.ENVIRONMENT,
        }
        return codes[self.decision]

    def as_json(self) -> dict[str, Any]:
        """Return the verdict in its JSON form."""
        return {
            "schema": SCHEMA,
            "project": self.project,
            "scenario": self.scenario,
            "platform": self.platform,
            "head": {"ref": self.head.ref, "commit": self.head.commit, "dirty": self.head.dirty},
            "production": None
            if self.production is None
            else {"kind": self.production.kind, "name": self.production.name, "id": self.production.id},
            "verdict": self.decision,
            "seconds": round(self.seconds, 3),
            "cached": self.cached,
            "made": None if self.made is None else self.made.isoformat(timespec="seconds"),
            "checks": [_check(check) for check in self.checks],
            "differences": [_finding(finding) for finding in self.findings],
            "compared": self.compared,
            "ignored": [{"rule": one.rule, "reason": one.reason, "count": one.count} for one in self.ignored],
            "notes": list(self.notes),
        }


def _check(check: Check) -> dict[str, Any]:
    return {
        "name": check.name,
        "path": check.path,
        "result": check.result,
        "seconds": round(check.seconds, 3),
        "cached": check.cached,
        "reason": check.reason,
        "details": [dict(detail) for detail in check.details],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    left, right = ("fresh", "upgrade") if finding.check == "same-state" else ("before", "after")
    found: dict[str, Any] = {
        "check": finding.check,
        "dimension": finding.dimension,
        "key": finding.key,
        left: None if finding.left is None else dict(finding.left),
        right: None if finding.right is None else dict(finding.right),
        "explanation": {
            "class": finding.kind,
            "package": finding.package,
            "tasks": [dict(task) for task in finding.tasks],
            "text": finding.text,
            "cause": finding.cause,
            "hint": finding.hint,
            "diff": None if finding.diff is None else asdict(finding.diff),
        },
    }
    if finding.check != "same-state":
        found["path"] = finding.path
    return found
