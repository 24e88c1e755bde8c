"""What is exported is read back unchanged by the shells themselves, whatever it holds."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from labrig.errors import UsageError
from labrig.groups.environment import FORMATS, bash, dotenv, fish, strings, variables

HARD = {
    "PLAIN": "postgresql://app:5432/db",
    "EMPTY": "",
    "BLANKS": "  a b\t",
    "QUOTES": """it's a "quote\"""",
    "DOLLARS": "$HOME ${HOME} $(id) `id` $$ $",
    "LINES": "one\ntwo\r\nthree\n",
    "COMMENT": "a # b",
    "SLASHES": "\\ \\n \\' \\\\",
    "LAST_SLASH": "'tail\\",
    "BANG": "!x !! * ? [a] {a,b} ~ & ; | < >",
    "LETTERS": "ü € 日本 \x1b \x7f",
    "TILDE": "~root",
    "NUMBER": 42,
    "YES": True,
    "NOTHING": None,
    "LIST": [1, "it's", {"a": None}],
}
# Prints the environment that it has.
TELL = f"{sys.executable} -c 'import json, os; print(json.dumps(dict(os.environ)))'"
SHELLS = {"sh": bash, "bash": bash, "zsh": bash, "fish": fish}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_reads_back_what_was_written(shell: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed here")
    file = tmp_path / "exports"
    file.write_text(SHELLS[shell](HARD), newline="")
    home = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [shell, "-c", f". {file}; exec {TELL}"], env=home, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    read = json.loads(done.stdout)
    assert {name: read.get(name) for name in HARD} == strings(HARD)


def test_compose_reads_back_what_was_written(tmp_path: Path) -> None:
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("Docker Compose is not installed here")
    (tmp_path / "values.env").write_text(dotenv(HARD), newline="")
    (tmp_path / "compose.yaml").write_text("services: {a: {image: none, env_file: [values.env]}}\n")
    command = ["docker", "compose", "config", "--format", "json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    read = json.loads(done.stdout)["services"]["a"]["environment"]
    # Compose writes its own dollars doubled.
    assert {name: value.replace("$$", "$") for name, value in read.items()} == strings(HARD)


def test_json_keeps_what_is_no_text() -> None:
    assert json.loads(FORMATS["json"](HARD)) == HARD


def test_forms_as_people_see_them() -> None:
    values = {"USER_ID": 42, "GREETING": "it's $5"}
    assert bash(values) == "export USER_ID=42\nexport GREETING='it'\"'\"'s $5'\n"
    assert fish(values) == "set -gx USER_ID '42'\nset -gx GREETING 'it\\'s $5'\n"
    assert dotenv(values) == 'USER_ID=42\nGREETING="it\'s \\$5"\n'
    assert dotenv({"A": "x $y"}) == "A='x $y'\n"


def test_names_are_those_of_variables() -> None:
    assert variables({"user_id": 1, "app.db-port": 2, "9lives": 3}) == {"USER_ID": 1, "APP_DB_PORT": 2, "_9LIVES": 3}
    assert variables({"user_id": 1}, "shop_") == {"SHOP_USER_ID": 1}
    assert variables({}) == {}


@pytest.mark.parametrize(
    ("context", "message"),
    [
        ({"a-b": 1, "a_b": 2}, "the keys 'a-b' and 'a_b' both become the variable A_B"),
        ({"path": "/srv"}, "the key 'path' becomes the variable PATH, which programs need as it is"),
        ({"key": "a\0b"}, "the value of 'key' holds a null byte"),
    ],
)
def test_what_cannot_be_exported_is_said(context: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as error:
        variables(context)
    assert message in error.value.message


def test_a_prefix_makes_reserved_names_possible() -> None:
    assert variables({"path": "/srv"}, "shop_") == {"SHOP_PATH": "/srv"}
