"""Showing several proofs while they run: one table that lives on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from labrig import clock
from labrig.cli.console import Alive, words
from labrig.cli.progress import SIGNS
from labrig.prove.apart import Answered, Event, Stepped
from labrig.prove.meaning import meaning
from labrig.prove.plan import Planned
from labrig.prove.several import Answer
from labrig.prove.verdict import PATH_CHECKS, PATHS, Check, Decision, Question, Result

STYLES: Mapping[Decision, str] = {"proven": "green", "disproved": "bold red", "error": "bold magenta"}
# The gravest of both paths' results is what a cell shows.
GRAVITY: Sequence[Result] = ("error", "fail", "skip", "pass")


class Board(Alive):
    """What a person sees of several proofs.

    Args:
        plan: The proofs, in the order of the table.
    """

    def __init__(self, plan: Iterable[Planned]) -> None:
        self._names = [planned.name for planned in plan]
        super().__init__()
        self._began = clock.monotonic()
        self._begun: dict[str, float] = {}
        # The last one that began, on either path.
        self._steps: dict[str, str] = {}
        self._checks: dict[str, dict[Question, Check]] = {name: {} for name in self._names}
        self._answers: dict[str, Answer] = {}

    def __rich__(self) -> RenderableType:
        seconds = clock.monotonic() - self._began
        count = f"  {len(self._answers)} of {len(self._names)}, {seconds:.0f} s"
        return Group(self.table(), Text(count, style="dim"))

    def event(self, planned: Planned, event: Event | None) -> None:
        """Take note of what a proof tells; None as it begins."""
        name = planned.name
        if event is None:
            self._begun[name] = clock.monotonic()
            self._steps[name] = ""
            self._line(name, "begins")
        elif isinstance(event, Stepped):
            self._steps[name] = event.step
            # A line for each step, not for each task: a log is read afterwards.
            if not event.task:
                self._line(name, f"{event.path:<8} {event.step}")
        elif isinstance(event, Answered):
            check = event.check
            self._checks[name][check.name, check.path] = check
            sign, style = SIGNS[check.result]
            self._line(name, f"{check.path or 'both':<8} {check.name} {sign}", style, check.reason)

    def answer(self, answer: Answer) -> None:
        """Take note of an answer."""
        name = answer.planned.name
        self._answers[name] = answer
        self._checks[name] = {(check.name, check.path): check for check in answer.verdict.checks}
        decision = answer.verdict.decision
        stored = " (stored)" if answer.verdict.cached else ""
        self._line(name, decision + stored, STYLES[decision], meaning(answer.verdict))

    def table(self) -> Table:
        """Return how far each proof is."""
        table = Table(box=None, pad_edge=False, padding=(0, 1))
        table.add_column("", overflow="fold")
        for column in (*PATH_CHECKS, "same-state"):
            # In two lines, so that a terminal of 80 columns has room for the names.
            table.add_column(column.replace("-", "-\n"), no_wrap=True)
        table.add_column("", no_wrap=True)
        for name in self._names:
            checks = self._checks[name]
            cells = [_cell([checks.get((check, path)) for path in PATHS]) for check in PATH_CHECKS]
            table.add_row(Text(name), *cells, _cell([checks.get(("same-state", None))]), self._state(name))
        return table

    def _state(self, name: str) -> Text:
        if name in self._answers:
            verdict = self._answers[name].verdict
            took = "stored" if verdict.cached else f"{verdict.seconds:.1f} s"
            return Text(verdict.decision, style=STYLES[verdict.decision]).append(f" {took}", style="not bold dim")
        if name not in self._begun:
            return Text("waits", style="dim")
        return Text(f"{self._steps[name]} {clock.monotonic() - self._begun[name]:.0f} s".strip(), style="dim")

    def _line(self, name: str, said: str, style: str = "", reason: str = "") -> None:
        if not self.is_alive:
            line = Text(f"[{clock.monotonic() - self._began:6.1f}s] {name}  ").append(said, style=style)
            words.print(line.append(f": {reason.splitlines()[0]}" if reason else ""))


def _cell(checks: Sequence[Check | None]) -> Text:
    """Return the gravest result; where only one of two paths has it, with that path's name."""
    answered = [check for check in checks if check is not None]
    worst = next((result for result in GRAVITY if any(check.result == result for check in answered)), None)
    if worst is None or (worst == "pass" and len(answered) < len(checks)):
        return Text("·", style="dim")
    sign, style = SIGNS[worst]
    having = [check.path for check in answered if check.result == worst]
    where = f" {having[0]}" if worst in ("error", "fail") and len(having) < len(checks) else ""
    return Text(sign, style=style).append(where, style="not bold")
