"""A broker in a process of its own, for playbooks that are run by others than labrig.

Started by the first playbook that finds none at its socket, and gone soon after the last one. Sessions end with the
playbook that opened them, so that nothing of labrig is in a machine that is looked at or tested afterwards.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from labrig import clock
from labrig.engine.client import connect
from labrig.session.broker import Broker

# The next playbook of the same test begins a second or two later, and spares itself the start.
LINGER_SECONDS = 10.0
LOOK_EVERY_SECONDS = 0.2


class Owners:
    """The processes that sessions were opened for; tells of each that has ended.

    Attributes:
        quiet_since: When there was last one, on the monotonic clock.
    """

    def __init__(self, ended: Callable[[int], None]) -> None:
        self._ended = ended
        self._alive: set[int] = set()
        self._lock = threading.Lock()
        self.quiet_since = clock.monotonic()

    def heard(self, owner: int) -> None:
        """A command is asked for by this process."""
        with self._lock:
            self.quiet_since = clock.monotonic()
            if owner in self._alive:
                return
            self._alive.add(owner)
        threading.Thread(target=self._watch, args=(owner,), name="owner", daemon=True).start()

    @property
    def quiet_seconds(self) -> float:
        """How long nobody has been there."""
        with self._lock:
            return 0.0 if self._alive else clock.monotonic() - self.quiet_since

    def _watch(self, owner: int) -> None:
        _await_end(owner)
        with self._lock:
            self._alive.discard(owner)
            self.quiet_since = clock.monotonic()
        self._ended(owner)


def serve(path: Path) -> None:
    """Serve until nobody has been there for a while."""
    broker = Broker(connect(), path)
    owners = Owners(broker.forget)
    broker.heard = owners.heard
    with broker:
        while owners.quiet_seconds < LINGER_SECONDS:
            clock.sleep(LOOK_EVERY_SECONDS)
        broker.hide()
        # Who found it in the last moment is served to the end.
        clock.sleep(LOOK_EVERY_SECONDS)
        while owners.quiet_seconds < LOOK_EVERY_SECONDS:
            clock.sleep(LOOK_EVERY_SECONDS)


def _await_end(process: int) -> None:
    """Return once a process has ended, at once if it is not there."""
    if hasattr(os, "pidfd_open"):
        with contextlib.suppress(OSError):
            descriptor = os.pidfd_open(process)
            try:
                select.select([descriptor], [], [])
            finally:
                os.close(descriptor)
        return
    while _is_there(process):
        clock.sleep(LOOK_EVERY_SECONDS)


def _is_there(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


if __name__ == "__main__":
    # Ctrl-C in the terminal reaches the playbook, whose end is awaited.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    serve(Path(sys.argv[1]))
