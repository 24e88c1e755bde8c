"""What happens around tests that use containers: looking before and after, saving, keeping, removing, telling."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from labrig.errors import LabrigError

# Docker's library is imported when a test needs it: this module is loaded in every run of everybody who has labrig.
if TYPE_CHECKING:
    from labrig.containers.leaks import Left
    from labrig.containers.owner import Owner
    from labrig.containers.session import Session

NAME = "labrig-containers"
OUTPUT = ".labrig/tests"
# Of more objects that were left than this the first are shown.
SHOWN = 20
FIXTURES = frozenset({"labrig_test", "labrig_module", "labrig_session"})

_OWNER = pytest.StashKey["Owner"]()
_BEFORE = pytest.StashKey[Mapping[tuple[str, str], str]]()
_FAILED = pytest.StashKey[bool]()


class Watcher:
    """The part of the plugin that one process has, a worker of pytest-xdist or pytest itself.

    What it finds out travels with the reports of tests, so that the process that prints the summary has all of it.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._session: Session | None = None
        self._kept: list[str] = []
        self._left: list[Left] = []
        self._late: list[Left] = []
        self._lost: list[str] = []

    def session(self) -> Session:
        """Return the session of this process, opened when it is first needed."""
        if self._session is None:
            from labrig.containers.session import Session  # noqa: PLC0415

            # The same in all workers of one run of pytest-xdist.
            workers = getattr(self._config, "workerinput", {})
            shared = f"pytest-{workers['testrunuid']}" if "testrunuid" in workers else ""
            self._session = Session(self._config.rootpath.name, shared=shared, keepable=self._keeps != "none")
        return self._session

    def owner(self, node: pytest.Item | pytest.Collector) -> Owner:
        """Return the owner of what a test, or a module of tests, makes."""
        if _OWNER not in node.stash:
            node.stash[_OWNER] = self.session().owner(node.nodeid)
        return node.stash[_OWNER]

    def remove(self, owner: Owner) -> None:
        """Remove what an owner has, and note what could not be removed."""
        from labrig.containers import leaks  # noqa: PLC0415

        self._late += leaks.in_use(owner.remove(), owner.test)

    @property
    def _keeps(self) -> str:
        return str(self._config.getoption("labrig_keep"))

    @property
    def _output(self) -> Path:
        return Path(self._config.rootpath, self._config.getoption("labrig_output"))

    # Around each test.

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Look what is there before a test."""
        if self._watches(item) and self._config.getoption("labrig_leaks") != "no":
            from labrig.containers import leaks  # noqa: PLC0415

            # Where no engine answers the fixture says so, as an error of the test.
            with contextlib.suppress(LabrigError):
                item.stash[_BEFORE] = leaks.look(self.session().client)
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Save what a failed test used, keep it or remove it, and look what is left."""
        report = yield
        if self._session is not None and self._watches(item):
            try:
                if report.failed and not item.stash.get(_FAILED, False):
                    item.stash[_FAILED] = True
                    self._save(item, report)
                if report.when == "teardown":
                    self._end(item, report)
            # The engine was lost, or what the test itself asked for at its end raises.
            except Exception as error:  # noqa: BLE001
                report.sections.append(("labrig", str(error)))
                if report.passed:
                    report.outcome, report.longrepr = "failed", str(error)
        return report

    def _save(self, item: pytest.Item, report: pytest.TestReport) -> None:
        from labrig.containers import artifacts  # noqa: PLC0415

        folder = artifacts.folder_for(self._output, item.nodeid)
        saved = artifacts.save(self._used(item), folder)
        if not saved:
            return
        if self._output == Path(self._config.rootpath, OUTPUT):
            ignored = self._output.parent / ".gitignore"
            ignored.write_text("*\n", encoding="utf-8")
        item.user_properties.append(("labrig_output", str(folder)))
        for one in saved:
            report.sections.append((f"labrig: container {one.line}", one.tail or "(it has printed nothing)"))
        report.sections.append(("labrig", f"logs, inspect output and exit codes of {len(saved)} containers: {folder}"))

    def _end(self, item: pytest.Item, report: pytest.TestReport) -> None:
        from labrig.containers import leaks  # noqa: PLC0415

        failed = item.stash.get(_FAILED, False)
        if self._keeps == "all" or (failed and self._keeps == "failed"):
            vars(report)["labrig_kept"] = self._keep(item)
        if _OWNER in item.stash:
            self.remove(item.stash[_OWNER])
        left, self._late = self._late, []
        if _BEFORE in item.stash:
            left += leaks.appeared(item.stash[_BEFORE], leaks.look(self.session().client), item.nodeid)
        vars(report)["labrig_left"] = [one.as_json() for one in left]

    def _keep(self, item: pytest.Item) -> list[str]:
        from labrig.containers import keeping  # noqa: PLC0415

        session = self.session()
        for owner in self._used(item):
            owner.keep()
        if "labrig_session" in _fixtures(item):
            session.keep_shared()
        return keeping.told(item.nodeid, self._used(item))

    def _used(self, item: pytest.Item) -> list[Owner]:
        """Return the owners of what a test may have used: its own, and those of its fixtures."""
        session, names = self.session(), _fixtures(item)
        module = item.getparent(pytest.Module)
        used = [item.stash[_OWNER]] if _OWNER in item.stash else []
        if "labrig_module" in names and module is not None and _OWNER in module.stash:
            used.append(module.stash[_OWNER])
        return [*used, *([session, *session.together()] if "labrig_session" in names else [])]

    def _watches(self, item: pytest.Item) -> bool:
        return bool(FIXTURES & _fixtures(item))

    # At the end of all.

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect what reports carry, also those of workers."""
        self._kept += getattr(report, "labrig_kept", [])
        self._add(getattr(report, "labrig_left", []))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Collect what a worker of pytest-xdist found at its end; one that crashed says nothing."""
        found = getattr(node, "workeroutput", {})
        self._add(found.get("labrig_left", []))
        self._lost += found.get("labrig_lost", [])

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Remove what is left of the session; with ``--labrig-leaks=fail`` let the run fail for what still is there."""
        worker = getattr(self._config, "workeroutput", None)
        if self._session is not None:
            late = self._close(self._session)
            self._left += late
            if worker is not None:
                worker["labrig_left"] = [one.as_json() for one in late]
                worker["labrig_lost"] = self._lost
        if worker is None and self._left:
            self._left = self._still_there()
        fails = self._lost or (self._left and self._config.getoption("labrig_leaks") == "fail")
        if fails and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _close(self, session: Session) -> list[Left]:
        from labrig.containers import leaks  # noqa: PLC0415

        try:
            return [*self._late, *leaks.in_use(session.close(), "a fixture of the session")]
        # As above: pytest would end with an internal error, and say nothing of the tests.
        except Exception as error:  # noqa: BLE001
            self._lost.append(str(error))
            return self._late

    def _still_there(self) -> list[Left]:
        from labrig.containers import leaks  # noqa: PLC0415
        from labrig.engine.client import connect  # noqa: PLC0415

        try:
            with contextlib.closing(connect()) as client:
                return leaks.still_there(client, self._left)
        except LabrigError:
            return self._left

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Tell what was kept, and what tests have left."""
        if self._kept:
            terminalreporter.section("labrig: kept")
            for line in self._kept:
                terminalreporter.line(line)
        if self._lost:
            terminalreporter.section("labrig: could not remove everything")
            for line in self._lost:
                terminalreporter.line(line)
        if self._left:
            from labrig.containers import leaks  # noqa: PLC0415

            terminalreporter.section("labrig: left on the engine")
            lines = leaks.told(self._left)
            for line in lines[:SHOWN]:
                terminalreporter.line(line)
            if len(lines) > SHOWN:
                terminalreporter.line(f"... and {len(lines) - SHOWN} more")
            terminalreporter.line(leaks.PERHAPS)

    def _add(self, found: list[dict[str, str]]) -> None:
        if found:
            from labrig.containers.leaks import Left  # noqa: PLC0415

            self._left += [Left(**one) for one in found]


def _fixtures(item: pytest.Item) -> frozenset[str]:
    return frozenset(getattr(item, "fixturenames", ()))
