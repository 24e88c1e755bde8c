"""pytest: fixtures that own what tests make, files of failed tests, what is kept, and what tests leave behind.

def test_front(labrig_test):
    web = labrig_test.container("shop/web").expose(80).run().wait_for(waiting.http(80))
    assert "Welcome" in urlopen(web.url(80)).read().decode()
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from labrig.containers.watching import NAME, OUTPUT, Watcher

if TYPE_CHECKING:
    from labrig.containers.owner import Owner
    from labrig.containers.session import Session


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what concerns containers in tests."""
    group = parser.getgroup("labrig")
    group.addoption(
        "--labrig-keep",
        choices=("none", "failed", "all"),
        default="none",
        help="Keep the containers, networks and volumes that failed, or all, tests used, and tell how to enter them.",
    )
    group.addoption(
        "--labrig-output",
        default=OUTPUT,
        metavar="DIR",
        help="Where logs, inspect output and exit codes of failed tests' containers go (default: %(default)s).",
    )
    group.addoption(
        "--labrig-leaks",
        choices=("report", "fail", "no"),
        default="report",
        help="Report what tests that use labrig's fixtures leave on the engine, or let the run fail for it.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Watch over the tests of this process."""
    config.pluginmanager.register(Watcher(config), NAME)


@pytest.fixture(scope="session")
def labrig_session(pytestconfig: pytest.Config) -> Session:
    """Own what all tests of this process share; ``shared_container`` makes one for all workers of pytest-xdist."""
    return _watcher(pytestconfig).session()


@pytest.fixture(scope="module")
def labrig_module(request: pytest.FixtureRequest, pytestconfig: pytest.Config) -> Iterator[Owner]:
    """Own what the tests of a module share: it goes after the last of them."""
    watcher = _watcher(pytestconfig)
    owner = watcher.owner(request.node)
    yield owner
    watcher.remove(owner)


@pytest.fixture
def labrig_test(request: pytest.FixtureRequest, pytestconfig: pytest.Config) -> Owner:
    """Own what one test makes: it goes when the test, and all of its fixtures, have ended."""
    # The watcher removes it: whether the test has failed is known only then.
    return _watcher(pytestconfig).owner(request.node)


def _watcher(config: pytest.Config) -> Watcher:
    found = config.pluginmanager.get_plugin(NAME)
    assert isinstance(found, Watcher)  # noqa: S101  # registered above
    return found
