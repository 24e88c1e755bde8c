"""Sessions that cannot begin; those that can are tested in machines."""

from __future__ import annotations

import ast
import signal
import time
from pathlib import Path

import pytest

from labrig.session import start
from labrig.session.pool import Pool


@pytest.mark.parametrize(
    "command",
    [["/no/such/engine"], ["sh", "-c", "exit 1", "sh"], ["sh", "-c", "echo 'something else'", "sh"]],
    ids=["no engine", "no machine", "no agent"],
)
def test_where_no_session_can_begin_nothing_runs(command: list[str]) -> None:
    pool = Pool(command)

    assert pool.run(["true"]) is None
    assert pool.run(["true"]) is None


def test_a_time_limit_of_a_test_holds_while_a_session_begins() -> None:
    def give_up(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    began = time.monotonic()
    try:
        with pytest.raises(TimeoutError):
            Pool(["sh", "-c", "exec sleep 1", "sh"]).run(["true"])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - began < start.START_SECONDS


def test_the_agent_is_source_for_the_oldest_python_that_it_runs_on() -> None:
    folder = Path(start.__file__).parent
    for part in ("interpreter", "agent"):
        ast.parse((folder / f"{part}.py").read_text(encoding="utf-8"), feature_version=(3, 8))
