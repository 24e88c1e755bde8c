"""What a verdict means for servers, in one line: pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from labrig.prove import allowed
from labrig.prove.verdict import CheckName, Decision, Question, Result, Verdict


def meaning(verdict: Verdict) -> str:
    """Return the last line of a proof.

    The gravest thing comes first: what cannot be deployed, then what is not as the tests want it, then what differs.
    """
    if verdict.decision == "proven":
        count = sum(one.count for one in verdict.ignored if one.rule == allowed.RULE)
        but = f" but for {count} allowed difference{'s' if count > 1 else ''}" if count else ""
        return f"safe: new and old servers end up the same{but}, and a second run changes nothing"
    statements = _statements(verdict)
    if verdict.decision == "error":
        unanswered = next(
            (check.reason for check in verdict.checks if check.result == "error"), "a check could not be made"
        )
        said = f"; so far: {'; '.join(statements)}" if statements else ""
        return f"no verdict: {_first_line(unanswered)}{said}"
    return "; ".join(statements)


def summary(verdicts: Sequence[Verdict]) -> str:
    """Return the last line of several proofs: how many are what.

    For example ``safe in each of 5 proofs``, or ``1 disproved, 1 error, 3 proven``.
    """
    counts = Counter(verdict.decision for verdict in verdicts)
    if counts["proven"] == len(verdicts):
        return "safe in the one proof" if len(verdicts) == 1 else f"safe in each of {len(verdicts)} proofs"
    order: tuple[Decision, ...] = ("disproved", "error", "proven")
    said = {"error": "errors" if counts["error"] > 1 else "error"}
    return ", ".join(f"{counts[one]} {said.get(one, one)}" for one in order if counts[one])


def _statements(verdict: Verdict) -> list[str]:
    results = {(check.name, check.path): check.result for check in verdict.checks}
    found = [
        _of_paths(
            results,
            "deploys",
            {
                (True, False): "works only where it is already installed: it cannot set up a new server",
                (False, True): "works only on new servers: it fails on those in production",
                (True, True): "cannot be deployed, neither on new servers nor on old ones",
            },
        ),
        _of_paths(
            results,
            "verified",
            {
                (True, False): "new servers do not get what the tests want, while old ones have it",
                (False, True): "old servers stay as they are: tests that pass on new servers fail on them",
                (True, True): "servers are not what the tests want",
            },
        ),
        "old and new servers end up different" if results.get(("same-state", None)) == "fail" else "",
        _of_paths(
            results,
            "idempotent",
            {
                (True, False): "changes something every time it runs, on new servers",
                (False, True): "changes something every time it runs, on old servers",
                (True, True): "changes something every time it runs",
            },
        ),
        _of_paths(
            results,
            "survives-restart",
            {
                (True, False): "new servers are not the same after a restart",
                (False, True): "old servers are not the same after a restart",
                (True, True): "servers are not the same after a restart",
            },
        ),
    ]
    return [one for one in found if one]


def _of_paths(results: Mapping[Question, Result], name: CheckName, words: dict[tuple[bool, bool], str]) -> str:
    return words.get((results.get((name, "fresh")) == "fail", results.get((name, "upgrade")) == "fail"), "")


def _first_line(text: str) -> str:
    return text.splitlines()[0] if text else text
