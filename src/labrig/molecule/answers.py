"""From states and a second deployment to what the verifier says: pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from labrig.ansible.playbook import PlaybookRun
from labrig.prove import allowed, checks
from labrig.prove.allowed import Allowed
from labrig.prove.verdict import Finding
from labrig.state.explain import sentence
from labrig.state.model import State

# Platforms called so are one machine on two ways to its state, here as in a proof.
USUAL_PAIR = ("fresh", "production")


@dataclass(frozen=True)
class Answer:
    """The answer to one question; ``lines`` tell what was found, one thing each."""

    question: str
    passed: bool
    reason: str
    lines: tuple[str, ...] = ()


def idempotent(
    run: PlaybookRun, before: Mapping[str, State], after: Mapping[str, State], allowances: Sequence[Allowed]
) -> Answer:
    """Answer whether a second deployment changed nothing, by what Ansible reports and by what is on the machines."""
    check, findings, _ = checks.idempotent("fresh", run, before, after, 0.0, allowances=allowances)
    tasks = (
        f"{one['host']}: task '{one['task']}' ({one['path'] or 'no file'}) reports a change" for one in check.details
    )
    lines = (*(tasks if run.ok else ()), *(_on_machine(one, len(before)) for one in findings))
    return Answer(check.name, check.result == "pass", check.reason, lines)


def _on_machine(finding: Finding, machines: int) -> str:
    """Return a difference in words, with its machine where there are several."""
    machine = finding.key.partition(": ")[0] + ": " if machines > 1 else ""
    return f"{machine}{finding.text}"


def same_state(states: Mapping[str, State], machines: Sequence[str], allowances: Sequence[Allowed]) -> Answer:
    """Answer whether machines are in the same state; each is compared with the first one that is named."""
    first, *others = machines
    lines: list[str] = []
    compared = 0
    for other in others:
        differences, _, count = checks.across(
            {first: states[first]}, {first: states[other]}, allowances=allowed.of("same-state", allowances)
        )
        compared += count
        lines += (sentence(checks.masked_difference(one), left=first, right=other) for _, one in differences)
    if not lines:
        return Answer("same-state", passed=True, reason=f"{compared} things compared, none differs")
    reason = "1 thing differs" if len(lines) == 1 else f"{len(lines)} things differ"
    return Answer("same-state", passed=False, reason=reason, lines=tuple(lines))


def compared_machines(asked: Sequence[str] | None, names: Sequence[str]) -> tuple[str, ...]:
    """Return which machines have to be in the same state: those that the scenario names, else fresh and production.

    >>> compared_machines(None, ["production", "fresh"])
    ('fresh', 'production')
    >>> compared_machines(None, ["debian", "rocky"])
    ()
    """
    if asked is not None:
        return tuple(asked)
    return USUAL_PAIR if set(USUAL_PAIR) <= set(names) else ()
