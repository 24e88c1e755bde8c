from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from labrig.errors import ExitCode
from labrig.prove import configuration
from labrig.prove.calibration import Calibration, measure
from labrig.prove.verdict import Check
from labrig.state.model import State

FILE = {"type": "file", "mode": "0644", "size": 8, "sha256": "a"}
TODAY = date(2026, 11, 20)


def states(*machines: str, **files: dict[str, Any]) -> dict[str, State]:
    entries = {("file", f"/{name}"): {**FILE, **over} for name, over in files.items()}
    return {name: State(entries=entries) for name in machines or ("web",)}


def calibrated(*arguments: Any) -> Calibration:
    measured, compared = measure(*arguments)
    return Calibration("role", "default", (Check("deploys", "fresh", "pass"),), measured, compared, 1.0)


def test_equal_deployments_propose_nothing() -> None:
    found = calibrated(states(token={}), states(token={}), (), TODAY)
    assert (found.exit_code, found.as_yaml(), found.compared) == (ExitCode.OK, "", 1)


def test_what_is_proposed_can_be_pasted_and_then_allows_what_was_measured_and_no_more(tmp_path: Path) -> None:
    first, second = states(token={}, once={}), states(token={"sha256": "b"})
    found = calibrated(first, second, (), TODAY)
    assert found.exit_code == ExitCode.FAILED
    (tmp_path / "labrig.yml").write_text(found.as_yaml())
    once, token = configuration.read(tmp_path).allowed
    assert (token.key, token.fields, token.check, token.expires) == (
        "/token",
        ("content",),
        "same-state",
        date(2027, 2, 18),
    )
    assert "Measured on 2026-11-20 between two equal deployments: file /token: content differs" in token.reason
    assert (once.key, once.fields) == ("/once", ())
    assert calibrated(first, second, (once, token), TODAY).exit_code == ExitCode.OK
    worse = states(token={"sha256": "b", "mode": "0600"})
    assert [one.text for one in calibrated(first, worse, (once, token), TODAY).measured] == [
        "file /token: mode is 0644 on first and 0600 on second"
    ]


def test_of_several_machines_the_entry_names_the_one() -> None:
    second = {**states("web", token={"sha256": "b"}), **states("db", token={})}
    (one,) = calibrated(states("web", "db", token={}), second, (), TODAY).measured
    assert one.proposed is not None
    assert (one.machine, one.proposed.machine, one.proposed.key) == ("web", "web", "/token")


def test_what_could_not_be_read_is_told_and_not_proposed() -> None:
    found = calibrated(states(token={}), {"web": State(unreadable={"file": "no permission"})}, (), TODAY)
    assert (found.exit_code, found.as_yaml()) == (ExitCode.FAILED, "")
    assert found.as_json()["differences"][0]["proposed"] is None


def test_what_looks_like_a_secret_is_not_shown() -> None:
    first, second = (states(a={"target": f"--password={value}"}) for value in ("hunter2hunter2", "swordfish77"))
    found = calibrated(first, second, (), TODAY)
    assert not any(value in found.as_yaml() + str(found.as_json()) for value in ("hunter2", "swordfish"))


def test_where_it_does_not_deploy_nothing_is_calibrated() -> None:
    bad = Check("deploys", "fresh", "fail", "task 'Break it' failed on web: no")
    found = Calibration("role", "default", (bad,), (), 0, 1.0)
    assert found.exit_code == ExitCode.FAILED
    assert found.as_json()["failed"] == ["task 'Break it' failed on web: no"]
