"""What is saved of containers before they are removed: what they printed, what Docker says of them, how they ended."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docker import DockerClient
from docker.errors import APIError, NotFound

from labrig.containers.wish import State
from labrig.engine.client import engine_errors

if TYPE_CHECKING:
    from labrig.containers.owner import Owner

TABLE = "containers.txt"
SHOWN_LINES = 15
# Where owners keep what was saved of containers that were removed before their end.
REMOVED = "removed"


@dataclass(frozen=True)
class Saved:
    """One container as it was: how it is told in a line, and the last lines that it printed."""

    name: str
    line: str
    tail: str


def folder_for(parent: Path, test: str) -> Path:
    """Return the folder of a test's files, called as pytest calls the test.

    Parameters may hold whatever is too long or not allowed in a name: a hash tells those tests apart.

    >>> folder_for(Path("/o"), "tests/test_shop.py::test_front").name
    'tests.test_shop.py.test_front'
    >>> folder_for(Path("/o"), "tests/test_shop.py::test_front[a/b]").name
    'tests.test_shop.py.test_front-a.b-17f0c3'
    """
    name = re.sub(r"[^\w.=+-]+", "-", test.replace("::", ".").replace("/", ".")).strip("-.")[:150]
    return parent / (f"{name}-{hashlib.sha256(test.encode()).hexdigest()[:6]}" if "[" in test else name)


def save(owners: Sequence[Owner], folder: Path) -> list[Saved]:
    """Write ``NAME.out``, ``NAME.err`` and ``NAME.inspect.json`` of every container, and a table of all; return them.

    Args:
        owners: Whose containers; also those that were removed already.
        folder: Where to; what it held is gone.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    saved: list[Saved] = []
    for owner in owners:
        for thing in owner.found():
            if thing.sort == "container":
                saved += save_one(owner.client, thing.id, short(thing.name, owner.run), folder)
        earlier = owner.folder / REMOVED
        if earlier.is_dir():
            saved += _moved(earlier, folder)
    (folder / TABLE).write_text("".join(f"{one.line}\n" for one in saved), encoding="utf-8")
    return saved


def save_one(client: DockerClient, container: str, name: str, folder: Path) -> list[Saved]:
    """Write the files of one container; return it, or nothing if it is gone meanwhile."""
    with engine_errors(f"save what container {name} printed"):
        try:
            found = client.api.inspect_container(container)
            texts = {end: _printed(client, container, end) for end in ("out", "err")}
        except NotFound:
            return []
    folder.mkdir(parents=True, exist_ok=True)
    for ending, text in texts.items():
        (folder / f"{name}.{ending}").write_bytes(text)
    (folder / f"{name}.inspect.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return [_told(name, found, texts.values())]


def short(name: str, run: str) -> str:
    """Return a container's name without what it shares with all of its run.

    >>> short("labrig-20260131-1205-9f3c2a-web-3", "20260131-1205-9f3c2a")
    'web-3'
    """
    return name.removeprefix(f"labrig-{run}-")


def _printed(client: DockerClient, container: str, ending: str) -> bytes:
    try:
        return bytes(client.api.logs(container, stdout=ending == "out", stderr=ending == "err"))
    except NotFound:
        raise
    except APIError as error:
        # Its logging driver keeps nothing.
        return f"{error.explanation}\n".encode() if ending == "err" else b""


def _told(name: str, found: dict[str, Any], texts: Iterable[bytes]) -> Saved:
    state = State.read(found["State"])
    tail = b"\n".join(text.strip() for text in texts if text.strip()).decode(errors="replace").splitlines()
    line = f"{name} (image {found['Config']['Image']}) {state.told()}"
    return Saved(name, line, "\n".join(tail[-SHOWN_LINES:]))


def _moved(earlier: Path, folder: Path) -> list[Saved]:
    saved = []
    for path in sorted(earlier.iterdir()):
        shutil.copy2(path, folder)
        if path.name.endswith(".inspect.json"):
            name = path.name.removesuffix(".inspect.json")
            texts = [(earlier / f"{name}.{end}").read_bytes() for end in ("out", "err")]
            was = _told(name, json.loads(path.read_text(encoding="utf-8")), texts)
            saved.append(Saved(was.name, f"{was.line}, when the test removed it", was.tail))
    return saved
