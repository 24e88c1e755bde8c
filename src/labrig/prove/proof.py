"""The proof: what is asked, what the store knows of it, and the verdict."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from labrig import clock
from labrig.ansible import scenario as scenarios
from labrig.ansible.scenario import Scenario
from labrig.engine.client import connect
from labrig.engine.machines import require_image
from labrig.errors import EnvironmentFailed, LabrigError, UsageError
from labrig.prove import allowed, checks, configuration, platforms, production, snapshots
from labrig.prove.attempt import Answers, Attempt, Audit, OnCheck, of_store, words_of
from labrig.prove.configuration import Configuration
from labrig.prove.outcome import Terms
from labrig.prove.repository import NO_HEAD, Repository
from labrig.prove.reuse import Found, Reuse
from labrig.prove.run import Run, Say
from labrig.prove.store import Store
from labrig.prove.verdict import PATHS, Check, Verdict


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
    cache: bool = True
    audit: bool = False
    max_age: timedelta = snapshots.FRESH_FOR


@dataclass(frozen=True)
class Proven:
    """A verdict with what goes beside it.

    Attributes:
        logs: The folder of all that was said; None for a proof that went well.
        machines: The containers that were kept.
        found: What the store knew of it.
        outside: Why it will be proven anew next time although nothing may have changed.
        audit: What was found of the stored proof that would have answered; None where there is none, or none was asked.
    """

    verdict: Verdict
    logs: Path | None
    machines: tuple[str, ...]
    found: Found = field(default_factory=Found)
    outside: tuple[str, ...] = ()
    audit: Audit | None = None


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
    scenario, settings = load(options, environment)
    held = terms(options, scenario, settings, environment)
    substitutions = {**settings.images, **options.images}

    def image_of(image: str) -> str:
        return platforms.image_for(image, substitutions)

    repository = Repository.of(scenario.project)
    with contextlib.closing(connect()) as client:
        chosen = production.choose(
            client,
            scenario,
            repository,
            asked=options.production,
            configured=settings.production,
            main=settings.main,
        )
        images = {platform.name: image_of(platform.image) for platform in scenario.platforms}
        for image in dict.fromkeys(images.values()):
            require_image(client, image)
        reuse = Reuse(client, held, repository, chosen, images, Store())
        found = reuse.find(options.max_age) if options.cache or options.audit else Found()

        def verdict_of(answers: Answers, made: datetime | None = None) -> Verdict:
            noted = allowed.notes(settings.allowed, clock.now().date(), answers.checks, answers.ignored)
            return Verdict(
                project=scenario.project.name,
                scenario=scenario.name,
                platform=", ".join(images.values()),
                head=repository.head() if repository else NO_HEAD,
                production=chosen.production,
                seconds=clock.monotonic() - began,
                checks=answers.checks,
                findings=answers.findings,
                compared=answers.compared,
                ignored=answers.ignored,
                notes=(*noted, *answers.notes),
                ran=answers.ran,
                cached=made is not None,
                made=made or clock.now(),
            )

        if found.whole is not None and found.whole.answer is not None and not (options.audit or options.keep):
            answers = of_store(found.whole.answer)
            for check in answers.checks:
                on_check(check)
            return Proven(verdict_of(answers, found.whole.made), None, (), found)
        with Run(scenario.project.name, keep=options.keep) as run:
            proof = Attempt(
                run,
                chosen,
                repository,
                held,
                reuse,
                images=images,
                image_of=image_of,
                say=say,
                on_check=on_check,
                explain=options.explain,
                max_age=options.max_age if options.cache and not options.audit else timedelta(0),
            )
            known = None if options.audit or options.keep else found.deployed
            answers = proof.take(known)
            verdict = verdict_of(answers)
            audit = None
            if options.audit and found.whole is not None:
                audit = proof.audit(found.whole, verdict)
            outside: tuple[str, ...] = ()
            if verdict.decision == "proven" and not options.keep:
                try:
                    outside = proof.store(verdict)
                except (EnvironmentFailed, OSError) as error:
                    # What was proven is proven.
                    outside = (f"it could not be stored: {words_of(error)}",)
            logs = run.save_logs(answers.logs) if verdict.decision != "proven" else None
            kept = tuple(machine.container for machine in run.machines) if options.keep else ()
            return Proven(verdict, logs, kept, found, outside, audit)


def unanswered(options: Options, error: LabrigError) -> Verdict:
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
