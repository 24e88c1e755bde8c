from __future__ import annotations

import difflib

import pytest

from labrig.prove.side_by_side import Cell, rows


def text(cell: Cell | None) -> str | None:
    return None if cell is None else "".join(piece for piece, _ in cell.pieces)


def marked(cell: Cell | None) -> list[str]:
    return [] if cell is None else [piece for piece, changed in cell.pieces if changed]


def test_lines_stand_beside_their_counterparts_with_their_numbers() -> None:
    found = rows(["@@ -10,3 +20,4 @@", " same", "-port 80", "+port 8080", "+host a", " end"])
    told = [
        (one.left and one.left.number, text(one.left), one.right and one.right.number, text(one.right)) for one in found
    ]
    assert told == [
        (10, "same", 20, "same"),
        (11, "port 80", 21, "port 8080"),
        (None, None, 22, "host a"),
        (12, "end", 23, "end"),
    ]
    assert [one.changed for one in found] == [False, True, True, False]


def test_the_words_that_changed_are_marked() -> None:
    (row,) = rows(["-listen 80 default;", "+listen 8080 default;"])
    assert (marked(row.left), marked(row.right)) == (["80"], ["8080"])


@pytest.mark.parametrize(("before", "after"), [("alpha beta", "42"), ("x" * 700, "x" * 701)], ids=["unlike", "long"])
def test_lines_that_have_little_in_common_or_are_very_long_are_marked_as_a_whole(before: str, after: str) -> None:
    (row,) = rows([f"-{before}", f"+{after}"])
    assert (marked(row.left), marked(row.right)) == ([], [])
    assert row.changed


def test_a_gap_and_a_remark_have_no_sides() -> None:
    found = rows(["@@ -1 +1 @@", "-a", "\\ No newline at end of file", "+b", "@@ -9 +9 @@", " z", "7 more lines"])
    assert [one.remark for one in found if one.left is None and one.right is None] == [
        "No newline at end of file",
        "",
        "7 more lines",
    ]


def test_both_sides_come_out_as_they_went_in() -> None:
    left = [f"line {number}" for number in range(40)]
    right = [*left[:5], "new", *left[6:20], *left[23:], "", "  end"]
    found = rows(list(difflib.unified_diff(left, right, n=99, lineterm=""))[2:])
    assert [text(one.left) for one in found if one.left] == left
    assert [text(one.right) for one in found if one.right] == right
