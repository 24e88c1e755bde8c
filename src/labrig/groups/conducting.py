"""Carrying out the instructions of an order in threads, while the main thread is free to hear Ctrl-C."""

from __future__ import annotations

import threading
from collections.abc import Callable


def in_background(name: str, task: Callable[[], None]) -> None:
    """Begin a task in a thread that holds nobody up: not even the end of the process waits for it."""
    threading.Thread(target=task, name=name, daemon=True).start()


def conduct(loop: Callable[[], None], cancel: Callable[[], None]) -> bool:
    """Run a loop until it returns; tell whether it was interrupted.

    The loop has a thread of its own, so that no interruption falls between an instruction and its beginning.

    Args:
        loop: Waits for events, and begins what they call for.
        cancel: Called at the first Ctrl-C; the second one is raised.

    Raises:
        KeyboardInterrupt: The user would not wait for what a cancelled loop still does.
    """
    raised: list[BaseException] = []
    over = threading.Event()

    def run() -> None:
        try:
            loop()
        except BaseException as error:  # noqa: BLE001  # raised below, where somebody sees it
            raised.append(error)
        finally:
            over.set()

    in_background("order", run)
    interrupted = False
    while not over.is_set():
        try:
            over.wait()
        except KeyboardInterrupt:
            if interrupted:
                raise
            interrupted = True
            cancel()
    if raised:
        raise raised[0]
    return interrupted
