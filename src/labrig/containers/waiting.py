"""Waiting until a container is ready: for a line in its log, a port, its health, an answer over HTTP, a command.

    web.wait_for(waiting.log("listening"), waiting.http(80, "/health"), seconds=20)

A condition is a function that is given the container and returns one that looks at it: an empty text says that it
holds, any other what was seen instead. ``until`` gives up at once when the container has exited.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Collection, Sequence
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING

from labrig import clock
from labrig.containers.errors import NotReady
from labrig.errors import UsageError

if TYPE_CHECKING:
    from labrig.containers.container import Container

SECONDS = 60.0
FIRST_PAUSE = 0.02
LONGEST_PAUSE = 0.5
# A connection through Docker's own proxy is taken before anybody listens behind it, and cut off then.
CUT_OFF_SECONDS = 0.1
CONNECT_SECONDS = 2.0

Look = Callable[[], str]
Condition = Callable[["Container"], Look]


def until(container: Container, conditions: Sequence[Condition], seconds: float = SECONDS) -> None:
    """Wait until all conditions have held, one after the other.

    Raises:
        NotReady: One did not within ``seconds`` all in all, or the container exited before; the message says what was
            seen last, and has the container's last lines.
    """
    looks = [condition(container) for condition in conditions]
    end = clock.monotonic() + seconds
    pause = FIRST_PAUSE
    while looks:
        # Asked before it is looked at: what it had done when it exited still counts.
        state = container.state()
        seen = looks[0]()
        if not seen:
            looks.pop(0)
            continue
        if not state.alive:
            raise NotReady(
                f"container {container.label} {state.told()} before it was ready: {seen}\n{container.last_lines()}",
                hint="the lines above are its own",
            )
        if clock.monotonic() > end:
            raise NotReady(
                f"container {container.label} is not ready after {seconds:g} s: {seen}; it {state.told()}\n"
                f"{container.last_lines()}"
            )
        clock.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)


def log(pattern: str, *, times: int = 1) -> Condition:
    """Hold when a regular expression has matched in so many lines, of either stream, since the container's start."""
    wanted = re.compile(pattern.encode())

    def condition(container: Container) -> Look:
        searches = LineSearch(wanted), LineSearch(wanted)

        def look() -> str:
            printed = container.printed(searches[0].offset, searches[1].offset)
            found = sum(search.feed(text) for search, text in zip(searches, printed, strict=True))
            return "" if found >= times else f"{found} of {times} log lines match {pattern!r}"

        return look

    return condition


class LineSearch:
    """Counts the lines of a growing text in which a pattern is found.

    ``offset`` is where the text goes on that is not known yet: at the beginning of a line that is not complete.
    """

    def __init__(self, pattern: re.Pattern[bytes]) -> None:
        self.offset = 0
        self._pattern = pattern
        self._found = 0

    def feed(self, text: bytes) -> int:
        """Return how many lines match so far, with the text from ``offset`` on.

        The last line counts as well without its end, such as a prompt, but is looked at again with the next text.
        """
        complete, end, rest = text.rpartition(b"\n")
        self.offset += len(complete) + len(end)
        self._found += sum(1 for line in complete.splitlines() if self._pattern.search(line))
        return self._found + bool(rest and self._pattern.search(rest))


def port(number: int) -> Condition:
    """Hold when something listens at a TCP port and takes connections; the port need not be exposed."""

    def condition(container: Container) -> Look:
        def look() -> str:
            reached = container.reach(number)
            if reached is None:
                return f"port {number} has no address"
            seen = listens(*reached)
            return f"port {number}: {seen}" if seen else ""

        return look

    return condition


def listens(host: str, number: int) -> str:
    """Return an empty text if somebody takes connections there, or else why not."""
    try:
        with socket.create_connection((host, number), CONNECT_SECONDS) as connection:
            connection.settimeout(CUT_OFF_SECONDS)
            try:
                # What speaks first says something, what waits for a question says nothing; nobody cuts off at once.
                return "" if connection.recv(1) else "the connection is cut off at once"
            except TimeoutError:
                return ""
    except OSError as error:
        return str(error.strerror or error).lower()


def healthy() -> Condition:
    """Hold when Docker's health check of the container succeeds.

    Raises:
        UsageError: The image, or the container, has no health check.
    """

    def condition(container: Container) -> Look:
        def look() -> str:
            found = container.inspect()["State"].get("Health")
            if found is None:
                raise UsageError(
                    f"container {container.label} has no health check", hint="give its image a HEALTHCHECK"
                )
            if found["Status"] == "healthy":
                return ""
            said = "; ".join(str(one["Output"]).strip() for one in (found.get("Log") or ())[-1:])
            return f"its health is {found['Status']}" + (f": {said}" if said else "")

        return look

    return condition


def http(number: int, path: str = "/", *, status: Collection[int] = range(200, 400), body: str = "") -> Condition:
    """Hold when GET is answered with one of these codes, and its body matches the regular expression ``body``."""

    def condition(container: Container) -> Look:
        def look() -> str:
            reached = container.reach(number)
            if reached is None:
                return f"port {number} has no address"
            connection = HTTPConnection(*reached, timeout=CONNECT_SECONDS)
            try:
                connection.request("GET", path)
                answer = connection.getresponse()
                text = answer.read().decode(errors="replace")
            except (OSError, HTTPException) as error:
                return f"GET {path} at port {number}: {str(error) or type(error).__name__}"
            finally:
                connection.close()
            if answer.status not in status:
                return f"GET {path} at port {number} is answered with {answer.status}"
            return "" if re.search(body, text) else f"GET {path} at port {number}: {body!r} is not in the answer"

        return look

    return condition


def command(*words: str, user: str = "") -> Condition:
    """Hold when a command in the container ends with 0."""

    def condition(container: Container) -> Look:
        def look() -> str:
            done = container.execute(*words, user=user, check=False)
            said = (done.stderr or done.stdout).strip().splitlines()[-1:]
            return "" if done.code == 0 else f"{words[0]} ends with {done.code}" + "".join(f": {line}" for line in said)

        return look

    return condition
