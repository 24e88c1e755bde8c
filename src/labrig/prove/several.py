"""Several proofs, as many at a time as there is room for; each goes its own way, and one answer comes of all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import connection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from labrig import clock
from labrig.engine import ownership
from labrig.engine.reaper import Reaper
from labrig.errors import ExitCode, LabrigError
from labrig.prove import proof, room
from labrig.prove.apart import Apart, Ended, Event, Failed
from labrig.prove.plan import Planned
from labrig.prove.proof import Proven
from labrig.prove.room import Room
from labrig.prove.verdict import Decision, Verdict

SCHEMA = "labrig.verdicts/1"

# An interrupted proof removes its machines first.
CLEANING_SECONDS = 40.0
# Others on the host may give memory back: whoever waits for it looks again.
LOOK_EVERY_SECONDS = 2.0

DECISIONS: Mapping[ExitCode, Decision] = {
    ExitCode.OK: "proven",
    ExitCode.FAILED: "disproved",
    ExitCode.USAGE: "error",
    ExitCode.ENVIRONMENT: "error",
}


@dataclass(frozen=True)
class Answer:
    """What came of one of several proofs.

    Attributes:
        proven: Its verdict; where it could not be made, one that says why.
        error: Why it could not be made.
    """

    planned: Planned
    proven: Proven
    error: LabrigError | None = None

    @property
    def verdict(self) -> Verdict:
        """Its verdict."""
        return self.proven.verdict

    @property
    def exit_code(self) -> ExitCode:
        """What `labrig prove` of this one alone would have ended with."""
        return self.error.exit_code if self.error else self.verdict.exit_code


@dataclass(frozen=True)
class Answers:
    """What came of all of them, in the order of the plan, and how long that took."""

    each: tuple[Answer, ...]
    seconds: float

    @property
    def exit_code(self) -> ExitCode:
        """The gravest of all, see ``gravest``."""
        return gravest(answer.exit_code for answer in self.each)

    @property
    def decision(self) -> Decision:
        """Proven only if each one is."""
        return DECISIONS[self.exit_code]

    def as_json(self, pages: Sequence[str | None]) -> dict[str, Any]:
        """Return the form ``labrig.verdicts/1``; ``pages`` are the reports of each, relative to the common one."""
        return {
            "schema": SCHEMA,
            "verdict": self.decision,
            "exit_code": int(self.exit_code),
            "seconds": round(self.seconds, 3),
            "verdicts": [
                {"name": one.planned.name, "exit_code": int(one.exit_code), "report": page, **one.verdict.as_json()}
                for one, page in zip(self.each, pages, strict=True)
            ],
        }


def gravest(codes: Iterable[ExitCode]) -> ExitCode:
    """Return the exit code of all from those of each: what no second try can mend comes first.

    A change that is disproved stays so; a wrong configuration does; what surrounds it may be well again next time.
    """
    found = set(codes)
    return next(
        (code for code in (ExitCode.FAILED, ExitCode.USAGE, ExitCode.ENVIRONMENT) if code in found), ExitCode.OK
    )


OnEvent = Callable[[Planned, Event | None], None]
OnAnswer = Callable[[Answer], None]


def prove(
    plan: Sequence[Planned], environment: Mapping[str, str], space: Room, *, on_event: OnEvent, on_answer: OnAnswer
) -> Answers:
    """Make all the proofs, and return what came of them.

    Args:
        plan: The proofs, in the order in which they begin.
        environment: The environment that labrig was called with.
        space: What they may take together.
        on_event: Called with a proof and what it tells, with None as it begins; from this thread.
        on_answer: Called with each answer as it comes.

    Raises:
        KeyboardInterrupt: The user asked to stop; all have stopped and cleaned up.
    """
    began = clock.monotonic()
    answers: dict[str, Answer] = {}

    def answer(planned: Planned, event: Ended | Failed) -> None:
        answers[planned.name] = _answer(planned, event)
        on_answer(answers[planned.name])

    for planned in plan:
        if planned.error is not None:
            answer(planned, Failed(planned.error))
    waiting = [planned for planned in plan if planned.error is None]
    with _Processes(environment) as processes:
        while waiting or processes.running:
            place = room.startable(
                [one.machines for one in waiting], [one.machines for one in processes.planned()], space, room.available
            )
            if place is not None:
                planned = waiting.pop(place)
                on_event(planned, None)
                processes.start(planned)
                continue
            for planned, event in processes.told():
                if isinstance(event, Ended | Failed):
                    processes.end(planned)
                    answer(planned, event)
                else:
                    on_event(planned, event)
    return Answers(tuple(answers[planned.name] for planned in plan), clock.monotonic() - began)


def _answer(planned: Planned, event: Ended | Failed) -> Answer:
    if isinstance(event, Ended):
        return Answer(planned, event.proven)
    return Answer(planned, Proven(proof.unanswered(planned.options, event.error), None, ()), event.error)


class _Processes:
    """The processes of the proofs that go on; a context manager that leaves none behind, however it ends."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        # If this process is killed, all of them are, and then each one's own reaper removes what it had.
        self._reaper = Reaper(ownership.new_run_id())
        self._folder = Path()
        self.running: dict[str, tuple[Planned, Apart]] = {}

    def __enter__(self) -> Self:
        self._reaper.__enter__()
        self._folder = Path(tempfile.mkdtemp(prefix="labrig-proofs-"))
        self._reaper.watch_folder(str(self._folder))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            for _, apart in self.running.values():
                apart.interrupt()
            until = clock.monotonic() + CLEANING_SECONDS
            for _, apart in self.running.values():
                apart.end(max(0.0, until - clock.monotonic()))
        finally:
            # Whoever asks a second time to stop does not wait: what is left is ended, and its reapers clean up.
            for _, apart in self.running.values():
                apart.end(0.0)
            shutil.rmtree(self._folder, ignore_errors=True)
            self._reaper.__exit__(None, None, None)

    def planned(self) -> list[Planned]:
        """Return what goes on."""
        return [planned for planned, _ in self.running.values()]

    def start(self, planned: Planned) -> None:
        """Begin a proof."""
        apart = Apart(planned.options, self._environment, self._folder / f"{len(list(self._folder.iterdir()))}.log")
        self.running[planned.name] = (planned, apart)
        self._reaper.watch_group(apart.group)

    def told(self) -> list[tuple[Planned, Event]]:
        """Return what they tell, one thing each; nothing if none tells anything for a while."""
        running = list(self.running.values())
        ready = connection.wait([apart.events for _, apart in running], LOOK_EVERY_SECONDS)
        return [(planned, apart.receive()) for planned, apart in running if apart.events in ready]

    def end(self, planned: Planned) -> None:
        """A proof has said its last word: wait for its process."""
        _, apart = self.running.pop(planned.name)
        apart.end(CLEANING_SECONDS)
        self._reaper.forget_group(apart.group)
