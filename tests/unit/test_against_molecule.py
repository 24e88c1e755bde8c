"""The benchmark beside Molecule: how lines become phases."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

FILE = Path(__file__).parents[2] / "benchmarks/against_molecule/phases.py"
SPEC = importlib.util.spec_from_file_location("phases", FILE)
assert SPEC is not None
assert SPEC.loader is not None
phases = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(phases)


def taken(found: dict[str, float]) -> dict[str, float]:
    """Return the phases that took any time."""
    return {name: round(seconds, 1) for name, seconds in found.items() if seconds}


def test_phases_of_molecule_are_its_actions_and_a_failed_one_ends_too() -> None:
    lines = [
        (1.0, "INFO     [default > create] Executing\n"),
        (9.0, "\x1b[34mINFO     [default > create] Executed: Successful\x1b[0m\n"),
        (9.0, "INFO     [default > converge] Executing\n"),
        (29.0, "ERROR    [default > converge] Executed: Failed\n"),
        (30.0, "INFO     [default > destroy] Executing\n"),
        (32.0, "INFO     [default > destroy] Executed: Successful\n"),
    ]
    assert taken(phases.of_molecule(lines, 34.0)) == {"create": 8, "deploy": 20, "destroy": 2, "other": 4}


def test_phases_of_labrig_are_those_of_the_path_that_ended_last() -> None:
    lines = [
        (1.0, "[   0.5s] fresh    boot\n"),
        (1.0, "[   0.5s] upgrade  production 0a5e95b37e34\n"),
        (3.0, "[   2.5s] upgrade  boot\n"),
        (4.0, "[   3.5s] upgrade  deploy\n"),
        (9.0, "[   8.5s] upgrade  deploys pass: 5 tasks\n"),
        (9.0, "[   8.5s] upgrade  capture\n"),
        (11.0, "[  10.5s] upgrade  verify\n"),
        (12.0, "[  11.5s] fresh    done\n"),
        (14.0, "[  13.5s] upgrade  done\n"),
        (14.0, "[  13.5s] both     compare\n"),
        (15.0, "[  14.5s] both     same-state pass: 14077 things compared, none differs\n"),
    ]
    found = taken(phases.of_labrig(lines, 17.0))
    assert found == {"create": 3, "deploy": 5, "verify": 3, "compare": 3, "destroy": 2, "other": 1}


@pytest.mark.parametrize("read", [phases.of_molecule, phases.of_labrig])
def test_phases_add_up_to_the_whole_even_where_none_is_seen(read) -> None:
    assert read([(0.1, "proven: as before\n")], 0.5) == {**dict.fromkeys(phases.PHASES, 0.0), "other": 0.5}
