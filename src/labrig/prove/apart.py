"""A proof in a process of its own: what becomes of it, whatever it is, is no matter of the others.

The process is told its ``Options`` through a pipe and tells through it what it does, as values: ``Stepped`` and
``Answered`` while it goes on, ``Ended`` or ``Failed`` at its end.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from labrig import interrupts
from labrig.errors import EnvironmentFailed, ExitCode, Interrupted, LabrigError
from labrig.prove import proof
from labrig.prove.proof import Options, Proven
from labrig.prove.verdict import Check

SAID_CHARACTERS = 2000


@dataclass(frozen=True)
class Stepped:
    """A step began on a path, or a task within it; the task is empty as the step begins."""

    path: str
    step: str
    task: str


@dataclass(frozen=True)
class Answered:
    """A check was answered."""

    check: Check


@dataclass(frozen=True)
class Ended:
    """The proof is over, and this is its verdict."""

    proven: Proven


@dataclass(frozen=True)
class Failed:
    """The proof could not be made."""

    error: LabrigError


Event = Stepped | Answered | Ended | Failed


class Apart:
    """A proof that goes on in another process.

    Attributes:
        events: What it tells; to be waited for with ``multiprocessing.connection.wait``.
        group: Its process group, which it alone is in: its playbooks have their own.
    """

    def __init__(self, options: Options, environment: Mapping[str, str], log: Path) -> None:
        ours, theirs = multiprocessing.Pipe()
        # What it prints is nobody's; only if it dies does it say why.
        self._log = log
        with log.open("wb") as output, theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", f"from {__name__} import main; main()", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        self.group = self._process.pid
        self.events: Connection = ours
        with contextlib.suppress(OSError):  # It may have died already, which `receive` tells.
            self.events.send(options)

    def receive(self) -> Event:
        """Return the next thing that it tells; where it ended without an answer, that it failed."""
        try:
            event: Event = self.events.recv()
        except (EOFError, OSError):
            code = self._process.wait()
            how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
            said = self._log.read_text(encoding="utf-8", errors="replace").strip()[-SAID_CHARACTERS:]
            last = f": {said.splitlines()[-1]}" if said else ""
            return Failed(
                EnvironmentFailed(
                    f"the process of the proof {how} without an answer{last}",
                    hint="it may have been killed for want of memory: try fewer at a time with --jobs",
                )
            )
        return event

    def interrupt(self) -> None:
        """Ask it to stop and to clean up; what it tells from now on is not heard."""
        self._signal(signal.SIGINT)
        # Else it would wait for somebody to listen.
        self.events.close()

    def end(self, seconds: float) -> None:
        """Wait for it to end, and end it when the time is over; its own reaper removes what it leaves then."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._process.wait()
        self.events.close()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.group, number)


def take(told: Connection) -> None:
    """Make the proof that is asked for at the other end, and tell there how it goes."""
    one_at_a_time = threading.Lock()

    def tell(event: Event) -> None:
        # Both paths tell, each from its own thread. Who does not listen any more has died: its reaper ends us.
        with one_at_a_time, contextlib.suppress(OSError):
            told.send(event)

    try:
        proven = proof.prove(
            told.recv(),
            os.environ,
            say=lambda path, step, task: tell(Stepped(path, step, task)),
            on_check=lambda check: tell(Answered(check)),
        )
    except LabrigError as error:
        if isinstance(error, Interrupted):
            raise
        tell(Failed(error))
    else:
        tell(Ended(proven))


def main() -> None:
    """Be the process of a proof: the pipe is the file of the number that the one argument says."""
    # Whoever started labrig may have had interruptions ignored, as shells do for what is in the background.
    interrupts.hear(signal.SIGINT, signal.SIGTERM)
    try:
        with Connection(int(sys.argv[1])) as told:
            take(told)
    except (KeyboardInterrupt, Interrupted):
        sys.exit(ExitCode.INTERRUPTED)
