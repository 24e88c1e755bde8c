"""Showing how far a plan for an experiment is: one line that lives on a terminal, a line for each step elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.spinner import Spinner
from rich.text import Text

from labrig import clock
from labrig.cli.console import Alive, out, words, write_json
from labrig.errors import LabrigError
from labrig.experiments.deploying import Order, Report
from labrig.experiments.failing import StepFailed
from labrig.experiments.steps import Step


class Board(Alive):
    """What a person sees of a plan that is carried out."""

    def __init__(self) -> None:
        super().__init__()
        self._began = clock.monotonic()
        self._step_began = self._began
        self._step = "connect"
        self._spinner = Spinner("dots")
        self._is_amid_line = False

    def __rich__(self) -> Text | Spinner:
        took = clock.monotonic() - self._step_began
        self._spinner.update(text=Text(f"{self._step} ").append(f"{took:.0f} s", style="dim"))
        return self._spinner

    def began(self, step: Step) -> None:
        """Show which step is being done."""
        self._step = str(step)
        self._step_began = clock.monotonic()
        if not self.is_alive:
            words.print(f"[{clock.monotonic() - self._began:6.1f}s] {step}", markup=False)

    def said(self, text: str, *, is_error: bool) -> None:
        """Show what a command writes."""
        del is_error
        for line in text.splitlines():
            words.print(Text("    ").append(Text.from_ansi(line)))

    def ended(self, step: Step, seconds: float) -> None:
        """Keep the step as done."""
        if self.is_alive:
            words.print(Text("✓ ", style="green").append(f"{step}  ", "default").append(f"{seconds:.1f} s", "dim"))

    def failed(self, step: Step) -> None:
        """Show that a step failed, or was interrupted; what follows puts things back."""
        took = f"[{clock.monotonic() - self._began:6.1f}s] " if not self.is_alive else ""
        words.print(Text(f"{took}✗ ", style="red").append(str(step), "default"))


@contextmanager
def shown(order: Order, json_file: Path | None) -> Iterator[Order]:
    """Show how far an order is while it is carried out, and tell what failed.

    Args:
        order: The order.
        json_file: Where a failure is written as JSON; None for nowhere.
    """
    board = Board()
    try:
        with board:
            yield order.watched(board)
    except LabrigError as error:
        if isinstance(error, StepFailed):
            _told(error)
        _write(error, json_file, app=order.settings.app, name=order.name)
        raise


def _told(error: StepFailed) -> None:
    """Print what was said last, and how it stands with the experiment."""
    if error.said:
        words.print("the last that was written there:", markup=False)
        for line in error.said:
            words.print(Text("  | ", style="dim").append(Text.from_ansi(line)))
    if error.left:
        words.print(error.left, markup=False)


def _write(error: LabrigError, file: Path | None, *, app: str, name: str) -> None:
    """Write a failure as JSON."""
    told: dict[str, Any] = {"app": app, "name": name, "error": error.message, "hint": error.hint}
    if isinstance(error, StepFailed):
        told |= {"step": str(error.step), "said": list(error.said), "left": error.left}
    write_json(told, file)


def print_plan(report: Report, *, commands: bool) -> None:
    """Print what would be done."""
    words.print(f"would be done on {report.host}, and nothing has been:", markup=False)
    for step in report.steps:
        out.print(f"- {step.text}", markup=False, soft_wrap=True)
        for one in step.commands if commands else ():
            out.print(Text(f"    {one}", style="dim"), soft_wrap=True)
