"""Hearing from the engine what becomes of a group's containers: which have ended, and how healthy they are.

One stream of events tells it for all of them, at once; asking for each again and again would cost a call a time.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

import requests
from docker import DockerClient
from docker.errors import DockerException

from labrig.engine.client import engine_errors
from labrig.groups.naming import SERVICE

HEALTH = "health_status: "


class Watch:
    """A context manager that listens; its methods may be called from any thread.

    Args:
        client: The engine.
        label: What all containers of the group carry.
        on_end: Called with service, container and exit code when a container has ended.
    """

    def __init__(self, client: DockerClient, label: str, on_end: Callable[[str, str, int], None]) -> None:
        self._client = client
        self._label = label
        self._on_end = on_end
        self._changed = threading.Condition()
        self._ended: dict[str, int] = {}
        self._health: dict[str, str] = {}
        self._is_over = False
        self.is_lost = False

    def __enter__(self) -> Self:
        filters = {"label": self._label, "type": "container", "event": ["die", "start", "health_status"]}
        with engine_errors("listen to its events"):
            # Events from here on are heard, whenever the thread gets to read them.
            self._stream = self._client.api.events(filters=filters, decode=True)
        self._thread = threading.Thread(target=self._listen, name="events", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over = True
        with contextlib.suppress(DockerException, OSError, AttributeError, ValueError):
            self._stream.close()

    def exit_code(self, container: str) -> int | None:
        """Return what a container has ended with since it was started last, None while it runs."""
        return self._ended.get(container)

    def health(self, container: str) -> str:
        """Return the last health that was heard of: ``healthy``, ``unhealthy``; empty where none was yet."""
        return self._health.get(container, "")

    def wait(self, seconds: float, until: Callable[[], bool]) -> None:
        """Wait until something is so, which is looked at whenever something was heard, or the time is up."""
        with self._changed:
            self._changed.wait_for(until, seconds)

    def wake(self) -> None:
        """End all waits: there is something else to be seen."""
        with self._changed:
            self._changed.notify_all()

    def _listen(self) -> None:
        try:
            for event in self._stream:
                self._note(event)
        except (DockerException, requests.RequestException, OSError, ValueError, AttributeError):
            # A stream that is closed, by us or by the engine, ends in any of these.
            pass
        if not self._is_over:
            self.is_lost = True
            self.wake()

    def _note(self, event: Mapping[str, Any]) -> None:
        container, action = str(event["Actor"]["ID"]), str(event["Action"])
        attributes: Mapping[str, str] = event["Actor"]["Attributes"]
        if action == "start":
            self._ended.pop(container, None)
            self._health.pop(container, None)
        elif action == "die":
            self._ended[container] = int(attributes.get("exitCode", "-1"))
            self._on_end(attributes.get(SERVICE, ""), container, self._ended[container])
        elif action.startswith(HEALTH):
            self._health[container] = action.removeprefix(HEALTH)
        self.wake()
