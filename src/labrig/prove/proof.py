"""The proof: both paths at once, then the comparison, then the verdict."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from labrig import clock
from labrig.ansible import scenario as scenarios
from labrig.ansible.events import Ended
from labrig.ansible.scenario import Scenario
from labrig.engine.machines import require_image
from labrig.errors import EnvironmentFailed, LabrigError, UsageError
from labrig.prove import allowed, checks, configuration, explaining, platforms, production, snapshots
from labrig.prove.configuration import Configuration
from labrig.prove.explaining import Before
from labrig.prove.path import Outcome, PathTaken, Start, States, Terms
from labrig.prove.production import Chosen, FromImages
from labrig.prove.repository import NO_HEAD, Repository
from labrig.prove.run import Run, Say
from labrig.prove.snapshots import Snapshot, Source
from labrig.prove.verdict import PATHS, Check, Finding, Ignored, PathName, Ran, Verdict


@dataclass(frozen=True)
class Options:
    """What a proof was asked for; what is None comes from labrig.yml or from the project itself."""

    project: Path
    scenario: str | None = None
    production: str | None = None
    playbook: Path | None = None
    image: str | None = None
    images: Mapping[str, str] = field(default_factory=dict)
    keep: bool = False
    timeout: float | None = None
    restart: bool | None = None
    explain: bool = True


@dataclass(frozen=True)
class Proven:
    """A verdict with what goes beside it.

    Attributes:
        logs: The folder of all that was said; None for a proof that went well.
        machines: The containers that were kept.
    """

    verdict: Verdict
    logs: Path | None
    machines: tuple[str, ...]


OnCheck = Callable[[Check], None]
ImageOf = Callable[[str], str]


def load(options: Options, environment: Mapping[str, str]) -> tuple[Scenario, Configuration]:
    """Read the project: its settings and the scenario to prove.

    Raises:
        UsageError: There is none, or it cannot be read.
    """
    project = options.project.resolve()
    if not project.is_dir():
        raise UsageError(f"{options.project} is not a folder", hint="name the project's folder with --project DIR")
    settings = configuration.read(project)
    if options.playbook is not None:
        if options.image is None:
            raise UsageError(
                "--playbook needs an image for its machine",
                hint="add --image NAME, for example labrig/debian-12:latest",
            )
        playbook = options.playbook if options.playbook.is_absolute() else project / options.playbook
        if not playbook.is_file():
            raise UsageError(f"playbook {playbook} does not exist")
        if not playbook.resolve().is_relative_to(project):
            raise UsageError(
                f"playbook {playbook} is not in the project {project}", hint="name the project with --project DIR"
            )
        return scenarios.of_playbook(project, playbook, options.image), settings
    file = scenarios.choose(project, options.scenario or settings.scenario)
    return scenarios.load(project, file, environment), settings


def terms(options: Options, scenario: Scenario, settings: Configuration, environment: Mapping[str, str]) -> Terms:
    """Return what holds for every path, from what was asked and what labrig.yml says; it begins now."""
    now = clock.now()
    return Terms(
        scenario,
        origin=scenario.project,
        environment=environment,
        timeout=options.timeout or settings.timeout.total_seconds(),
        restart=settings.restart if options.restart is None else options.restart,
        allowed=allowed.holding(settings.allowed, now.date()),
        began=now.timestamp(),
    )


def prove(options: Options, environment: Mapping[str, str], *, say: Say, on_check: OnCheck) -> Proven:
    """Prove the project's change.

    Args:
        options: What is proven, against what.
        environment: The environment that labrig was called with.
        say: Called with path and step as each step begins, from several threads.
        on_check: Called with each check as it is answered.

    Raises:
        UsageError: The call or the project is wrong; nothing was started.
        EnvironmentFailed: There is no engine.
        KeyboardInterrupt: The user asked to stop; everything is removed.
    """
    began = clock.monotonic()
    today = clock.now().date()
    scenario, settings = load(options, environment)
    held = terms(options, scenario, settings, environment)
    substitutions = {**settings.images, **options.images}

    def image_of(image: str) -> str:
        return platforms.image_for(image, substitutions)

    repository = Repository.of(scenario.project)
    project = scenario.project.name
    with Run(project, keep=options.keep) as run:
        chosen = production.choose(
            run.client,
            scenario,
            repository,
            asked=options.production,
            configured=settings.production,
            main=settings.main,
        )
        outcome = _Proof(
            run, chosen, repository, held, image_of=image_of, say=say, on_check=on_check, explain=options.explain
        ).take()
        verdict = Verdict(
            project=project,
            scenario=scenario.name,
            platform=", ".join(image_of(platform.image) for platform in scenario.platforms),
            head=repository.head() if repository else NO_HEAD,
            production=chosen.production,
            seconds=clock.monotonic() - began,
            checks=outcome.checks,
            findings=outcome.findings,
            compared=outcome.compared,
            ignored=outcome.ignored,
            notes=(*allowed.notes(settings.allowed, today, outcome.checks, outcome.ignored), *outcome.notes),
            ran=outcome.ran,
        )
        logs = run.save_logs(outcome.logs) if verdict.decision != "proven" else None
        return Proven(verdict, logs, tuple(machine.container for machine in run.machines) if options.keep else ())


def unanswered(options: Options, error: EnvironmentFailed) -> Verdict:
    """Return the verdict of a proof that could not even start."""
    project = options.project.resolve()
    try:
        repository = Repository.of(project) if project.is_dir() else None
    except EnvironmentFailed:
        repository = None
    found = [Check("deploys", path, "error", error.message) for path in PATHS]
    found += [check for path in PATHS for check in checks.skipped(path, {"deploys"}, "the path could not be taken")]
    found.append(Check("same-state", None, "skip", "there is nothing to compare"))
    return Verdict(
        project=project.name,
        scenario=options.scenario or "",
        platform="",
        head=repository.head() if repository else NO_HEAD,
        production=None,
        seconds=0.0,
        checks=tuple(found),
    )


@dataclass(frozen=True)
class _Answers:
    checks: tuple[Check, ...]
    findings: tuple[Finding, ...]
    ignored: tuple[Ignored, ...]
    compared: int
    logs: Mapping[str, Path]
    ran: tuple[Ran, ...]
    notes: tuple[str, ...]


class _Proof:
    """The two paths of one proof, and what comes of them."""

    def __init__(
        self,
        run: Run,
        chosen: Chosen,
        repository: Repository | None,
        terms: Terms,
        *,
        image_of: ImageOf,
        say: Say,
        on_check: OnCheck,
        explain: bool,
    ) -> None:
        self._run = run
        self._chosen = chosen
        self._repository = repository
        self._terms = terms
        self._image_of = image_of
        self._say = say
        self._on_check = on_check
        self._explain = explain
        # Where the upgrade path begins; known once production's snapshots are.
        self._production = Start("upgrade", {})
        self._source: Source | None = None
        self._before: Before | None = None
        self._notes: list[str] = []

    def take(self) -> _Answers:
        """Take both paths at once and compare what they led to."""
        images = self._images()
        for image in dict.fromkeys(images.values()):
            require_image(self._run.client, image)
        with ThreadPoolExecutor(max_workers=len(PATHS), thread_name_prefix="path") as pool:
            futures: dict[PathName, Future[Outcome]] = {
                "fresh": pool.submit(self._own, lambda: self._path(Start("fresh", images))),
                "upgrade": pool.submit(self._own, self._upgrade),
            }
            try:
                wait(futures.values(), return_when=FIRST_EXCEPTION)
                if any(future.done() and future.exception() for future in futures.values()):
                    # Nothing will be proven any more: what the other path finds would come too late.
                    self._run.cancel()
            except KeyboardInterrupt:
                self._run.cancel()
                raise
        return self._answers(futures)

    def _own(self, take: Callable[[], Outcome]) -> Outcome:
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
        found = self._production_snapshots()
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

    def _production_snapshots(self) -> Mapping[str, Snapshot]:
        chosen = self._chosen
        if isinstance(chosen, FromImages):
            return chosen.snapshots
        assert self._repository is not None  # noqa: S101  # a ref is of a repository
        terms = self._terms
        folder = self._run.folder / "production-tree"
        source = production.source(chosen, terms.scenario, self._repository, folder, terms.environment, self._image_of)
        self._source = source
        return snapshots.build(self._run, source, terms.origin, terms.environment, timeout=terms.timeout, say=self._say)

    def _answers(self, futures: Mapping[PathName, Future[Outcome]]) -> _Answers:
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
                reason = _words(failure) if own else "stopped: the other path could not be taken"
                found.append(Check("deploys", path, "error" if own else "skip", reason))
                found += checks.skipped(path, {"deploys"}, "the path could not be taken")
        with self._timed("compare", ran):
            same, more, hidden, compared = self._same_state(outcomes)
        self._on_check(same)
        summed = _summed([*ignored, *hidden])
        with self._timed("explain", ran):
            explained = self._explained((*findings, *more), outcomes)
        return _Answers((*found, same), explained, summed, compared, logs, tuple(ran), tuple(self._notes))

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
            fresh=Start("fresh", self._images()),
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

    def _images(self) -> dict[str, str]:
        return {platform.name: self._image_of(platform.image) for platform in self._terms.scenario.platforms}


def _words(error: BaseException | None) -> str:
    if isinstance(error, LabrigError):
        return error.message + (f" (hint: {error.hint})" if error.hint else "")
    return str(error)


def _summed(ignored: list[Ignored]) -> tuple[Ignored, ...]:
    counts: dict[tuple[str, str], int] = {}
    for one in ignored:
        counts[one.rule, one.reason] = counts.get((one.rule, one.reason), 0) + one.count
    return tuple(Ignored(rule, reason, count) for (rule, reason), count in sorted(counts.items()))
