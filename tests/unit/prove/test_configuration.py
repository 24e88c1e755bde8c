from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from labrig.errors import UsageError
from labrig.project_file import duration
from labrig.prove.configuration import Configuration, read

ALLOWED = """\
timeout: 90s
allowed:
  - dimension: file
    key: /a
    reason: random
    expires: 2027-02-18
"""


def test_a_project_needs_no_settings(tmp_path: Path) -> None:
    assert read(tmp_path) == Configuration()


def test_settings_are_read_and_a_projects_own_keys_left_alone(tmp_path: Path) -> None:
    (tmp_path / "labrig.yml").write_text("scenario: web\ntimeout: 90s\nx-team: {any: thing}\n")
    found = read(tmp_path)
    assert (found.scenario, found.timeout) == ("web", timedelta(seconds=90))


def test_differences_are_allowed_by_dimension_and_key_with_a_reason_until_a_day(tmp_path: Path) -> None:
    (tmp_path / "labrig.yml").write_text(ALLOWED)
    (entry,) = read(tmp_path).allowed
    assert entry.words == "file /a: random (until 2027-02-18)"


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("# comment\nscenrio: web\n", r"labrig.yml:2: unknown key 'scenrio'", "did you mean scenario"),
        ("timeout: soon\n", r"labrig.yml:1: timeout: expected a time such as 90s", ""),
        ("images: [a]\n", r"labrig.yml:1: images", ""),
        ("a: [\n", r"labrig.yml:\d+:\d+: not YAML", ""),
        ("- a\n", "expected a mapping, found list", ""),
        (
            "allowed:\n  - key: /a\n",
            r"labrig.yml:2: allowed\[0\].dimension: an entry needs dimension, key, reason,",
            "",
        ),
        (ALLOWED.replace("/a", '""'), r"labrig.yml:4: allowed\[0\].key", ""),
        (ALLOWED.replace("random", "'  '"), r"labrig.yml:5: allowed\[0\].reason: expected a sentence on why", ""),
        (ALLOWED.replace("2027-02-18", "soon"), r"labrig.yml:6: allowed\[0\].expires", ""),
        (ALLOWED.replace("2027-02-18", "20270218"), r"expected a date such as 2027-02-18, found 20270218", ""),
        (ALLOWED.replace("expires", "expries"), r"labrig.yml:6: unknown key 'expries'", "did you mean expires?"),
        (ALLOWED.replace("file", "fille"), r"labrig.yml:3: allowed\[0\].dimension: there is no dimension 'fille'", ""),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, text: str, said: str, hint: str) -> None:
    (tmp_path / "labrig.yml").write_text(text)
    with pytest.raises(UsageError, match=said) as caught:
        read(tmp_path)
    assert hint in caught.value.hint


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), (90, 90), ("1.5m", 90), ("2h", 7200), ("7d", 604800)])
def test_times_have_units(text: str | int, seconds: int) -> None:
    assert duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "0", "m", "-5", "5 weeks"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a time"):
        duration(text)
