"""Interruptions that are heard: Python acts on a signal in its main thread, which the kernel need not have woken.

A signal to a process goes to any of its threads. Where it goes to another one than the main thread, Python only notes
it, and a main thread that waits for the others (``concurrent.futures.wait``, a lock, a queue) sleeps on until they have
finished: Ctrl-C is lost. So a thread of our own listens to what Python notes, and wakes the main thread.
"""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Never

from labrig import clock

# Does nothing where it is not handled, and nobody else uses it here.
_WAKES = signal.SIGURG
# Seconds between the calls for one signal: the first may come just before the main thread begins to wait.
_AGAIN_AFTER = (0.0, 0.05, 0.5)


def hear(*numbers: signal.Signals) -> None:
    """Make these signals raise ``KeyboardInterrupt`` in the main thread, and wake it for every one that it handles.

    To be called once, in the main thread. Signals that are not named keep what they do: SIGINT raises it already, and
    stays ignored where whoever started the process wants that.
    """
    for number in numbers:
        signal.signal(number, _interrupt)
    signal.signal(_WAKES, lambda *_: None)
    told, tells = os.pipe()
    os.set_blocking(tells, False)
    signal.set_wakeup_fd(tells, warn_on_full_buffer=False)
    threading.Thread(target=_wake_main_thread, args=(told,), name="interrupts", daemon=True).start()


def _wake_main_thread(told: int) -> None:
    main = threading.main_thread()
    while noted := os.read(told, 1):
        if noted[0] == _WAKES:
            continue
        for seconds in _AGAIN_AFTER:
            clock.sleep(seconds)
            if main.is_alive() and main.ident is not None:
                signal.pthread_kill(main.ident, _WAKES)


def _interrupt(number: int, frame: FrameType | None) -> Never:
    del number, frame
    raise KeyboardInterrupt
