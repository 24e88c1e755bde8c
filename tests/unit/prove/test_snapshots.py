from __future__ import annotations

from pathlib import Path

import pytest

from labrig.ansible.scenario import Scenario, load
from labrig.prove.snapshots import preparation

FILES = {
    "molecule.yml": "platforms: [{name: web, image: x}]\nverifier: {directory: tests}",
    "converge.yml": "[]",
    "prepare.yml": "[]",
    "tasks/ground.yml": "[]",
    "tests/test_x.py": "",
}


def scenario(root: Path, **over: str) -> Scenario:
    directory = root / "molecule" / "default"
    for name, content in {**FILES, **over}.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return load(root, directory / "molecule.yml", {})


@pytest.mark.parametrize("name", ["prepare.yml", "tasks/ground.yml"])
def test_what_prepares_a_machine_decides_whether_it_is_prepared_again(tmp_path: Path, name: str) -> None:
    before = preparation(scenario(tmp_path / "a"))
    assert preparation(scenario(tmp_path / "b", **{name: "- {hosts: all}"})) != before


@pytest.mark.parametrize("name", ["converge.yml", "tests/test_x.py"])
def test_what_has_another_use_does_not(tmp_path: Path, name: str) -> None:
    before = preparation(scenario(tmp_path / "a"))
    assert preparation(scenario(tmp_path / "b", **{name: "# changed\n[]"})) == before
