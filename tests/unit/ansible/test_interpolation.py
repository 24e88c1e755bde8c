from __future__ import annotations

import pytest

from labrig.ansible.interpolation import interpolate

VARIABLES = {"SET": "here", "EMPTY": "", "OTHER": "fallback"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$SET and ${SET}", "here and here"),
        ("${UNSET}", ""),
        ("${UNSET:-default}", "default"),
        ("${EMPTY:-default}", "default"),
        ("${EMPTY-default}", ""),
        ("${UNSET-default}", "default"),
        ("${SET:-default}", "here"),
        ("${UNSET:-$OTHER}", "fallback"),
        ('${UNSET:-""}', '""'),
        ("costs $$5", "costs $5"),
        ("a $ alone and ${not valid!}", "a $ alone and ${not valid!}"),
        ("image-${A:-x}${B:-y}:latest", "image-xy:latest"),
    ],
)
def test_variables_are_replaced_as_molecule_does(text: str, expected: str) -> None:
    assert interpolate(text, VARIABLES) == expected
