"""The classic faults, each in a clone of this repository: exactly the expected checks fail; what is right is proven."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, Done

FAULTS = ROOT / "tests" / "faults"
EXPECTED = yaml.safe_load((FAULTS / "expected.yml").read_text())


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    return folder


def test_every_patch_has_an_expectation() -> None:
    assert {path.stem for path in FAULTS.glob("*.patch")} == set(EXPECTED)


def test_the_unpatched_role_is_proven(labrig: Callable[..., Done], clone: Path) -> None:
    done = labrig("prove", "--production", "HEAD", cwd=clone)
    assert done.code == 0, done.err
    assert done.verdict is not None
    assert done.verdict["verdict"] == "proven"
    assert not done.verdict["head"]["dirty"]


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_patch_fails_exactly_the_checks_that_see_it(labrig: Callable[..., Done], clone: Path, name: str) -> None:
    subprocess.run(["git", "apply", str(FAULTS / f"{name}.patch")], cwd=clone, check=True)
    # A restart is what the faults in starting are about; for the others it would only take its time.
    more = () if any(check == "survives-restart" for check, _ in EXPECTED[name]) else ("--no-restart",)
    # That the explanation is right is what test_explain.py asks.
    done = labrig("prove", "--production", "HEAD", "--no-explain", *more, cwd=clone)
    assert done.failing == {(check, path) for check, path in EXPECTED[name]}, done.err
    assert done.code == (1 if EXPECTED[name] else 0)
    assert done.verdict is not None
    assert done.verdict["head"]["dirty"]
