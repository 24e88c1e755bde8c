"""The sweep of a lab host: experiments whose branch is gone or whose time is over are removed, as a delete does it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from labrig.errors import EnvironmentFailed, LabrigError
from labrig.experiments import branches, plan, sweep
from labrig.experiments.carrying import Carrier
from labrig.experiments.failing import StepFailed
from labrig.experiments.host.locks import HOST, Lock
from labrig.experiments.listing import Listed
from labrig.experiments.naming import Names
from labrig.experiments.running import Runner
from labrig.experiments.steps import RunHook
from labrig.experiments.survey import Survey, as_found, survey
from labrig.experiments.sweep import Found

WHO = f"{HOST}, which sweeps it"
# Git servers that do not answer hold up the sweep for so long; of their experiments only the time counts.
GIT_SECONDS = 30.0
REPOSITORIES_AT_ONCE = 8
# Most of a removal is the engine's work, and that does one thing after the other.
REMOVALS_AT_ONCE = 4

Result = Literal["removed", "would be removed", "busy", "failed"]


@dataclass(frozen=True)
class Swept:
    """What became of an experiment that is over.

    Attributes:
        app: Its application.
        name: Its name.
        branch: Its branch.
        reason: Why it is over.
        result: What became of it; one that is busy goes in a later sweep.
        error: Why it failed, or which command on_delete did.
    """

    app: str
    name: str
    branch: str
    reason: str
    result: Result
    error: str = ""

    def __str__(self) -> str:
        more = f" ({self.error})" if self.error else ""
        return f"{self.result}  {self.app}/{self.name}: {self.reason}{more}"


Branches = Mapping[str, frozenset[str] | None]


def ask(runner: Runner, repositories: Iterable[str], tell: Callable[[str], object]) -> Branches:
    """Return the branches of repositories; None for those that cannot be asked.

    Args:
        runner: Runs git on the host.
        repositories: Their URLs.
        tell: Is told why one cannot be asked.
    """

    def asked(repository: str) -> frozenset[str] | None:
        done = runner.run(branches.question(repository), seconds=GIT_SECONDS)
        try:
            return frozenset(branches.reached(done, repository, runner.host))
        except EnvironmentFailed as error:
            tell(f"{error.message}; only the time of its experiments counts")
            return None

    wanted = sorted({one for one in repositories if one})
    with ThreadPoolExecutor(REPOSITORIES_AT_ONCE) as pool:
        return dict(zip(wanted, pool.map(asked, wanted), strict=True))


def judged(experiments: Iterable[Listed], there: Branches, now: datetime) -> list[tuple[Listed, str]]:
    """Return the experiments that are over, each with the reason."""
    by_names = {one.names: one for one in experiments}
    found = [Found(one.names, one.repository, one.branch, one.end, one.pinned) for one in by_names.values()]
    return [(by_names[one.names], reason) for one, reason in sweep.over(found, there, now)]


def remove_all(
    runner: Runner, over: Iterable[tuple[Listed, str]], there: Branches, now: datetime, tell: Callable[[Swept], object]
) -> list[Swept]:
    """Remove experiments, several at once; tell of each when it is done."""

    def removed(one: tuple[Listed, str]) -> Swept | None:
        swept = _removed(runner, *one, there, now)
        if swept is not None:
            tell(swept)
        return swept

    with ThreadPoolExecutor(REMOVALS_AT_ONCE) as pool:
        return [swept for swept in pool.map(removed, over) if swept is not None]


def _removed(runner: Runner, one: Listed, reason: str, there: Branches, now: datetime) -> Swept | None:
    """Remove an experiment; None where it turns out not to be over."""
    names = one.names
    error = ""
    result: Result = "removed"
    with Lock(names) as lock:
        try:
            if not lock.wait(WHO):
                return Swept(names.app, names.name, one.branch, reason, "busy", lock.holder())
            found = survey(runner, names, host="")
            # Until it was locked, somebody may have deployed it again, of a branch that nobody has asked for, or
            # deleted or pinned it. What was deployed again is judged by the next sweep.
            if (found.record.deployed if found.record else "") != one.deployed:
                return None
            if found.record is not None and not sweep.over([Found.of(names, found.record)], there, now):
                return None
            error = _carried_out(runner, names, found)
        except LabrigError as failure:
            result, error = "failed", failure.message
    return Swept(names.app, names.name, one.branch, reason, result, error)


def _carried_out(runner: Runner, names: Names, found: Survey) -> str:
    """Remove all of an experiment; return which commands on_delete failed, and how."""
    at = as_found(names, found)
    # What commands write is told to nobody: the journal keeps it, and it may have passwords in it.
    carrier = Carrier(runner, at)
    failures = []
    for step in plan.delete(found.standing, hooks=frozenset(at.kept.on_delete)):
        try:
            carrier.carry_out([step])
        except StepFailed as failure:
            # Nobody is there to mend it, and one that nobody needs shall not fill the disk for ever.
            if not isinstance(step, RunHook):
                raise
            failures.append(f"on_delete of {step.service}: {failure.message}")
    return "; ".join(failures)
