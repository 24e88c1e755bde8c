"""Calibration: what differs between two machines that were deployed alike, and what a project could allow of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from labrig import clock
from labrig.engine.machines import require_image
from labrig.errors import ExitCode, Interrupted
from labrig.prove import allowed, checks, platforms, proof
from labrig.prove.allowed import Allowed
from labrig.prove.outcome import Outcome, Start, States
from labrig.prove.path import PathTaken
from labrig.prove.proof import Options
from labrig.prove.run import Run, Say
from labrig.prove.verdict import Check
from labrig.state.compare import CONTENT, Difference
from labrig.state.explain import sentence

SCHEMA = "labrig.calibration/1"
MACHINES = ("first", "second")
# Long enough to do something about it, short enough not to be forgotten.
HOLDS_FOR = timedelta(days=90)


@dataclass(frozen=True)
class Measured:
    """One thing that differs although both deployments were the same.

    Attributes:
        machine: Where the scenario has several, which one.
        text: What it is, one sentence.
        proposed: What the project could write into labrig.yml; None for what cannot be allowed.
    """

    machine: str | None
    difference: Difference
    text: str
    proposed: Allowed | None


@dataclass(frozen=True)
class Calibration:
    """What came of a calibration.

    Attributes:
        checks: Whether each of the two deployments did its work.
        logs: The folder of all that was said, where one did not.
    """

    project: str
    scenario: str
    checks: tuple[Check, ...]
    measured: tuple[Measured, ...]
    compared: int
    seconds: float
    logs: Path | None = None

    @property
    def failed(self) -> tuple[Check, ...]:
        """The deployments that did not work; then nothing was compared."""
        return tuple(check for check in self.checks if check.result != "pass")

    @property
    def exit_code(self) -> ExitCode:
        """1 where something differs, or where it does not deploy."""
        return ExitCode.FAILED if self.failed or self.measured else ExitCode.OK

    def as_yaml(self) -> str:
        """Return the proposed entries as a part of labrig.yml; empty where there are none."""
        entries = [one.proposed.model_dump(exclude_defaults=True) for one in self.measured if one.proposed]
        if not entries:
            return ""
        entries = [{**entry, **({"fields": list(entry["fields"])} if "fields" in entry else {})} for entry in entries]
        return yaml.safe_dump({"allowed": entries}, sort_keys=False, allow_unicode=True, width=110)

    def as_json(self) -> dict[str, Any]:
        """Return the calibration in its JSON form."""
        return {
            "schema": SCHEMA,
            "project": self.project,
            "scenario": self.scenario,
            "seconds": round(self.seconds, 3),
            "compared": self.compared,
            "failed": [check.reason for check in self.failed],
            "differences": [
                {
                    "dimension": one.difference.dimension,
                    "key": one.difference.key,
                    "machine": one.machine,
                    "first": one.difference.left,
                    "second": one.difference.right,
                    "text": one.text,
                    "proposed": one.proposed and one.proposed.model_dump(mode="json", exclude_defaults=True),
                }
                for one in self.measured
            ],
        }


def calibrate(options: Options, environment: Mapping[str, str], *, say: Say) -> Calibration:
    """Deploy on two blank machines and compare them.

    Args:
        options: What is deployed; of production nothing is asked.
        environment: The environment that labrig was called with.
        say: Called with ``first`` or ``second`` and the step as each step begins, from two threads.

    Raises:
        UsageError: The call or the project is wrong; nothing was started.
        EnvironmentFailed: The surroundings failed.
        KeyboardInterrupt: The user asked to stop; everything is removed.
    """
    began = clock.monotonic()
    today = clock.now().date()
    scenario, settings = proof.load(options, environment)
    terms = proof.terms(options, scenario, settings, environment)
    images = {
        one.name: platforms.image_for(one.image, {**settings.images, **options.images}) for one in scenario.platforms
    }
    with Run(scenario.project.name) as run:
        for image in dict.fromkeys(images.values()):
            require_image(run.client, image)

        def take(name: str) -> Outcome:
            start = Start("fresh", images, machines=name)
            return PathTaken(run, terms, start, lambda _, step, task: say(name, step, task), lambda _: None).deploy()

        first, second = _both(run, take)
        answered = (*first.checks, *second.checks)
        result = partial(Calibration, scenario.project.name, scenario.name, answered)
        if first.deployed is None or second.deployed is None:
            logs = {
                f"{name}-{file}": log
                for name, one in zip(MACHINES, (first, second), strict=True)
                for file, log in one.logs.items()
            }
            return result((), 0, clock.monotonic() - began, run.save_logs(logs))
        say("both", "compare", "")
        found, compared = measure(first.deployed, second.deployed, terms.allowed, today)
        return result(found, compared, clock.monotonic() - began)


def _both(run: Run, take: Callable[[str], Outcome]) -> list[Outcome]:
    with ThreadPoolExecutor(max_workers=len(MACHINES), thread_name_prefix="calibration") as pool:
        futures: list[Future[Outcome]] = [pool.submit(take, name) for name in MACHINES]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
            if any(future.done() and future.exception() for future in futures):
                run.cancel()
        except KeyboardInterrupt:
            run.cancel()
            raise
    errors = [error for error in (future.exception() for future in futures) if error is not None]
    if errors:
        # That the other was stopped is no reason of its own.
        raise next((error for error in errors if not isinstance(error, Interrupted)), errors[0])
    return [future.result() for future in futures]


def measure(
    first: States, second: States, allowances: Sequence[Allowed], today: date
) -> tuple[tuple[Measured, ...], int]:
    """Return what differs between two equal deployments, but for what is allowed already; and how much was compared."""
    found: list[Measured] = []
    compared = 0
    for name in first:
        machine = name if len(first) > 1 else None
        differences, _, count = checks.across(
            {name: first[name]}, {name: second[name]}, allowances=allowed.of("same-state", allowances)
        )
        compared += count
        for difference in (checks.masked_difference(one) for _, one in differences):
            text = sentence(difference, left=MACHINES[0], right=MACHINES[1])
            found.append(Measured(machine, difference, text, _proposed(difference, machine, text, today)))
    return tuple(found), compared


def _proposed(difference: Difference, machine: str | None, text: str, today: date) -> Allowed | None:
    if not difference.key:
        return None
    fields = set(difference.fields)
    named = sorted(fields - CONTENT) + (["content"] if fields & CONTENT else [])
    return Allowed(
        dimension=difference.dimension,
        key=difference.key,
        machine=machine,
        fields=tuple(named),
        check="same-state",
        reason=f"TODO: say why it may differ. Measured on {today} between two equal deployments: {text}",
        expires=today + HOLDS_FOR,
    )
