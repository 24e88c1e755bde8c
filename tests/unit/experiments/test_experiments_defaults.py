from __future__ import annotations

import pytest

from labrig.experiments import defaults


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("/a/b/c", ["/a/b/c", "/a/b/c/default", "/a/b/default", "/a/default", "/default"]),
        ("a/", ["/a", "/a/default", "/default"]),
        ("/", ["/default"]),
    ],
)
def test_the_most_special_key_is_asked_first(key: str, expected: list[str]) -> None:
    assert defaults.order(key) == expected


def test_the_first_that_has_a_value_answers_and_an_empty_value_is_one() -> None:
    state = {"/shop/default": "", "/default": "x"}
    assert defaults.found("/shop/login", state.get) == ("/shop/default", "")
    assert defaults.found("/other", state.get) == ("/default", "x")
    assert defaults.found("/other", {}.get) is None


def test_layers_are_laid_over_one_another_mapping_by_mapping() -> None:
    low, high = {"a": {"x": 1, "y": 2}, "b": [1, 2]}, {"a": {"y": 3}, "b": [4], "c": {"z": 1}}
    assert defaults.merged(low, high) == {"a": {"x": 1, "y": 3}, "b": [4], "c": {"z": 1}}
    assert low == {"a": {"x": 1, "y": 2}, "b": [1, 2]}
