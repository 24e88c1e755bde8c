from __future__ import annotations

import pytest

from labrig.yaml_file import line_of

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
