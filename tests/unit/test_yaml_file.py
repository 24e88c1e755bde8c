from __future__ import annotations

from pathlib import Path

import pytest

from labrig.errors import UsageError
from labrig.yaml_file import line_of, parse

TEXT = """\
# comment
images:
  debian: mine

"allowed":
  - key: /a
    reason: b
  -
    key: /c
"""


@pytest.mark.parametrize(
    ("steps", "line"),
    [
        (["images"], 2),
        (["images", "debian"], 3),
        (["allowed", 0, "reason"], 7),
        (["allowed", 1, "key"], 9),
        (["allowed", 0, "missing"], 6),
        (["missing"], 1),
        ([], 1),
    ],
)
def test_everything_stands_on_a_line_and_what_is_missing_on_that_of_its_parent(
    steps: list[str | int], line: int
) -> None:
    assert line_of(TEXT, steps) == line


def test_an_empty_text_has_one_line() -> None:
    assert line_of("", ["a"]) == 1


@pytest.mark.parametrize("value", ["2026-13-45", "9" * 5000])
def test_what_looks_like_a_date_or_a_number_and_is_none_is_told_with_its_file(value: str) -> None:
    with pytest.raises(UsageError, match=r"^labrig\.yml: not YAML: "):
        parse(f"a: {value}\n", Path("labrig.yml"))
