"""Running the hooks of services: with a limit, in a thread that nobody waits for longer, ``async`` ones in one loop."""

from __future__ import annotations

import functools
import os
import threading
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from labrig import clock
from labrig.errors import LabrigError
from labrig.groups.service import Service, shown

if TYPE_CHECKING:
    import asyncio

# How soon a wait notices that it is abandoned.
LOOK_EVERY_SECONDS = 0.05


class HookFailed(LabrigError):
    """A hook raised, or did not end in time; the message says where."""


class HookLate(HookFailed):
    """A hook did not end in time."""


class Abandoned(Exception):
    """The wait is not wanted any more; the hook's thread goes on alone."""


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    """Return the one loop that all ``async`` hooks run in, so that what one opens another can close."""
    # Few groups have such hooks, and all would wait for the import.
    import asyncio  # noqa: PLC0415

    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="async hooks", daemon=True).start()
    return loop


def call(service: Service, hook: str, *arguments: Any, limit: float, abandoned: threading.Event | None = None) -> Any:
    """Run a hook of a service and return its value.

    Args:
        service: Whose hook.
        hook: Its name.
        arguments: What it is given.
        limit: Seconds that it has.
        abandoned: Set when nobody waits for it any more.

    Raises:
        HookFailed: It raised, or did not end in time.
        Abandoned: Nobody waits.
    """
    said: list[Any] = []
    raised: list[BaseException] = []
    ended = threading.Event()

    def run() -> None:
        try:
            said.append(_value(getattr(service, hook), arguments))
        except BaseException as error:  # noqa: BLE001  # also SystemExit: a hook ends no start
            raised.append(error)
        finally:
            ended.set()

    threading.Thread(target=run, name=f"{hook} of {service.name}", daemon=True).start()
    until = clock.monotonic() + limit
    while not ended.wait(max(0.0, min(LOOK_EVERY_SECONDS, until - clock.monotonic()))):
        if abandoned is not None and abandoned.is_set():
            raise Abandoned
        if clock.monotonic() >= until:
            raise HookLate(
                f"{shown(service.defined_at)}: service {service.name!r}: {hook} has not ended within {limit:g} s"
            )
    if raised:
        raise HookFailed(said_of(service, hook, raised[0])) from raised[0]
    return said[0]


def said_of(service: Service, hook: str, error: BaseException) -> str:
    """Return what a hook raised, with the line of the user's file on which it did."""
    file = service.defined_at.rpartition(":")[0]
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    place = f"{file}:{lines[-1]}" if lines else service.defined_at
    kind = "" if isinstance(error, LabrigError) else f"{type(error).__name__}: "
    told = f"{kind}{error}" if str(error) else type(error).__name__
    if isinstance(error, LabrigError) and error.hint:
        told += f" ({error.hint})"
    return f"{shown(place)}: service {service.name!r}: {hook} raised {told}"


def run_for_group(hook: Callable[[Any], Any] | None, argument: Any, name: str) -> str:
    """Run a hook of the whole group in this thread; return what it raised, or nothing.

    Ctrl-C ends it, and that is how one ends that follows logs, say: no failure.
    """
    if hook is None:
        return ""
    try:
        _value(hook, (argument,))
    except KeyboardInterrupt:
        return ""
    except Exception as error:  # noqa: BLE001  # whatever it is, the group stands as it does
        where = traceback.extract_tb(error.__traceback__)[-1]
        return f"{os.path.relpath(where.filename)}:{where.lineno}: {name} raised {type(error).__name__}: {error}"
    return ""


def _value(hook: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    value = hook(*arguments)
    return _awaited(value) if hasattr(value, "__await__") else value


def _awaited(value: Any) -> Any:
    import asyncio  # noqa: PLC0415  # as above

    async def wait() -> Any:
        return await value

    return asyncio.run_coroutine_threadsafe(wait(), _loop()).result()
