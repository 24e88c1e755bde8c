"""``labrig experiment`` as far as it needs no lab host: from nothing to checked settings with a sealed value."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import yaml
from conftest import Done, environment

Labrig = Callable[..., Done]


def test_from_nothing_to_checked_settings_with_a_sealed_value(labrig: Labrig, tmp_path: Path) -> None:
    key = tmp_path / "anna"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "anna@desk", "-f", key], check=True)
    assert labrig("experiment", "init").code == 0
    sealed = subprocess.run(
        [sys.executable, "-m", "labrig", "experiment", "encrypt", "TOKEN", "--to", f"{key}.pub"],
        cwd=tmp_path, env=environment(), input="hunter2\n", capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "hunter2" not in sealed.stdout + sealed.stderr
    with (tmp_path / "labrig.yml").open("a") as file:
        file.write(f"  secrets: [{key.with_suffix('.pub').read_text().strip()}]\n  environment:\n    - {sealed.stdout}")
    done = labrig("experiment", "check-config", "--branch", "feature/login")
    assert done.code == 0, done.err
    found = yaml.safe_load(done.out)
    assert found["experiment"]["host"].endswith("-feature-login.lab.example.com")
    assert found["sealed"]["environment.TOKEN"][0].startswith("anna@desk")


def test_all_that_is_wrong_is_told_at_once_and_nothing_is_done(labrig: Labrig, tmp_path: Path) -> None:
    (tmp_path / "labrig.yml").write_text("experiment:\n  host: lab\n  domian: lab.example\n  expires: soon\n")
    done = labrig("experiment", "check-config")
    assert done.code == 2
    assert done.out == ""
    for said in (
        "labrig.yml:3: domian: unknown option: did you mean domain?",
        "labrig.yml:4: expires: expected a time",
    ):
        assert said in done.err
    assert "experiment lacks domain, repository" in done.err
