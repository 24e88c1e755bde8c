"""Carrying out the steps of a plan on a lab host: one after the other, each wait with a limit."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from labrig import clock
from labrig.errors import LabrigError
from labrig.experiments import failing, steps
from labrig.experiments.command import Command
from labrig.experiments.commands import commands
from labrig.experiments.deployment import Deployed, Deployment
from labrig.experiments.masking import Masking, mask
from labrig.experiments.protocol import LATE, Done
from labrig.experiments.running import USUAL_SECONDS, Runner
from labrig.experiments.services import waits
from labrig.experiments.steps import Step

# What runs a user's own command, or fetches what may be large.
_HOUR = 3600.0
# Its unit starts a container again two seconds after its end.
_RESTARTED_WITHIN = timedelta(seconds=10)
LONG: Mapping[type[Step], float] = dict.fromkeys(
    (
        steps.FetchCode,
        steps.BuildApplication,
        steps.BuildImage,
        steps.FetchImage,
        steps.MakeService,
        steps.RunHook,
        steps.RunBeforeStart,
        steps.CreateContainer,
    ),
    _HOUR,
)


Wait = steps.AwaitHealthy | steps.AwaitService


class Watcher(Protocol):
    """Is told how far a plan is."""

    def began(self, step: Step) -> None:
        """A step begins."""

    def said(self, text: str, *, is_error: bool) -> None:
        """A command of the step wrote something, whole lines but for very long ones; it has no secrets."""

    def ended(self, step: Step, seconds: float) -> None:
        """A step has been done."""

    def failed(self, step: Step) -> None:
        """A step failed, or was interrupted."""


class Silent:
    """Tells nobody."""

    def began(self, step: Step) -> None:
        """Do nothing."""

    def said(self, text: str, *, is_error: bool) -> None:
        """Do nothing."""

    def ended(self, step: Step, seconds: float) -> None:
        """Do nothing."""

    def failed(self, step: Step) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class Carrier:
    """Carries out the steps of one experiment.

    Attributes:
        lab: The host.
        at: What the commands need to know.
        secrets: What nobody may be shown.
        watcher: Is told how far it is.
        is_loud: It is also told what commands write.
    """

    lab: Runner
    at: Deployed
    secrets: Sequence[str] = field(default=(), repr=False)
    watcher: Watcher = field(default_factory=Silent)
    is_loud: bool = False

    def carry_out(self, planned: Iterable[Step]) -> None:
        """Do steps in their order.

        Raises:
            StepFailed: One failed; those after it were not begun.
            EnvironmentFailed: The connection broke.
        """
        for step in planned:
            self.watcher.began(step)
            began = clock.monotonic()
            try:
                self._do(step)
            except (LabrigError, KeyboardInterrupt):
                self.watcher.failed(step)
                raise
            self.watcher.ended(step, clock.monotonic() - began)

    def is_healthy(self, version: str, slot: int) -> bool:
        """Tell whether the container of a version answers as it should just now."""
        (asked,) = commands(steps.AwaitHealthy(version, slot), self.at)
        return self.lab.run(asked, seconds=_ASKED_SECONDS).code == 0

    def _do(self, step: Step) -> None:
        if isinstance(step, steps.AwaitService):
            assert isinstance(self.at, Deployment)  # noqa: S101  # what knows no settings waits for no service
            service = self.at.services[step.service].settings
            server = self.at.server(step.service, service)
            timeout = service.wait_timeout.total_seconds()
            self._wait(step, timeout, waits(timeout, service.wait_attempts), server)
        elif isinstance(step, steps.AwaitHealthy):
            health = self.at.kept.health
            self._wait(step, health.timeout, _every(health.interval), self.at.names.container(step.version))
        else:
            for command in commands(step, self.at):
                self._run(step, command)

    def _run(self, step: Step, command: Command) -> None:
        masked: list[str] = []

        def tell(text: str, *, is_error: bool) -> None:
            masked.append(text)
            # That there was nothing to do is nothing to worry anybody with.
            if self.is_loud and not (is_error and command.may_fail):
                self.watcher.said(text, is_error=is_error)

        streams = {one: Masking(self.secrets, partial(tell, is_error=one)) for one in (False, True)}

        def hear(text: str, is_error: bool) -> None:  # noqa: FBT001  # as a connection tells it
            streams[is_error].hear(text)

        try:
            done = self.lab.run(command, seconds=LONG.get(type(step), USUAL_SECONDS), hear=hear)
        finally:
            for stream in streams.values():
                stream.flush()
        if done.code and not command.may_fail:
            raise failing.command_failed(step, command, done, masked=failing.last_lines("".join(masked)))

    def _wait(self, step: Wait, timeout: float, pauses: Iterator[float], container: str) -> None:
        (asked,) = commands(step, self.at)
        began, last = clock.monotonic(), None
        while True:
            left = timeout - (clock.monotonic() - began)
            # The limit holds for the last question too, whatever hangs; a moment is left for it in any case.
            done = self.lab.run(asked, seconds=min(_ASKED_SECONDS, max(1.0, left)))
            if done.code == 0:
                return
            # That it was cut short tells less than what an earlier one was answered.
            last = done if last is None or done.code != LATE else last
            pause, left = next(pauses, None), timeout - (clock.monotonic() - began)
            if pause is None or left <= 0:
                raise self._given_up(step, clock.monotonic() - began, last, container)
            clock.sleep(min(pause, left))

    def _given_up(self, step: Wait, seconds: float, done: Done, container: str) -> failing.StepFailed:
        answers = self.lab.run_all({"state": state(container), "logs": logs(container, failing.LINES)})
        said = mask("\n".join(merged(answers["logs"])), self.secrets)
        last = Done(done.id, done.code, mask(done.out, self.secrets), mask(done.err, self.secrets))
        told = state_in_words(answers["state"])
        return failing.wait_failed(step, seconds, last, told, masked=failing.last_lines(said))


# One question about health or a service; ``waits`` and ``interval`` tell how often.
_ASKED_SECONDS = 30.0


def state(container: str) -> Command:
    """Return what asks for a container's state."""
    return Command(("docker", "container", "inspect", "--format={{json .State}}", container), may_fail=True)


def logs(container: str, count: int) -> Command:
    """Return what asks for the last lines that a container wrote, each with its time."""
    return Command(("docker", "logs", f"--tail={count}", "--timestamps", container), may_fail=True)


def merged(done: Done) -> list[str]:
    """Return the lines of both outputs in the order in which they were written, without their times."""
    lines = [] if done.code else [line.partition(" ") for line in (*done.out.splitlines(), *done.err.splitlines())]
    return [line for _, _, line in sorted(lines, key=lambda parts: parts[0])]


def state_in_words(done: Done) -> str:
    """Return a container's state as a person has it; empty where there is no container."""
    if done.code:
        return ""
    told = json.loads(done.out)
    if told["Status"] in {"exited", "restarting", "dead"}:
        why = "since it had too little memory" if told.get("OOMKilled") else f"with exit code {told['ExitCode']}"
        return f"{told['Status']} {why}"
    if told["Status"] == failing.RUNNING:
        # What has slept, or was there when its host restarted, has ended once as well, but long before it was started.
        started, ended = (datetime.fromisoformat(told[moment]) for moment in ("StartedAt", "FinishedAt"))
        if timedelta() <= started - ended < _RESTARTED_WITHIN:
            return "started again and again, since it ends"
    return str(told["Status"])


def _every(seconds: float) -> Iterator[float]:
    """Yield the seconds between looks: short ones first, since most containers answer at once."""
    pause = min(0.1, seconds)
    while True:
        yield pause
        pause = min(2 * pause, seconds)
