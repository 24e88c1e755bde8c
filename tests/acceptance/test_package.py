"""The package as a user gets it: a wheel, installed into an environment that has nothing else, without settings."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*command, cwd, env=None):
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=cwd, env=env, check=False, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, f"{words} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Return a function that runs a command of the installed package, away from this repository and its settings."""
    folder = tmp_path_factory.mktemp("user")
    run(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    python = folder / "venv/bin/python"
    pip_install = (python, "-m", "pip", "install", "--quiet", "--no-compile", "--constraint", ROOT / "constraints.txt")
    run(*pip_install, wheel, cwd=folder)
    (folder / "home").mkdir()
    settings = ("ANSIBLE_", "LABRIG_", "PYTHON", "VIRTUAL_ENV")
    env = {name: value for name, value in os.environ.items() if not name.startswith(settings)}
    env |= {"HOME": str(folder / "home"), "PATH": f"{folder / 'venv/bin'}:{os.environ['PATH']}", "COLUMNS": "200"}

    def command(name, *words):
        return run(folder / "venv/bin" / name, *words, cwd=folder / "home", env=env)

    return command


def test_command_tells_the_version_of_the_wheel(installed, wheel):
    version = wheel.name.split("-")[1]

    assert version in installed("labrig", "--version")


def test_collection_is_found(installed):
    assert "labrig.core.edge" in installed("ansible-doc", "-t", "role", "-l", "labrig.core")
    assert "labrig.core.events" in installed("ansible-doc", "-t", "callback", "-l", "labrig.core")


def test_playbooks_are_found_by_name(installed):
    said = installed("ansible-playbook", "-i", "localhost,", "--syntax-check", "labrig.core.edge")

    assert "labrig/core/playbooks/edge.yml" in said


def test_image_definitions_are_found(installed):
    assert "labrig/debian-12:latest" in installed("labrig", "image", "list")


def test_wheel_has_the_licences_and_nothing_of_the_workshop(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()

    licences = {name.rpartition("/licenses/")[2] for name in names if "/licenses/" in name}
    assert licences == {"LICENSE", "collections/ansible_collections/labrig/core/COPYING"}
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"labrig", "ansible_collections"}
    assert not [name for name in names if "/tests/output/" in name or "__pycache__" in name]


def test_molecule_finds_driver_and_verifier_and_what_they_need(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (points,) = (archive.read(name).decode() for name in names if name.endswith(".dist-info/entry_points.txt"))

    assert "[molecule.driver]\nlabrig = labrig.molecule.driver:Labrig" in points
    assert "[molecule.verifier]\nlabrig = labrig.molecule.verifier:Labrig" in points
    playbooks = ("create.yml", "destroy.yml", "Dockerfile.j2", "action_plugins/labrig_machines.py")
    needed = {*(f"labrig/molecule/playbooks/{name}" for name in playbooks), "labrig/molecule/schema/driver.json"}
    assert needed <= set(names)
