"""The store: proofs that went well, each with everything that decided it, kept below labrig's cache folder.

A proof is a folder that appears whole, by renaming, and is never written to again; what a killed labrig left half-done
has another name and goes when it is old. So any number of proofs may read and write at once, of any projects.

    proofs/SUBJECT/ID/proof.json        inputs, answers, images
                     /PATH-MACHINE.gz   the state of a machine after the second deployment
    snapshots/KEY.json                  inputs of a snapshot of production
    key                                 a secret, by which contents are hashed
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from labrig import clock
from labrig.engine import ownership
from labrig.prove.inputs import Trace
from labrig.prove.verdict import Check, Ignored, PathName, Ran
from labrig.state.keyless import keyless
from labrig.state.model import State

SCHEMA = "labrig.stored/1"
KEPT_A_SUBJECT = 5
KEPT_FOR = timedelta(days=14)
LARGEST_BYTES = 500 * 1000 * 1000
HALF_DONE = ".new-"


@dataclass(frozen=True)
class Answer:
    """What a proof said, without what it was asked of: that may have another name or commit by now."""

    checks: tuple[Check, ...]
    ignored: tuple[Ignored, ...]
    compared: int
    ran: tuple[Ran, ...]
    seconds: float
    made: datetime | None = None


@dataclass(frozen=True)
class Stored:
    """A proof that was made.

    Attributes:
        made: When.
        deployed: What decided how the machines came out.
        verified: What else decided the tests.
        answer: What it said; None for one that hangs on more than its inputs, of which only the inputs are known.
        images: The images of its machines, by path and machine; empty where none were kept.
        mounted: What those images could not hold, as text.
        folder: Where it is.
    """

    made: datetime
    deployed: Trace
    verified: Trace
    answer: Answer | None
    images: Mapping[PathName, Mapping[str, str]]
    mounted: Mapping[PathName, Mapping[str, str]]
    folder: Path

    def state(self, path: PathName, machine: str) -> State:
        """Return the state of a machine after the second deployment.

        Raises:
            OSError: It was pruned meanwhile.
        """
        with gzip.open(self.folder / _state_name(path, machine), "rt", encoding="utf-8") as file:
            return State.parse((line.rstrip("\n") for line in file), source=f"the stored state of {machine}")


class Store:
    """The proofs of one user on one machine."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or ownership.cache_directory()

    @property
    def key(self) -> bytes:
        """A secret of this store, by which contents are hashed."""
        path = self._folder / "key"
        with contextlib.suppress(FileNotFoundError):
            return path.read_bytes()
        self._folder.mkdir(parents=True, exist_ok=True)
        mine = self._folder / f"key{HALF_DONE}{secrets.token_hex(8)}"
        mine.touch(0o600)
        mine.write_bytes(secrets.token_bytes(32))
        # Whoever comes first: all use the same.
        with contextlib.suppress(FileExistsError):
            os.link(mine, path)
        mine.unlink()
        return path.read_bytes()

    def snapshot(self, key: str) -> Trace | None:
        """Return what decided a snapshot of production; None where that is not known."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            return Trace.of_json(json.loads(self._snapshot(key).read_text(encoding="utf-8")))
        return None

    def keep_snapshot(self, key: str, trace: Trace) -> None:
        """Store what decided a snapshot of production."""
        target = self._snapshot(key)
        target.parent.mkdir(parents=True, exist_ok=True)
        half = target.with_name(f"{HALF_DONE}{secrets.token_hex(8)}")
        half.write_text(json.dumps(trace.as_json()), encoding="utf-8")
        half.rename(target)

    def _snapshot(self, key: str) -> Path:
        return self._folder / "snapshots" / f"{key}.json"

    def proofs(self, subject: str) -> Iterator[Stored]:
        """Yield the proofs of a subject, the newest first; what cannot be read is passed over."""
        for folder in sorted(self._of(subject), reverse=True):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                yield _read(folder)

    @property
    def name(self) -> str:
        """What tells this store from others that use the same engine."""
        return hashlib.sha256(self.key).hexdigest()[:16]

    def images(self, *, newest: int) -> frozenset[str]:
        """Return the ids of the images that stored proofs start from, of so many deployments of each subject."""
        found: set[str] = set()
        for subject in self._subjects():
            of_subject: set[frozenset[str]] = set()
            for one in self.proofs(subject):
                images = frozenset(image for machines in one.images.values() for image in machines.values())
                if images and len(of_subject) < newest:
                    of_subject.add(images)
            found.update(*of_subject)
        return frozenset(found)

    def keep(
        self,
        subject: str,
        deployed: Trace,
        verified: Trace,
        answer: Answer | None,
        states: Mapping[PathName, Mapping[str, State]],
        images: Mapping[PathName, Mapping[str, str]],
        mounted: Mapping[PathName, Mapping[str, str]],
        made: datetime | None = None,
    ) -> Stored:
        """Store a proof; what is too old or too much goes.

        ``made`` is when its machines were deployed, if that was not now.
        """
        now = clock.now()
        made = made or now
        name = f"{now.strftime('%Y%m%dT%H%M%S.%f')}-{secrets.token_hex(4)}"
        target = self._folder / "proofs" / subject / name
        target.parent.mkdir(parents=True, exist_ok=True)
        # Which packages and files a machine has is nobody else's business.
        (self._folder / "proofs").chmod(0o700)
        half = target.with_name(f"{HALF_DONE}{name}")
        half.mkdir()
        try:
            for path, machines in states.items():
                for machine, state in machines.items():
                    _write_state(half / _state_name(path, machine), state)
            content = {
                "schema": SCHEMA,
                "made": made.isoformat(),
                "deployed": deployed.as_json(),
                "verified": verified.as_json(),
                "answer": None if answer is None else _answer_as_json(answer),
                "images": images,
                "mounted": mounted,
            }
            (half / "proof.json").write_text(json.dumps(content, default=str), encoding="utf-8")
            half.rename(target)
        except BaseException:
            shutil.rmtree(half, ignore_errors=True)
            raise
        self.prune()
        return Stored(made, deployed, verified, answer, images, mounted, target)

    def drop(self, stored: Stored) -> None:
        """Remove a proof."""
        shutil.rmtree(stored.folder, ignore_errors=True)

    def prune(self) -> None:
        """Remove what is too old, too much for its subject, or too large altogether; the oldest first."""
        oldest = clock.now() - KEPT_FOR
        left: list[tuple[float, int, Path]] = []
        for subject in self._subjects():
            for number, folder in enumerate(sorted(self._of(subject), reverse=True)):
                made = _modified(folder)
                if number >= KEPT_A_SUBJECT or made < oldest.timestamp():
                    shutil.rmtree(folder, ignore_errors=True)
                else:
                    left.append((made, _size(folder), folder))
            for folder in (self._folder / "proofs" / subject).glob(f"{HALF_DONE}*"):
                # Nobody writes at one for an hour.
                if _modified(folder) < (clock.now() - timedelta(hours=1)).timestamp():
                    shutil.rmtree(folder, ignore_errors=True)
        for one in (self._folder / "snapshots").glob("*.json"):
            if _modified(one) < oldest.timestamp():
                one.unlink(missing_ok=True)
        total = 0
        for _, size, folder in sorted(left, reverse=True):
            total += size
            if total > LARGEST_BYTES:
                shutil.rmtree(folder, ignore_errors=True)

    def _subjects(self) -> list[str]:
        folder = self._folder / "proofs"
        return [one.name for one in folder.iterdir() if one.is_dir()] if folder.is_dir() else []

    def _of(self, subject: str) -> list[Path]:
        folder = self._folder / "proofs" / subject
        with contextlib.suppress(FileNotFoundError):
            return [one for one in folder.iterdir() if not one.name.startswith(".")]
        return []


def subject(*words: str) -> str:
    """Return the name under which proofs of one thing are kept: a project, a scenario."""
    readable = "".join(char if char.isalnum() or char in "-_." else "-" for char in words[0])[:40].lstrip(".")
    return f"{readable}-{hashlib.sha256(json.dumps(words).encode()).hexdigest()[:12]}"


def _read(folder: Path) -> Stored:
    content: dict[str, Any] = json.loads((folder / "proof.json").read_text(encoding="utf-8"))
    if content["schema"] != SCHEMA:
        raise ValueError(content["schema"])
    return Stored(
        datetime.fromisoformat(content["made"]),
        Trace.of_json(content["deployed"]),
        Trace.of_json(content["verified"]),
        None if content["answer"] is None else _answer_of_json(content["answer"]),
        content["images"],
        content["mounted"],
        folder,
    )


def _answer_as_json(answer: Answer) -> dict[str, Any]:
    return {
        "checks": [{**vars(one), "details": [dict(detail) for detail in one.details]} for one in answer.checks],
        "ignored": [vars(one) for one in answer.ignored],
        "compared": answer.compared,
        "ran": [vars(one) for one in answer.ran],
        "seconds": answer.seconds,
        "made": answer.made and answer.made.isoformat(),
    }


def _answer_of_json(found: Mapping[str, Any]) -> Answer:
    return Answer(
        tuple(Check(**{**one, "details": tuple(one["details"])}) for one in found["checks"]),
        tuple(Ignored(**one) for one in found["ignored"]),
        int(found["compared"]),
        tuple(Ran(**one) for one in found["ran"]),
        float(found["seconds"]),
        datetime.fromisoformat(found["made"]) if found["made"] else None,
    )


def _state_name(path: PathName, machine: str) -> str:
    return f"{path}-{hashlib.sha256(machine.encode()).hexdigest()[:12]}.gz"


def _write_state(path: Path, state: State) -> None:
    # Level 1: a second of packing would be felt, a megabyte is not.
    with gzip.open(path, "wt", encoding="utf-8", compresslevel=1) as file:
        file.writelines(f"{line}\n" for line in keyless(state.lines()))


def _modified(path: Path) -> float:
    with contextlib.suppress(OSError):
        return path.stat().st_mtime
    return 0.0


def _size(folder: Path) -> int:
    with contextlib.suppress(OSError):
        return sum(one.stat().st_size for one in folder.iterdir())
    return 0
