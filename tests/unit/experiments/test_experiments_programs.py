from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import labrig
from labrig.experiments import programs


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("programs") / "labrig-lab.pyz"
    path.write_bytes(programs.build())
    return path


def python(*words: str) -> subprocess.CompletedProcess[str]:
    """Run Python as a lab host has it: without labrig, and without anything else that is installed here."""
    return subprocess.run([sys.executable, "-I", "-S", *words], capture_output=True, text=True, check=False)


def test_the_programs_are_one_file_that_starts_without_anything_installed(archive: Path) -> None:
    assert python(str(archive), "version").stdout == f"{labrig.__version__}\n"
    wrong = python(str(archive), "versoin")
    assert (wrong.returncode, "version" in wrong.stderr) == (2, True)


def test_every_module_in_it_imports_the_standard_library_alone(archive: Path) -> None:
    modules = sorted(programs.modules())
    assert "labrig.experiments.host.routing" in modules
    lines = [f"import sys; sys.path.insert(0, {str(archive)!r})"]
    lines += [f"import {one}" for one in modules if not one.endswith("__main__")]
    lines += [
        "print(*{one.__file__.partition('.pyz/')[0] for n, one in sys.modules.items() if n.startswith('labrig')})"
    ]
    done = python("-c", "\n".join(lines))
    assert (done.stdout, done.stderr) == (f"{archive.with_suffix('')}\n", "")
    # Also what is imported only when it is called for.
    roots = {name.split(".")[0] for path in programs.modules().values() for name in programs.imported(path)}
    assert roots <= sys.stdlib_module_names | {"labrig"}


def test_it_is_the_same_to_the_byte_each_time_it_is_built(archive: Path) -> None:
    assert programs.build() == archive.read_bytes()
    with zipfile.ZipFile(archive) as opened:
        assert {entry.date_time for entry in opened.infolist()} == {(1980, 1, 1, 0, 0, 0)}
