"""Whether the host name of an experiment leads anywhere, as this machine sees it."""

from __future__ import annotations

import socket
import threading

# Servers that do not answer are asked for half a minute and longer; nobody has to wait for that.
SECONDS = 3.0


class Name:
    """A host name that is looked up while other things are done.

    Args:
        host: The name.
    """

    def __init__(self, host: str) -> None:
        self.host = host
        self._resolves: bool | None = None
        self._thread = threading.Thread(target=self._look_up, name=f"look up {host}", daemon=True)
        self._thread.start()

    def resolves(self) -> bool:
        """Tell whether it has an address; where nobody answers in time it is taken to have one."""
        self._thread.join(SECONDS)
        return self._resolves is not False

    def _look_up(self) -> None:
        try:
            socket.getaddrinfo(self.host, None)
            self._resolves = True
        except OSError:
            self._resolves = False
