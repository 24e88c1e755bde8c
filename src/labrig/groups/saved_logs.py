"""What the containers of a group wrote and were, kept as files when they are about to go."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from docker import DockerClient

from labrig.errors import LabrigError
from labrig.groups.standing import Standing, inspected, logs

ALL_LINES = 1_000_000


def save(client: DockerClient, standing: Mapping[str, Standing], gone: Mapping[str, str], folder: Path) -> list[str]:
    """Write ``SERVICE.log`` and ``SERVICE.json``, what the engine says of the container, for each service.

    Args:
        client: The engine.
        standing: The containers that are there.
        gone: The last lines of those that are not any more, by service.
        folder: Where to; it is made, for nobody else to read: descriptions hold variables, and those hold passwords.

    Returns:
        The services of which something was written. What cannot be read any more is left out.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    saved = []
    for name, one in standing.items():
        with contextlib.suppress(LabrigError):
            _write(folder / f"{name}.log", logs(client, one.id, ALL_LINES))
            _write(folder / f"{name}.json", json.dumps(inspected(client, one.id), indent=1))
            saved.append(name)
    for name, said in gone.items():
        if said and name not in saved:
            _write(folder / f"{name}.log", said)
            saved.append(name)
    return saved


def _write(file: Path, text: str) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
        stream.write(text)
