"""Where a path begins, what holds for it, and what came of it: plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from labrig.ansible.events import Ended
from labrig.ansible.reads import Reads
from labrig.ansible.scenario import Scenario
from labrig.engine.mounted_files import MountedFiles
from labrig.prove.allowed import Allowed
from labrig.prove.archives import Archive
from labrig.prove.verdict import Check, Finding, Ignored, PathName, Ran
from labrig.state import capture
from labrig.state.model import State

if TYPE_CHECKING:
    from labrig.prove.path import PathTaken

States = Mapping[str, State]
"""The states of a path's machines at one moment, by the machines' names."""

Wanted = Mapping[str, Mapping[str, Sequence[str]]]
"""What to look at: keys by dimension, by machine."""


@dataclass(frozen=True)
class Start:
    """Where a path begins.

    Attributes:
        name: fresh or upgrade.
        images: The image of each platform's machine.
        mounted: What the machines' snapshots could not hold: files that Docker mounts, and former addresses.
        prepare: Whether the scenario's preparation is still to be done on them.
        machines: What their containers are called after; the path's name where it is empty.
    """

    name: PathName
    images: Mapping[str, str]
    mounted: Mapping[str, MountedFiles] = field(default_factory=dict)
    prepare: bool = True
    machines: str = ""


@dataclass(frozen=True)
class Outcome:
    """What came of a path.

    Attributes:
        deployed: The states after the first deployment; None where it failed.
        tasks: What the first deployment did.
        logs: What was printed, by file name.
        ran: Its steps and all their tasks, with their times.
        taken: The path itself, whose machines can still be looked at.
        looked: What decided it; None where it was not taken to its end.
    """

    path: PathName
    checks: tuple[Check, ...]
    deployed: States | None
    findings: tuple[Finding, ...]
    ignored: tuple[Ignored, ...]
    tasks: tuple[Ended, ...]
    logs: Mapping[str, Path]
    ran: tuple[Ran, ...] = ()
    taken: PathTaken | None = None
    looked: Looked | None = None


@dataclass(frozen=True)
class Looked:
    """What a path hangs on.

    Attributes:
        deployment: What the playbooks looked at that deploy.
        tests: What the tests looked at.
        tasks: All that ran.
        archives: The apt archives that its machines saw.
        settled: The states after the second deployment.
        untouched: The tests left the machines as they were.
    """

    deployment: Reads
    tests: Reads
    tasks: tuple[Ended, ...]
    archives: tuple[Archive, ...]
    settled: States
    untouched: bool


@dataclass(frozen=True)
class Terms:
    """What holds for both paths of a proof.

    Attributes:
        origin: The project's folder as the user has it.
        environment: The environment that labrig was called with.
        timeout: Seconds that a path may take.
        restart: Whether machines are restarted at the end.
        allowed: The differences that the project allows today.
        began: When the proof began, in seconds since 1970.
        fingerprints: The key by which secrets in states are told apart; empty for states that are like stored ones.
    """

    scenario: Scenario
    origin: Path
    environment: Mapping[str, str]
    timeout: float
    restart: bool
    allowed: tuple[Allowed, ...] = ()
    began: float = 0.0
    fingerprints: str = capture.FINGERPRINT_KEY
