"""What a person is told of the store: why a proof was made anew, and whether a stored one holds."""

from __future__ import annotations

from labrig.cli.console import words
from labrig.errors import ExitCode
from labrig.prove.inputs import Change
from labrig.prove.proof import Proven

SHOWN = 20


def print_outside(proven: Proven) -> None:
    """Print that this proof will not answer another, and the first reason."""
    if proven.outside:
        more = f", and {len(proven.outside) - 1} more: --why tells" if len(proven.outside) > 1 else ""
        words.print(f"not stored for the next time: {proven.outside[0]}{more}", style="dim", markup=False)


def print_why(proven: Proven) -> None:
    """Print which inputs have changed since the last proof, and what keeps this one from being stored."""
    newest = proven.found.newest
    if newest is None:
        words.print("why: no earlier proof of this scenario is stored")
    elif proven.verdict.cached:
        words.print(f"why: nothing has changed: {len(newest.deployed.inputs) + len(newest.verified.inputs)} inputs")
    else:
        when = newest.made.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        changes = proven.found.changes
        words.print(f"why: since the last proof, of {when}, {_count(changes)}", markup=False)
        for one in changes[:SHOWN]:
            words.print(f"  - {one.name}: {one.before} -> {one.now}", markup=False)
        if len(changes) > SHOWN:
            words.print(f"  ... and {len(changes) - SHOWN} more", markup=False)
        for reason in (*newest.deployed.outside, *newest.verified.outside):
            words.print(f"  - it hung on more than its inputs: {reason}", markup=False)
    for reason in proven.outside[:SHOWN]:
        words.print(f"why: not stored for the next time: {reason}", markup=False)


def print_audit(proven: Proven) -> ExitCode:
    """Print whether the stored proof holds; return the exit code: of the proof itself, or 1 where it does not."""
    audit = proven.audit
    if audit is None:
        words.print("audit: no stored proof would have answered: there is nothing to compare with")
        return proven.verdict.exit_code
    when = audit.made.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    if not audit.disagreements:
        words.print(f"audit: the proof of {when} holds: the machines are the same", markup=False)
        return proven.verdict.exit_code
    words.print(f"audit: the proof of {when} does not hold, although no input of it has changed:", markup=False)
    for one in audit.disagreements[:SHOWN]:
        words.print(f"  - {one}", markup=False)
    if len(audit.disagreements) > SHOWN:
        words.print(f"  ... and {len(audit.disagreements) - SHOWN} more", markup=False)
    words.print("  it is forgotten; something decides this proof that labrig does not see", markup=False)
    return ExitCode.FAILED


def _count(changes: tuple[Change, ...]) -> str:
    return (
        "nothing has changed"
        if not changes
        else f"{len(changes)} inputs have changed"
        if len(changes) > 1
        else "1 input has changed"
    )
