"""An interruption is heard whichever thread the kernel gives it to."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

SLEEPS = """
import signal, sys, threading
from labrig import interrupts

interrupts.hear(signal.SIGINT, signal.SIGTERM)
waits = threading.Event()


def busy():
    waits.wait(0.2)
    signal.pthread_kill(threading.get_ident(), int(sys.argv[1]))
    waits.wait(10)


threading.Thread(target=busy, daemon=True).start()
try:
    threading.Event().wait()
except KeyboardInterrupt:
    print("heard")
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_main_thread_that_waits_for_another_hears_what_that_one_was_given(number: signal.Signals) -> None:
    command = [sys.executable, "-c", SLEEPS, str(int(number))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=8, check=False)
    assert done.stdout == "heard\n", done.stderr
