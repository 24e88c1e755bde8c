"""What a recorded program looked at is in its record, whichever way it looked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from labrig.ansible import reads
from labrig.ansible.reads import Reads
from labrig.ansible.recorder import names_digest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "there").write_text("x")
    return tmp_path.resolve()


def recorded(folder: Path, program: str, *arguments: str) -> tuple[Reads, subprocess.CompletedProcess[str]]:
    (folder / "program.py").write_text(program)
    record = folder / "record"
    done = subprocess.run(
        [sys.executable, "-m", "labrig.ansible.recorder", str(record), "program", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return reads.parse(record.read_text().splitlines()), done


@pytest.mark.parametrize(
    "program",
    [
        "open('there').read()",
        "import os; os.read(os.open('there', os.O_RDONLY), 1)",
        "import os; os.chdir('/'); open('{folder}/there')",
        "from pathlib import Path; Path('there').read_bytes()",
        "import shutil; shutil.copy('there', 'copy')",
        "import os, sys; pid = os.fork()\nif not pid: open('there'); sys.stdout.flush(); os._exit(0)\nos.wait()",
        "import concurrent.futures as f\nwith f.ProcessPoolExecutor() as pool: pool.submit(open, 'there').exception()",
    ],
)
def test_what_is_read_is_recorded(folder: Path, program: str) -> None:
    found, done = recorded(folder, program.replace("{folder}", str(folder)))
    assert done.returncode == 0, done.stderr
    assert str(folder / "there") in found.files


@pytest.mark.parametrize(
    "program",
    [
        "import os; os.path.exists('missing')",
        "import os; os.path.isfile('missing')",
        "import os; os.path.islink('missing')",
        "from pathlib import Path; Path('missing').is_dir()",
        "try:\n    open('missing')\nexcept OSError:\n    pass",
    ],
)
def test_what_is_looked_for_in_vain_is_recorded(folder: Path, program: str) -> None:
    found, done = recorded(folder, program)
    assert done.returncode == 0, done.stderr
    assert str(folder / "missing") in found.absent
    assert str(folder / "missing") not in found.files


def test_listed_folders_variables_programs_and_addresses_are_recorded(folder: Path) -> None:
    found, done = recorded(
        folder,
        "import glob, os, socket, subprocess\n"
        "glob.glob('*.yml'); os.getenv('FIRST'); 'SECOND' in os.environ; os.environ.get('THIRD', '')\n"
        "subprocess.run(['true', 'and more'])\n"
        "socket.socket().connect_ex(('127.0.0.1', 9))\n",
    )
    assert done.returncode == 0, done.stderr
    assert found.folders[str(folder)] == names_digest(["there", "program.py", "record"])
    assert {"FIRST", "SECOND", "THIRD"} <= found.variables
    assert "*" not in found.variables
    assert found.programs == {"true 'and more'"}
    assert found.addresses == {"127.0.0.1"}


def test_who_takes_all_variables_has_read_all(folder: Path) -> None:
    found, _ = recorded(folder, "import os\nfor name in os.environ: pass\n")
    assert "*" in found.variables


def test_what_a_program_has_written_itself_is_no_input(folder: Path) -> None:
    found, _ = recorded(folder, "open('own', 'w').write('x'); open('own').read()\n")
    assert str(folder / "own") in found.wrote
    assert str(folder / "own") not in found.files


def test_a_program_runs_as_it_does_alone(folder: Path) -> None:
    program = "import sys, labrig\nprint(sys.argv, __name__); print('to stderr', file=sys.stderr); sys.exit(7)\n"
    _, done = recorded(folder, program, "one", "two words")
    assert done.returncode == 7
    assert done.stdout.endswith("'one', 'two words'] __main__\n")
    assert done.stderr == "to stderr\n"


def test_a_program_finds_nothing_imported_that_it_did_not_import(folder: Path) -> None:
    _, done = recorded(folder, "import sys\nprint([name for name in sys.modules if name.startswith('labrig')])\n")
    assert done.stdout == "[]\n"


def test_byte_code_stands_for_its_source() -> None:
    there, absent = (f'["{kind}", "/x/__pycache__/{kind}.cpython-311.pyc"]' for kind in ("read", "absent"))
    found = reads.parse([there, absent, '["read", "/x/half'])
    assert found.files == {"/x/read.py"}
    assert not found.absent


def test_a_folder_that_changes_between_two_looks_is_told() -> None:
    one, other = (reads.parse([f'["listed", "/x", "{digest}"]']) for digest in ("a", "b"))
    assert (one | one).folders == {"/x": "a"}
    assert (one | other).folders == {"/x": ""}
