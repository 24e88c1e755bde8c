"""What a step that failed means: whose fault it is, what was said last, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence

from labrig.errors import EnvironmentFailed, ExitCode, LabrigError
from labrig.experiments import steps
from labrig.experiments.command import Command
from labrig.experiments.protocol import LATE, NOT_FOUND, REFUSED, Done
from labrig.experiments.steps import Step

# What a change brings with it: code, image, commands and services. All else is the host's.
OF_THE_CHANGE = (
    steps.BuildApplication,
    steps.BuildImage,
    steps.AwaitService,
    steps.RunHook,
    steps.RunBeforeStart,
    steps.AwaitHealthy,
)
LINES = 30
RUNNING = "running"
# As the kernel has it, or Go, in which Docker is written.
_FULL = "no space left on device"
# Docker's own, as against those of a command in a container (docker run's manual).
_DOCKER = 125


class StepFailed(LabrigError):
    """A step of a plan failed.

    Attributes:
        step: The step.
        said: What was said last: of the command, or of the container that was waited for; secrets are masked.
        left: How it stands with the experiment after that, one sentence; empty where nobody could look.
    """

    def __init__(self, step: Step, message: str, *, said: Sequence[str], code: ExitCode, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.step = step
        self.said = tuple(said)
        self.left = ""
        self.exit_code = code


def command_failed(step: Step, command: Command, done: Done, *, masked: Sequence[str]) -> StepFailed:
    """Return the error for a command of a step that did not end with 0.

    Args:
        step: The step.
        command: The command.
        done: Its end.
        masked: The last lines that it wrote, without secrets.
    """
    what = _called(command)
    why = {
        LATE: f"{what} took too long and was ended",
        NOT_FOUND: f"{what}: there is no such command",
        REFUSED: f"the lab host refuses it: {done.err.strip()}",
    }.get(done.code, f"{what} ended with {done.code}")
    if _FULL in done.err.lower() or _FULL in done.out.lower():
        return StepFailed(
            step,
            f"a disk of the lab host is full, so it failed to {step}: {why}",
            said=masked,
            code=ExitCode.ENVIRONMENT,
            hint="`labrig experiment sweep` removes what is over; `docker system df` there tells what else takes room",
        )
    is_run = command.argv[:2] == ("docker", "run")
    is_of_docker = is_run and done.code == _DOCKER
    is_of_change = isinstance(step, OF_THE_CHANGE) and not is_of_docker and done.code != REFUSED
    code = ExitCode.FAILED if is_of_change else ExitCode.ENVIRONMENT
    return StepFailed(step, f"failed to {step}: {why}", said=masked, code=code)


def wait_failed(
    step: steps.AwaitHealthy | steps.AwaitService, seconds: float, done: Done, state: str, *, masked: Sequence[str]
) -> StepFailed:
    """Return the error for a wait that is over.

    Args:
        step: The step.
        seconds: How long was waited.
        done: The last answer.
        state: What state the container is in.
        masked: The last lines that the container wrote, without secrets.
    """
    words = last_lines(done.err or done.out)
    last = f"; it was asked once more: {words[-1].strip()}" if words else ""
    if isinstance(step, steps.AwaitHealthy):
        what, hint = f"container {step.version} does not become healthy", "are port and health in the settings right?"
    else:
        what, hint = f"service {step.service} does not answer a query", "wait_timeout gives it longer"
    return StepFailed(
        step,
        f"{what}: after {seconds:.0f} s its container is {state or 'gone'}{last}",
        said=masked,
        code=ExitCode.FAILED,
        hint=hint if state == RUNNING else "",
    )


def last_lines(text: str, count: int = LINES) -> list[str]:
    """Return the last lines of a text that are not empty."""
    return [line.rstrip() for line in text.splitlines() if line.strip()][-count:]


def connection_lost(error: LabrigError) -> EnvironmentFailed:
    """Return the error for a connection that broke while something was changed."""
    return EnvironmentFailed(
        f"{error.message}; what served before serves on",
        hint="the same command again ends what was begun: it is planned anew from what there is",
    )


def _called(command: Command) -> str:
    """Return what a person calls a command: its program, and its verb."""
    words = [one for one in command.argv if one not in {"sudo", "--non-interactive"} and not one.startswith("-")]
    return " ".join(words[:2]) if words[0] in {"docker", "systemctl", "labrig-edge"} else words[0]
