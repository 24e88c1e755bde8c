"""Running a scenario's own tests on a path's machines: verify.yml, Testinfra files, or both."""

from __future__ import annotations

import glob
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from labrig import clock
from labrig.ansible.playbook import PlaybookRun, Processes, option, recorded, what_was_read
from labrig.ansible.reads import Reads
from labrig.ansible.scenario import Scenario
from labrig.ansible.workspace import RECORDED, Workspace
from labrig.errors import EnvironmentFailed, Interrupted
from labrig.prove.failures import failed_tasks, headline
from labrig.prove.verdict import Check, PathName
from labrig.state.secrets import masked

LOG = "tests.log"
READS = "tests.reads"
CONFTEST = "conftest.py"
RESULTS = "tests.xml"
MESSAGE_LIMIT = 2000
# pytest's own exit codes.
PASSED, FAILED, NOTHING_COLLECTED = 0, 1, 5
# Options of Molecule's verifier `labrig` that are not Testinfra's; a proof answers both questions anyway.
IDEMPOTENCE = "idempotence"
SAME_STATE = "same-state"
COLLECTION_FAILED = 2


def verify(
    space: Workspace, path: PathName, processes: Processes, deadline: float, play: Callable[[str, Path], PlaybookRun]
) -> Check:
    """Run what the scenario has to verify its machines.

    Args:
        space: The path's workspace.
        path: Which path it is.
        processes: Who ends the tests if the run is interrupted.
        deadline: When they have to be done, on the monotonic clock.
        play: Runs a playbook on the path's machines.
    """
    began = clock.monotonic()
    scenario = space.scenario
    tests = test_files(scenario)
    playbook = scenario.playbooks.get("verify")
    if not tests and playbook is None:
        return Check("verified", path, "skip", "the scenario has neither Testinfra files nor a verify playbook")
    details: list[dict[str, Any]] = []
    reasons: list[str] = []
    passed = 0
    failed = False
    if playbook is not None:
        played = play("verify", playbook)
        passed += len(played.tasks)
        if not played.ok:
            failed = True
            reasons.append(f"{playbook.name}: {headline(played, deadline - began)}")
            details += failed_tasks(played)
    if tests:
        done = _testinfra(space, path, tests, processes, deadline)
        passed += done.passed
        if done.failures:
            failed = True
            reasons.append(done.reason)
            details += done.failures
        elif done.nothing and playbook is None:
            return Check("verified", path, "skip", "pytest collected no test", clock.monotonic() - began)
    seconds = clock.monotonic() - began
    if failed:
        return Check("verified", path, "fail", "; ".join(reasons), seconds, details=tuple(details))
    return Check("verified", path, "pass", f"{passed} tests", seconds)


def test_files(scenario: Scenario) -> list[Path]:
    """Return the scenario's Testinfra files, as Molecule finds them: ``test_*.py`` below the verifier's folder."""
    verifier = scenario.verifier
    found = sorted(verifier.directory.rglob("test_*.py")) if verifier.directory.is_dir() else []
    for pattern in verifier.additional:
        found += [Path(one) for one in sorted(glob.glob(str(Path(glob.escape(str(verifier.directory))) / pattern)))]  # noqa: PTH207
    return list(dict.fromkeys(found))


def _within(scenario: Scenario, options: Mapping[str, Any]) -> list[str]:
    """Return what keeps pytest inside the project.

    Else it takes the inventory for one of its arguments, and looks at every folder below what that and the tests have
    in common, which may be the root of the file system.
    """
    folder = scenario.verifier.directory
    top = next((one for one in _levels(scenario) if (one / CONFTEST).is_file()), folder)
    given = {str(key) for key in options}
    chosen = {"rootdir": folder, "confcutdir": top}
    return [f"--{name}={path}" for name, path in chosen.items() if name not in given]


def _levels(scenario: Scenario) -> list[Path]:
    """Return the folders from the project's root down to the tests."""
    folder = scenario.verifier.directory
    return [one for one in [*reversed(folder.parents), folder] if one.is_relative_to(scenario.project)]


def looked_at(space: Workspace) -> Reads:
    """Return what the Testinfra files of a workspace looked at on this machine, with the programs that they start."""
    possible = frozenset(str(level / CONFTEST) for level in _levels(space.scenario))
    there = frozenset(one for one in possible if Path(one).is_file())
    found = Reads(there, possible - there)
    for name in (READS, *(f"{program}.reads" for program in RECORDED)):
        found |= what_was_read(space.folder / name)
    return found


class _Tested:
    """What pytest found."""

    def __init__(self, passed: int, failures: list[dict[str, Any]], *, nothing: bool = False) -> None:
        self.passed = passed
        self.failures = failures
        self.nothing = nothing

    @property
    def reason(self) -> str:
        first = self.failures[0]
        lines = str(first["message"]).strip().splitlines()
        said = f": {lines[0][:200]}" if lines else ""
        if len(self.failures) == 1:
            return f"{first['test']} fails{said}"
        return f"{len(self.failures)} tests fail, first {first['test']}{said}"


def _testinfra(space: Workspace, path: PathName, tests: list[Path], processes: Processes, deadline: float) -> _Tested:
    verifier = space.scenario.verifier
    junit = space.folder / RESULTS
    log = space.folder / LOG
    command = [
        "pytest",
        "--connection",
        "ansible",
        "--ansible-inventory",
        str(space.test_inventory),
        # The scenario's own options come later, and may ask for another way.
        "--docker-through=session",
        "-p",
        "no:cacheprovider",
        f"--junitxml={junit}",
        *_within(space.scenario, verifier.options),
    ]
    for key, value in verifier.options.items():
        if key not in (IDEMPOTENCE, SAME_STATE) and (str(key), value) != ("p", "no:cacheprovider"):
            command += option(str(key), value)
    env = {**space.env, **verifier.env, "PYTHONDONTWRITEBYTECODE": "1", "LABRIG_PATH": path}
    words = recorded(space.folder / READS, [*command, *map(str, tests)])
    with (
        log.open("wb") as output,
        processes.start(words, cwd=space.scenario.directory, env=env, output=output) as process,
    ):
        try:
            code = process.wait(max(1.0, deadline - clock.monotonic()))
        except subprocess.TimeoutExpired:
            return _Tested(0, [{"test": "Testinfra", "message": "the tests did not finish in time"}])
    if processes.cancelled:
        raise Interrupted("interrupted")
    said = log.read_text(encoding="utf-8", errors="replace")
    if code == NOTHING_COLLECTED:
        return _Tested(0, [], nothing=True)
    if code not in (PASSED, FAILED, COLLECTION_FAILED):
        raise EnvironmentFailed(
            f"the tests of the scenario could not be run: pytest ended with {code}:\n{said[-MESSAGE_LIMIT:]}"
        )
    passed, failures = _read_junit(junit)
    if code != PASSED and not failures:
        failures = [{"test": "Testinfra", "message": masked(said[-MESSAGE_LIMIT:])}]
    return _Tested(passed, failures)


def tests_seconds(space: Workspace) -> float:
    """Return how long the tests themselves ran, without what pytest does around them; 0 where none did."""
    try:
        root = ElementTree.parse(space.folder / RESULTS).getroot()  # noqa: S314  # pytest wrote it a moment ago
    except (OSError, ElementTree.ParseError):
        return 0.0
    return sum(float(case.get("time", 0)) for case in root.iter("testcase"))


def _read_junit(path: Path) -> tuple[int, list[dict[str, Any]]]:
    try:
        root = ElementTree.parse(path).getroot()  # noqa: S314  # pytest wrote it a moment ago
    except (OSError, ElementTree.ParseError):
        return 0, []
    passed = 0
    failures = []
    for case in root.iter("testcase"):
        bad = next((child for child in case if child.tag in ("failure", "error")), None)
        if bad is not None:
            message = f"{bad.get('message') or ''}\n{bad.text or ''}".strip()
            failures.append(
                {"test": case.get("name") or case.get("classname"), "message": masked(message[:MESSAGE_LIMIT])}
            )
        elif not any(child.tag == "skipped" for child in case):
            passed += 1
    return passed, failures
