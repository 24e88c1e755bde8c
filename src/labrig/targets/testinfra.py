"""Reading the state of a machine that Testinfra holds a connection to, through any of its backends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from labrig.errors import EnvironmentFailed
from labrig.state import capture
from labrig.state.model import ForeignState, State
from labrig.targets import ready
from labrig.targets.read import Wish, describe

if TYPE_CHECKING:
    from testinfra.host import Host


def state(host: Host, wish: Wish) -> State:
    """Return the state of a machine; Testinfra has no standard input, so the probe travels as an argument.

    Args:
        host: What Testinfra's fixture ``host`` or ``testinfra.get_host`` gives.
        wish: What is to be read; ``become`` uses sudo where Testinfra itself does not.

    Raises:
        EnvironmentFailed: It has no Python, or what comes back is no state.
    """
    name = str(host.backend.get_pytest_id())

    def execute(argv: Sequence[str], stdin: bytes) -> Iterator[str]:
        del stdin
        done = host.run(" ".join(["%s"] * len(argv)), *argv)
        if done.rc != 0:
            said = done.stderr.strip().splitlines()
            raise EnvironmentFailed(f"{argv[0]} on {name} ended with exit code {done.rc}: {said[-1] if said else ''}")
        yield done.stdout

    found = ready.look(execute, name, become=wish.become)
    if not found.python:
        raise ready.no_python(name)

    def run(argv: Sequence[str], stdin: bytes) -> Iterator[str]:
        return execute([*found.prefix, *argv], stdin)

    asked = capture.request(only=wish.only, dimensions=wish.dimensions)
    about = describe({"kind": "testinfra", "name": name}, wish.only)
    source = f"the state of {name}"
    try:
        lines = capture.stream(run, asked=asked, python=found.python, packed=True, about=about, source=source)
        return State.parse(lines, source=source)
    except ForeignState as error:
        raise EnvironmentFailed(error.message, hint=error.hint) from error
