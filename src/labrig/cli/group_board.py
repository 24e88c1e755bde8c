"""Showing a group while it starts or stops: a table that lives on a terminal, plain lines elsewhere; and its end."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from labrig import clock
from labrig.cli.console import Alive, words
from labrig.errors import ExitCode
from labrig.groups.progress import Outcome, Phase, Progress, ServiceOutcome

STYLES: Mapping[Phase, str] = {
    "up": "green",
    "done": "green",
    "failed": "bold red",
    "skipped": "yellow",
    "cancelled": "yellow",
    "stopped": "green",
    "removed": "green",
    "waiting": "dim",
}
ENDED: frozenset[Phase] = frozenset({"up", "done", "failed", "skipped", "cancelled", "stopped", "removed"})
# Told on a line of its own where there is no table; the others pass too quickly to be read.
LINES: frozenset[Phase] = ENDED | {"building", "pulling", "pre_start", "post_start", "pre_stop", "post_stop"}
PLANS = {"keep": "was running", "wake": "started again", "create": ""}


class Board(Alive):
    """What a person sees of a group; ``hear`` may be called from several threads.

    Args:
        names: The services, in the order of the table.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = list(names)
        super().__init__()
        self._began = clock.monotonic()
        self._last: dict[str, Progress] = {}
        self._since: dict[str, float] = {}
        self._lock = threading.Lock()

    def __rich__(self) -> RenderableType:
        with self._lock:
            ended = sum(one.phase in ENDED for one in self._last.values())
            count = f"  {ended} of {len(self._names)}, {clock.monotonic() - self._began:.0f} s"
            return Group(self._table(), Text(count, style="dim"))

    def hear(self, progress: Progress) -> None:
        """Take note of what a service is doing."""
        with self._lock:
            name = progress.service
            if name not in self._names:
                self._names.append(name)
            before = self._last.get(name)
            if before is None or before.phase != progress.phase:
                self._since[name] = clock.monotonic()
            # What was created anew says why until it has ended.
            self._last[name] = progress
            is_new = before is None or before.phase != progress.phase
            if not self.is_alive and is_new and (progress.phase in LINES or progress.detail):
                detail = _detail(progress)
                line = Text(f"[{clock.monotonic() - self._began:6.1f}s] {name}  ")
                line.append(progress.phase, style=STYLES.get(progress.phase, ""))
                words.print(line.append(f": {detail}" if detail else ""))

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, 1))
        for overflow in ("fold", "fold", "ellipsis"):
            table.add_column("", overflow=overflow, no_wrap=overflow == "ellipsis")
        for name in self._names:
            last = self._last.get(name, Progress(name, "waiting"))
            state = Text(last.phase, style=STYLES.get(last.phase, "cyan"))
            if last.phase not in ENDED and name in self._since:
                state.append(f" {clock.monotonic() - self._since[name]:.0f} s", style="not bold dim")
            table.add_row(Text(name), state, Text(_detail(last), style="dim"))
        return table


def summary(outcome: Outcome) -> None:
    """Print the states, and of what failed all that a person needs to mend it."""
    table = Table(box=None, pad_edge=False, padding=(0, 1), show_header=False)
    for name, one in outcome.services.items():
        said = "; ".join(one.differs) if one.differs and one.phase in ("up", "done") else PLANS.get(one.plan, "")
        if one.phase in ("failed", "skipped"):
            said = ""
        took = f"{one.seconds:.1f} s" if one.seconds and one.plan != "keep" else ""
        table.add_row(Text(name), Text(one.phase, style=STYLES.get(one.phase, "")), Text(took, style="dim"), Text(said))
    words.print(table)
    for name, one in outcome.services.items():
        if one.phase in ("failed", "skipped"):
            _print_failure(name, one)
    if outcome.hook_error:
        words.print(Text(f"\n{outcome.hook_error}", style="red"))


def exit_code(outcome: Outcome) -> ExitCode:
    """Return what an outcome stands for."""
    if outcome.interrupted:
        return ExitCode.INTERRUPTED
    if outcome.lost_engine:
        return ExitCode.ENVIRONMENT
    return ExitCode.FAILED if outcome.failed or outcome.hook_error else ExitCode.OK


def _print_failure(name: str, one: ServiceOutcome) -> None:
    words.print(Text(f"\n{name}: ", style="bold").append(f"{one.phase}: {one.reason}", style="not bold"))
    if one.readiness and one.readiness not in one.reason:
        words.print(f"  readiness: {one.readiness}", markup=False)
    if one.logs.strip():
        words.print("  its last lines:", markup=False)
        for line in one.logs.rstrip().splitlines():
            words.print(f"    {line}", markup=False)
    if one.hint:
        words.print(f"  hint: {one.hint}", markup=False)


def _detail(progress: Progress) -> str:
    if progress.phase in ("up", "done"):
        return PLANS.get(progress.detail, progress.detail)
    return progress.detail.splitlines()[0] if progress.detail else ""
