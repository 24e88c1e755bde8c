"""Looking at all experiments of the lab host at once: three questions to the engine, and its files."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from labrig.engine.ownership import KIND
from labrig.experiments import edge, naming
from labrig.experiments.host.engine import Engine
from labrig.experiments.listing import Container, Look
from labrig.experiments.naming import KIND_OF_EXPERIMENTS, Names

_FILTERS = {"label": [f"{KIND}={KIND_OF_EXPERIMENTS}"]}


def look(engine: Engine) -> Look:
    """Return what there is.

    Raises:
        EnvironmentFailed: The engine does not answer.
    """
    containers = engine.ask("/containers/json", _FILTERS, all="1")
    networks = engine.ask("/networks", _FILTERS)
    volumes = engine.ask("/volumes", _FILTERS)["Volumes"] or ()
    records = dict(_records(Path(naming.ROOT)))
    return Look(
        containers=tuple(Container(one["Labels"], one["State"]) for one in containers),
        labels=tuple(one["Labels"] for one in (*networks, *volumes)),
        records=records,
        routes=tuple(_routes(Path(edge.FOLDER))),
        holders=dict(_holders(records)),
    )


def _records(root: Path) -> Iterator[tuple[Names, str]]:
    for folder in root.glob("*/*"):
        if folder.is_dir():
            names = Names(folder.parent.name, folder.name)
            yield names, _content(folder / Path(names.record).name)


def _routes(folder: Path) -> Iterator[str]:
    # One that is removed meanwhile is none any more.
    return (_content(path) for path in folder.glob("*.conf"))


def _holders(experiments: dict[Names, str]) -> Iterator[tuple[Names, str]]:
    # To try whether a lock is free would take it, for a moment in which somebody is refused.
    rows = (line.split() for line in Path("/proc/locks").read_text(encoding="ascii").splitlines())
    held = {row[-3] for row in rows if "FLOCK" in row and "->" not in row}
    for names in experiments:
        with contextlib.suppress(OSError):
            path = Path(names.lock)
            status = path.stat()
            if f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}" in held:
                yield names, _content(path).strip() or "somebody"


def _content(path: Path) -> str:
    # In what others have written, which is none of ours, there may be anything.
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
