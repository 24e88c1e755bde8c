"""Waiting until a service is ready: its container runs, its health check passes, its ``ping`` says so."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from docker import DockerClient

from labrig import clock
from labrig.errors import EnvironmentFailed, LabrigError
from labrig.groups import hooks
from labrig.groups.service import Service
from labrig.groups.standing import inspected
from labrig.groups.watching import Watch

PING_EVERY_SECONDS = 0.1
OUTPUT_CHARACTERS = 400


class NotReady(LabrigError):
    """A service did not become ready; ``readiness`` is the last that was known."""

    def __init__(self, message: str, readiness: str = "") -> None:
        super().__init__(message)
        self.readiness = readiness


class Waiting:
    """The wait for one service.

    Args:
        client: The engine.
        watch: What is heard of the group's containers.
        service: The service, for its ``ping``.
        container: Its container, which was started.
        limit: Seconds until it must be ready.
        abandoned: Set when nobody waits for it any more.
    """

    def __init__(
        self,
        client: DockerClient,
        watch: Watch,
        service: Service,
        container: str,
        limit: float,
        abandoned: threading.Event,
    ) -> None:
        self._client = client
        self._watch = watch
        self._service = service
        self._container = container
        self._limit = limit
        self._abandoned = abandoned
        self._until = clock.monotonic() + limit

    def started(self) -> Mapping[str, Any]:
        """Return what the engine says of the container, just started.

        Raises:
            NotReady: It is gone.
        """
        found = inspected(self._client, self._container)
        if found is None:
            raise NotReady("its container was removed by somebody")
        return found

    def until_done(self) -> None:
        """Wait until a one-shot has ended with 0.

        Raises:
            NotReady: It has ended with another code, or not in time.
        """
        while True:
            code = self._exit_code()
            if code == 0:
                return
            if code is not None:
                raise NotReady(f"it exited with {code}, and is done when it exits with 0", f"exited with {code}")
            self._pause(f"it has not ended within {self._limit:g} s", "it runs")

    def until_healthy(self, found: Mapping[str, Any]) -> None:
        """Wait until the container's health check passes, if it has one.

        Raises:
            NotReady: It is unhealthy, has ended, or the time is up.
        """
        health = found["State"].get("Health")
        if not health or health["Status"] == "none":
            return
        if health["Status"] == "healthy":
            return
        while self._watch.health(self._container) != "healthy":
            self._see_that_it_runs()
            if self._watch.health(self._container) == "unhealthy":
                raise NotReady("its health check fails", self._health())
            self._pause(f"its health check has not passed within {self._limit:g} s", "")

    def until_pinged(self, say: Callable[[str], None]) -> None:
        """Ask ``ping`` until it says that the service is ready.

        Args:
            say: Called with the answers so far.

        Raises:
            NotReady: It has ended, or the time is up.
            HookFailed: ``ping`` raised.
        """
        if not self._service.has_own("ping"):
            return
        began = clock.monotonic()
        asked, said = 0, ""
        while True:
            self._see_that_it_runs()
            left = self._until - clock.monotonic()
            if asked and left <= 0:
                took = f"{asked} times in {clock.monotonic() - began:.1f} s"
                raise NotReady(
                    f"ping has not succeeded within {self._limit:g} s", f"ping was asked {took}, and said {said}"
                )
            asked += 1
            try:
                answer = hooks.call(self._service, "ping", limit=max(left, 0.1), abandoned=self._abandoned)
            except hooks.HookLate:
                said = "nothing the last time"
                continue
            if answer:
                return
            said = repr(answer)
            say(f"asked {asked} times")
            self._watch.wait(PING_EVERY_SECONDS, self._is_over)
            if self._abandoned.is_set():
                raise hooks.Abandoned

    def see_that_it_runs(self, found: Mapping[str, Any]) -> None:
        """Raise ``NotReady`` where the container has ended, by what the engine says of it or was heard."""
        state = found["State"]
        if state["Status"] in ("exited", "dead") and self._exit_code() is None:
            raise _ended(state["ExitCode"])
        self._see_that_it_runs()

    def _see_that_it_runs(self) -> None:
        code = self._exit_code()
        if code is not None:
            raise _ended(code)

    def _exit_code(self) -> int | None:
        if self._watch.is_lost:
            raise EnvironmentFailed("the Docker Engine was lost while its containers were watched")
        return self._watch.exit_code(self._container)

    def _pause(self, late: str, readiness: str) -> None:
        if self._abandoned.is_set():
            raise hooks.Abandoned
        left = self._until - clock.monotonic()
        if left <= 0:
            raise NotReady(late, readiness or self._health())
        self._watch.wait(left, self._is_over)

    def _is_over(self) -> bool:
        return (
            self._watch.is_lost
            or self._abandoned.is_set()
            or self._watch.exit_code(self._container) is not None
            or self._watch.health(self._container) in ("healthy", "unhealthy")
        )

    def _health(self) -> str:
        """Return the state of the health check and what its last run said, for people."""
        found = inspected(self._client, self._container) or {}
        health = found.get("State", {}).get("Health") or {}
        log = health.get("Log") or []
        said = f"; its last run exited with {log[-1]['ExitCode']}: {log[-1]['Output'].strip()}" if log else ""
        return f"health check: {health.get('Status', 'unknown')}{said}"[:OUTPUT_CHARACTERS]


def _ended(code: int) -> NotReady:
    return NotReady(f"its container exited with {code}", f"exited with {code}")
