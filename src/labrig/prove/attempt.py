"""Both paths of one proof: taken at once, compared, explained; or only tested again; and stored."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

from labrig import clock
from labrig.ansible.events import Ended
from labrig.errors import EnvironmentFailed, LabrigError, UsageError
from labrig.prove import checks, explaining, production, reuse, snapshots
from labrig.prove.explaining import Before
from labrig.prove.inputs import Trace
from labrig.prove.outcome import Outcome, Start, States, Terms
from labrig.prove.path import PathTaken
from labrig.prove.production import Chosen, FromImages
from labrig.prove.repository import Repository
from labrig.prove.reuse import Reuse
from labrig.prove.run import Run, Say
from labrig.prove.snapshots import Snapshot, Source
from labrig.prove.store import Answer, Stored
from labrig.prove.verdict import PATHS, Check, Finding, Ignored, PathName, Ran, Verdict
from labrig.state.explain import sentence
from labrig.state.keyless import keyless
from labrig.state.model import State


@dataclass(frozen=True)
class Audit:
    """A stored proof, held against what came of doing it again.

    Attributes:
        made: When the stored one was made.
        disagreements: What is otherwise, one sentence each; empty where it holds.
    """

    made: datetime
    disagreements: tuple[str, ...]


Taken = TypeVar("Taken")
OnCheck = Callable[[Check], None]
ImageOf = Callable[[str], str]


@dataclass(frozen=True)
class Answers:
    """What came of an attempt: the parts of a verdict; ``logs`` are files of the run's folder, by name."""

    checks: tuple[Check, ...]
    findings: tuple[Finding, ...]
    ignored: tuple[Ignored, ...]
    compared: int
    logs: Mapping[str, Path]
    ran: tuple[Ran, ...]
    notes: tuple[str, ...]


def of_store(answer: Answer) -> Answers:
    """Return what a stored proof says."""
    checks_cached = tuple(dataclasses.replace(check, cached=True) for check in answer.checks)
    return Answers(checks_cached, (), answer.ignored, answer.compared, {}, answer.ran, ())


class Attempt:
    """The two paths of one proof, and what comes of them."""

    def __init__(
        self,
        run: Run,
        chosen: Chosen,
        repository: Repository | None,
        terms: Terms,
        reuse: Reuse,
        *,
        images: Mapping[str, str],
        image_of: ImageOf,
        say: Say,
        on_check: OnCheck,
        explain: bool,
        max_age: timedelta,
    ) -> None:
        self._run = run
        self._chosen = chosen
        self._repository = repository
        self._terms = terms
        self._reuse = reuse
        self._images = images
        self._max_age = max_age
        self._image_of = image_of
        self._say = say
        self._on_check = on_check
        self._explain = explain
        # Where the upgrade path begins; known once production's snapshots are.
        self._production = Start("upgrade", {})
        self._source: Source | None = None
        self._before: Before | None = None
        self._notes: list[str] = []
        self._outcomes: dict[PathName, Outcome] = {}
        # The proof whose machines were tested again, and what decided them.
        self._known: Stored | None = None
        self._production_trace = Trace()

    def take(self, known: Stored | None) -> Answers:
        """Take both paths at once and compare what they led to.

        ``known`` is an earlier proof with machines that only need to be tested.
        """
        if known is not None:
            answers = self._test(known)
            if answers is not None:
                return answers
        return self._answers(
            self._both({"fresh": lambda: self._path(Start("fresh", self._images)), "upgrade": self._upgrade})
        )

    def audit(self, known: Stored, verdict: Verdict) -> Audit:
        """Compare what a stored proof says with what came of doing it again; it is forgotten where they disagree."""
        found: list[str] = [] if verdict.decision == "proven" else [f"it says proven, and is {verdict.decision}"]
        for path, outcome in self._outcomes.items():
            if outcome.looked is None:
                continue
            stored = {name: known.state(path, name) for name in outcome.looked.settled}
            now = {name: State.parse(keyless(one.lines())) for name, one in outcome.looked.settled.items()}
            differences, _, _ = checks.across(stored, now)
            found += [
                f"{path}: {sentence(checks.masked_difference(one), left='stored', right='now')}"
                for _, one in differences
            ]
        if found:
            self._reuse.drop(known)
        return Audit(known.made, tuple(found))

    def store(self, verdict: Verdict) -> tuple[str, ...]:
        """Store a proof that went well; return why it will not answer another, if so."""
        self._say("both", "store", "")
        answer = Answer(verdict.checks, verdict.ignored, verdict.compared, verdict.ran, verdict.seconds, verdict.made)
        deployed, verified = self._reuse.traces(self._run, self._terms, self._outcomes)
        if self._known is not None:
            self._reuse.keep_tests(self._known, verified, answer)
            return verified.outside
        whole = deployed | self._production_trace
        self._reuse.keep(self._run, whole, verified, answer, self._outcomes)
        return (*whole.outside, *verified.outside)

    def _test(self, known: Stored) -> Answers | None:
        """Run the tests on machines that were deployed before; None where those are not what they were."""
        assert known.answer is not None  # noqa: S101  # only such a proof is found
        answered = {(check.name, check.path): check for check in of_store(known.answer).checks}

        def take(start: Start) -> Outcome | None:
            of_path = {name: check for (name, path), check in answered.items() if path == start.name}
            try:
                states = {machine: known.state(start.name, machine) for machine in start.images}
            except OSError:
                # Another labrig has just pruned it.
                return None
            terms = dataclasses.replace(self._terms, fingerprints="")
            taken = PathTaken(self._run, terms, start, self._say, self._on_check)
            try:
                outcome = taken.verify_again(states, of_path)
            except EnvironmentFailed:
                # Everything can be done anew, unless it was asked to stop.
                self._run.check()
                outcome = None
            if outcome is None:
                taken.remove()
            return outcome

        starts = self._reuse.starts(known)
        futures = self._both({path: partial(take, start) for path, start in starts.items()})
        taken = {path: None if one.exception() else one.result() for path, one in futures.items()}
        outcomes = {path: one for path, one in taken.items() if one is not None}
        if len(outcomes) < len(PATHS):
            self._notes.append("the machines of the stored proof are not what they were: everything was done again")
            return None
        self._known, self._outcomes = known, outcomes
        same = answered["same-state", None]
        self._on_check(same)
        found = tuple(check for path in PATHS for check in outcomes[path].checks)
        findings = tuple(one for path in PATHS for one in outcomes[path].findings)
        ignored = (*known.answer.ignored, *(one for path in PATHS for one in outcomes[path].ignored))
        logs = {name: log for path in PATHS for name, log in outcomes[path].logs.items()}
        ran = tuple(one for path in PATHS for one in outcomes[path].ran)
        return Answers((*found, same), findings, _summed([*ignored]), known.answer.compared, logs, ran, ())

    def _both(self, take: Mapping[PathName, Callable[[], Taken]]) -> dict[PathName, Future[Taken]]:
        with ThreadPoolExecutor(max_workers=len(PATHS), thread_name_prefix="path") as pool:
            futures = {path: pool.submit(self._own, one) for path, one in take.items()}
            try:
                wait(futures.values(), return_when=FIRST_EXCEPTION)
                if any(future.done() and future.exception() for future in futures.values()):
                    # Nothing will be proven any more: what the other path finds would come too late.
                    self._run.cancel()
            except KeyboardInterrupt:
                self._run.cancel()
                raise
        return futures

    def _own(self, take: Callable[[], Taken]) -> Taken:
        try:
            return take()
        except EnvironmentFailed:
            # What fails once the run was stopped, fails because of that: its machines are gone.
            self._run.check()
            raise

    def _path(self, start: Start) -> Outcome:
        return PathTaken(self._run, self._terms, start, self._say, self._on_check).take()

    def _upgrade(self) -> Outcome:
        began = clock.now().timestamp() - self._terms.began
        found, self._production_trace = self._production_snapshots()
        seconds = clock.now().timestamp() - self._terms.began - began
        prepared = snapshots.preparation(self._terms.scenario)
        self._production = Start(
            "upgrade",
            images={name: snapshot.image for name, snapshot in found.items()},
            mounted={name: snapshot.mounted for name, snapshot in found.items() if snapshot.mounted},
            # Both paths stand on the same ground: what was prepared otherwise, or elsewhere, is prepared again.
            prepare=any(snapshot.prepared != prepared for snapshot in found.values()),
        )
        outcome = self._path(self._production)
        made = Ran("upgrade", "production", "", "", None, "", "", began, seconds)
        return dataclasses.replace(outcome, ran=(made, *outcome.ran))

    def _production_snapshots(self) -> tuple[Mapping[str, Snapshot], Trace]:
        chosen = self._chosen
        if isinstance(chosen, FromImages):
            return chosen.snapshots, Trace()
        assert self._repository is not None  # noqa: S101  # a ref is of a repository
        terms = self._terms
        folder = self._run.folder / "production-tree"
        source = production.source(chosen, terms.scenario, self._repository, folder, terms.environment, self._image_of)
        self._source = source
        found, trace = snapshots.build(
            self._run,
            source,
            terms.origin,
            terms.environment,
            timeout=terms.timeout,
            say=self._say,
            store=self._reuse.store,
            max_age=self._max_age,
        )
        return found, reuse.beyond_tree(trace)

    def _answers(self, futures: Mapping[PathName, Future[Outcome]]) -> Answers:
        found: list[Check] = []
        findings: list[Finding] = []
        ignored: list[Ignored] = []
        logs: dict[str, Path] = {}
        ran: list[Ran] = []
        outcomes: dict[PathName, Outcome] = {}
        failure = self._failure(futures)
        for path, future in futures.items():
            if future.exception() is None:
                outcomes[path] = future.result()
                found += future.result().checks
                findings += future.result().findings
                ignored += future.result().ignored
                logs.update(future.result().logs)
                ran += future.result().ran
            else:
                own = future.exception() is failure
                reason = words_of(failure) if own else "stopped: the other path could not be taken"
                found.append(Check("deploys", path, "error" if own else "skip", reason))
                found += checks.skipped(path, {"deploys"}, "the path could not be taken")
        self._outcomes = outcomes
        with self._timed("compare", ran):
            same, more, hidden, compared = self._same_state(outcomes)
        self._on_check(same)
        summed = _summed([*ignored, *hidden])
        with self._timed("explain", ran):
            explained = self._explained((*findings, *more), outcomes)
        return Answers((*found, same), explained, summed, compared, logs, tuple(ran), tuple(self._notes))

    @contextlib.contextmanager
    def _timed(self, step: str, ran: list[Ran]) -> Iterator[None]:
        began = clock.now().timestamp()
        yield
        seconds = clock.now().timestamp() - began
        ran.append(Ran(None, step, "", "", None, "", "", began - self._terms.began, seconds))

    def _failure(self, futures: Mapping[PathName, Future[Outcome]]) -> BaseException | None:
        """Return what ended the proof: the first error that is no consequence of stopping the other path."""
        errors = [error for error in (future.exception() for future in futures.values()) if error is not None]
        for error in errors:
            if not isinstance(error, LabrigError):
                raise error
            if isinstance(error, UsageError):
                raise error
        return next((error for error in errors if isinstance(error, EnvironmentFailed)), errors[0] if errors else None)

    def _same_state(
        self, outcomes: Mapping[PathName, Outcome]
    ) -> tuple[Check, tuple[Finding, ...], tuple[Ignored, ...], int]:
        states = {path: outcome.deployed for path, outcome in outcomes.items() if outcome.deployed is not None}
        missing = [path for path in PATHS if path not in states]
        if missing:
            reason = f"there is no state of {' and '.join(missing)} to compare"
            return Check("same-state", None, "skip", reason), (), (), 0
        self._say("both", "compare", "")
        began = clock.monotonic()
        tasks: dict[PathName, tuple[Ended, ...]] = {path: outcome.tasks for path, outcome in outcomes.items()}
        return checks.same_state(
            states["fresh"],
            states["upgrade"],
            tasks,
            lambda: clock.monotonic() - began,
            self._look_at_production,
            allowances=self._terms.allowed,
        )

    def _look_at_production(self) -> States | None:
        """Return production's states before the upgrade; None if they cannot be had, which only makes words vaguer."""
        start = dataclasses.replace(self._production, machines="production-before")
        taken = PathTaken(self._run, self._terms, start, lambda *_: None, self._on_check)
        try:
            self._before = Before(taken.look(), taken)
        except EnvironmentFailed as error:
            reason = "production's state before the upgrade could not be read, so that classes are told without it"
            self._notes.append(f"{reason}: {error.message}")
            return None
        return self._before.states

    def _explained(self, findings: tuple[Finding, ...], outcomes: Mapping[PathName, Outcome]) -> tuple[Finding, ...]:
        if not findings:
            return findings
        known = explaining.Known(
            outcomes,
            self._before,
            fresh=Start("fresh", self._images),
            upgrade=self._production,
            source=self._source,
            production=self._chosen.production,
        )
        try:
            told, lost = explaining.explained(self._run, self._terms, findings, known, self._say, watch=self._explain)
        except KeyboardInterrupt:
            self._run.cancel()
            raise
        self._notes += lost
        return told


def words_of(error: BaseException | None) -> str:
    """Return what a person is told of an error."""
    if isinstance(error, LabrigError):
        return error.message + (f" (hint: {error.hint})" if error.hint else "")
    return str(error)


def _summed(ignored: list[Ignored]) -> tuple[Ignored, ...]:
    counts: dict[tuple[str, str], int] = {}
    for one in ignored:
        counts[one.rule, one.reason] = counts.get((one.rule, one.reason), 0) + one.count
    return tuple(Ignored(rule, reason, count) for (rule, reason), count in sorted(counts.items()))
