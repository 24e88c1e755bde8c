"""Printing where a proof's time went."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from labrig.cli.console import words
from labrig.prove import profile as profiles
from labrig.prove.profile import Row
from labrig.prove.verdict import Verdict

TASKS_SHOWN = 30


def print_profile(verdict: Verdict, wall: float) -> None:
    """Print the steps of both paths, the slowest tasks, the ratio; ``wall`` is the seconds of all there was."""
    if verdict.cached:
        words.print(f"profile: nothing was run; the store has answered in {verdict.seconds:.1f} s", markup=False)
        return
    profile = profiles.profile(verdict.ran, verdict.seconds, wall)
    words.print(_steps(profile.steps))
    shown = profile.tasks[:TASKS_SHOWN]
    if shown:
        words.print(_tasks(shown))
    if len(profile.tasks) > TASKS_SHOWN:
        rest = sum(task.wall for task in profile.tasks[TASKS_SHOWN:])
        words.print(f"... and {len(profile.tasks) - TASKS_SHOWN} tasks more, {rest:.1f} s", style="dim", markup=False)
    if profile.floor is None or profile.ratio is None:
        words.print(f"{profile.wall:.1f} s; how long commands ran in the machines is not known", markup=False)
        return
    words.print(
        f"{profile.wall:.1f} s, of which the commands and tests of the slower path are {profile.floor:.1f} s:"
        f" {profile.ratio:.2f} times the floor",
        markup=False,
    )


def _steps(rows: Iterable[Row]) -> Table:
    table = Table("path", "step", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("wall s", "floor s", "around s"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(row.path or "both", row.what, *_figures(row))
    return table


def _tasks(rows: Iterable[Row]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("wall s", "floor s", "around s"):
        table.add_column(name, justify="right")
    for name in ("path", "step", "task", "where"):
        table.add_column(name)
    for row in rows:
        table.add_row(
            *_figures(row), row.path or "both", row.step, Text(row.what), Text(_short(row.where), style="dim")
        )
    return table


def _short(where: str) -> str:
    """Return the end of a path, by which a person knows the file.

    >>> _short("/srv/project/roles/edge/tasks/packages.yml:2:3")
    'edge/tasks/packages.yml:2:3'
    """
    return "/".join(where.split("/")[-3:])


def _figures(row: Row) -> tuple[str, str, str]:
    if row.floor is None:
        return f"{row.wall:.2f}", "", f"{row.wall:.2f}"
    return f"{row.wall:.2f}", f"{row.floor:.2f}", f"{row.wall - row.floor:.2f}"
