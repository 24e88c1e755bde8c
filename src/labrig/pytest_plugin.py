"""Fixtures for people's own tests: ``machine_state`` reads a machine, ``same_state`` asserts that two are the same.

def test_both_servers_are_alike(machine_state, same_state):
    same_state(machine_state("ssh://root@web1"), machine_state("ssh://root@web2"))

def test_nothing_changes(host, machine_state, same_state):  # host is Testinfra's
    before = machine_state(host)
    host.check_output("systemctl restart web")
    same_state(before, machine_state(host))

The fixtures for containers in tests are in ``labrig.containers.fixtures``.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from testinfra.host import Host

    from labrig.state.model import Key, State

# What tests use containers with is a plugin of its own.
pytest_plugins = ("labrig.containers.fixtures",)

# Of more differences than this the first are shown.
SHOWN = 200


class MachineState(Protocol):
    """What the fixture ``machine_state`` gives."""

    def __call__(
        self,
        machine: Host | str,
        *,
        only: Iterable[str] = (),
        dimensions: Iterable[str] | None = None,
        become: bool = False,
    ) -> State:
        """Return the state of a machine."""


class SameState(Protocol):
    """What the fixture ``same_state`` gives."""

    def __call__(
        self,
        left: State,
        right: State,
        *,
        names: Sequence[str] | None = None,
        rules: str = "",
        allowed: Mapping[Key, str] | None = None,
    ) -> None:
        """Fail unless two states are the same."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what concerns Testinfra."""
    parser.getgroup("labrig").addoption(
        "--docker-through",
        choices=("exec", "session"),
        default="exec",
        help="How Testinfra reaches containers: by a `docker exec` for every command, or by one process that stays"
        " in each of them. labrig:// always does the latter.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the connection labrig:// known, if tests use Testinfra."""
    # Imported when called for: pytest loads this module in every run of everybody who has labrig.
    if "testinfra" not in sys.modules:
        return
    from labrig.session import testinfra  # noqa: PLC0415

    testinfra.register()
    config.add_cleanup(testinfra.close)
    if config.getoption("docker_through") == "session":
        stack = contextlib.ExitStack()
        stack.enter_context(testinfra.in_place_of_docker())
        config.add_cleanup(stack.close)


@pytest.fixture(scope="session")
def machine_state() -> MachineState:
    """Return a function that reads the state of a machine.

    It takes Testinfra's ``host`` or a TARGET of ``labrig state``: ``ssh://root@web1``, ``container:web``, ``local``, a
    file. ``only`` are absolute paths that the files are kept to, ``dimensions`` the names of those to read, ``become``
    uses sudo where the user there is not root. ``LABRIG_SSH_CONFIG`` names another file than ~/.ssh/config.
    """

    def capture(
        machine: Host | str,
        *,
        only: Iterable[str] = (),
        dimensions: Iterable[str] | None = None,
        become: bool = False,
    ) -> State:
        from labrig.targets import read, testinfra  # noqa: PLC0415

        config = os.environ.get("LABRIG_SSH_CONFIG")
        wish = read.Wish(
            tuple(only),
            None if dimensions is None else tuple(dimensions),
            become,
            Path(config) if config else None,
        )
        if isinstance(machine, str):
            return read.state(read.find(machine), wish)
        return testinfra.state(machine, wish)

    return capture


@pytest.fixture(scope="session")
def same_state() -> SameState:
    """Return a function that fails the test unless two states are the same, and says in sentences what differs.

    ``names`` are what the two are called; ``rules`` is ``one-machine``, ``two-machines`` or ``none``, where it is not
    told by the states themselves; ``allowed`` are what may differ, each with its reason:
    ``{("file", "/etc/motd"): "names the server"}``.
    """

    def check(
        left: State,
        right: State,
        *,
        names: Sequence[str] | None = None,
        rules: str = "",
        allowed: Mapping[Key, str] | None = None,
    ) -> None:
        __tracebackhide__ = True
        from labrig.state import comparison  # noqa: PLC0415

        told = comparison.tell(left, right, rules=rules, names=names, allowed=allowed or {})
        if not told.same:
            *said, _ = told.lines()
            more = [f"... and {len(said) - SHOWN} more"] if len(said) > SHOWN else []
            pytest.fail("\n".join([told.answer(), *said[:SHOWN], *more]), pytrace=False)

    return check
