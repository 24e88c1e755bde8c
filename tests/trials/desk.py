"""A developer whose branches are deployed on lab hosts of tests, and readers who ask for their pages all the time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import yaml

from trials.lab_hosts import LabHost, Laboratory, Repository
from trials.lab_image import DOMAIN, SHOP

SECONDS = 300


@dataclass(frozen=True)
class Said:
    """What a command came to."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Desk:
    """One developer's.

    Attributes:
        repository: The application's.
        developer: Whose key ssh has here.
    """

    laboratory: Laboratory
    repository: Repository
    developer: str = "anna"

    @property
    def folder(self) -> Path:
        """Where the settings are, beside the work tree, whose branches come and go."""
        return self.repository.folder.with_name("desk")

    def settings(self, **options: Any) -> None:
        """Write the settings for experiments: the application's own, with options replaced; None removes one."""
        found = yaml.safe_load((SHOP / "labrig.yml").read_text())["experiment"]
        found |= {
            "host": next(iter(self.laboratory.hosts)),
            "domain": DOMAIN,
            "repository": self.repository.url,
            **options,
        }
        self.folder.mkdir(exist_ok=True)
        (self.folder / "labrig.yml").write_text(
            yaml.safe_dump({"experiment": {key: one for key, one in found.items() if one is not None}})
        )

    def start(self, *words: str, **more: Any) -> subprocess.Popen[str]:
        """Start ``labrig experiment`` with these words."""
        return subprocess.Popen(
            [sys.executable, "-m", "labrig", "experiment", *words],
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **{"stdin": subprocess.DEVNULL, **more},
        )

    def environment(self) -> Mapping[str, str]:
        """Return a user's variables: nothing of the test run's own reaches the command."""
        own = {key: one for key, one in os.environ.items() if not key.startswith(("PYTEST", "TOX", "ANSIBLE", "SSH_"))}
        return {**own, "COLUMNS": "200", **self.laboratory.environment(self.developer)}

    def labrig(self, *words: str, code: int | None = 0) -> Said:
        """Run ``labrig experiment`` with these words to its end, which is of this exit code; None is any."""
        with self.start(*words) as process:
            try:
                out, err = process.communicate(timeout=SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        told = f"labrig experiment {' '.join(words)} ended with {process.returncode}:\n{out}\n{err}"
        # What a container wrote is told behind a bar.
        assert "\nTraceback (most recent call last)" not in f"\n{err}", told
        assert code is None or process.returncode == code, told
        return Said(process.returncode, out, err)

    def list(self) -> dict[str, dict[str, Any]]:
        """Return all experiments by name, as ``list --json`` tells them."""
        return {one["name"]: one for one in json.loads(self.labrig("list", "--json", "-").out)["experiments"]}


def host_name(name: str) -> str:
    """Return the host name of an experiment of the shop."""
    return f"shop-{name}.{DOMAIN}"


@dataclass
class Readers:
    """People who ask for a page again and again; a context manager while which they do.

    Attributes:
        host: The lab host.
        name: The experiment's host name.
        path: The page.
        answered: How often it was answered with 200, by the text of the answer.
        failed: Everything else, as sentences.
    """

    host: LabHost
    name: str
    path: str = "/health"
    people: int = 2
    answered: dict[str, int] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._enough = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._read) for _ in range(self.people)]
        for one in self._threads:
            one.start()
        return self

    def __exit__(self, *ended: object) -> None:
        self._enough.set()
        for one in self._threads:
            one.join()

    @property
    def count(self) -> int:
        """How often they asked until now."""
        with self._lock:
            return sum(self.answered.values()) + len(self.failed)

    def _read(self) -> None:
        while not self._enough.is_set():
            try:
                answer = self.host.ask(self.name, self.path)
                found, told = answer.status == 200, f"{answer.status}: {answer.text[:200]}"
            except OSError as error:
                found, told = False, repr(error)
            with self._lock:
                if found:
                    self.answered[answer.text] = self.answered.get(answer.text, 0) + 1
                else:
                    self.failed.append(told)


def released(host: LabHost, name: str) -> str:
    """Return the commit that an experiment of the shop serves."""
    return str(json.loads(host.ask(host_name(name), "/health").text)["release"])


def until(found: Callable[[], bool], *, seconds: float = 20) -> None:
    """Wait until something is so; at the end of the time it has to be."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if found():
                return
        except OSError:
            pass
        time.sleep(0.1)
    assert found()
