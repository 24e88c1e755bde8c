"""What was measured: kept in a file after every turn, and summed up as medians."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from columns import Measured
from phases import PHASES


@dataclass(frozen=True)
class Median:
    """What several runs of one column took: seconds, and the median of each phase."""

    seconds: float
    least: float
    most: float
    phases: Mapping[str, float]
    memory: int
    runs: int


Results = dict[str, dict[str, list[Measured]]]
"""All counted runs, by scenario and column."""


def median(runs: Sequence[Measured]) -> Median:
    """Return the medians of the runs, of which there is at least one."""
    seconds = [one.seconds for one in runs]
    return Median(
        statistics.median(seconds),
        min(seconds),
        max(seconds),
        {phase: statistics.median(one.phases[phase] for one in runs) for phase in PHASES},
        max(one.memory for one in runs),
        len(runs),
    )


def write(results: Results, file: Path) -> None:
    """Keep the results, so that a run that is interrupted is not lost."""
    plain = {kind: {name: [asdict(one) for one in runs] for name, runs in by.items()} for kind, by in results.items()}
    file.write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")


def read(file: Path) -> Results:
    """Return kept results; none where there is no such file."""
    if not file.is_file():
        return {}
    plain = json.loads(file.read_text(encoding="utf-8"))
    return {kind: {name: [Measured(**one) for one in runs] for name, runs in by.items()} for kind, by in plain.items()}
