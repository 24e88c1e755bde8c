"""Molecule's own schema lets labrig's two names pass, and still no others."""

from __future__ import annotations

from typing import Any

import pytest
from molecule.model import schema_v3

from labrig.molecule import names


def problems(driver: str = "labrig", verifier: str = "labrig", options: Any = None, **more: Any) -> list[str]:
    names.make_known()
    content: Any = {
        "driver": {"name": driver, "options": options or {}},
        "verifier": {"name": verifier},
        "platforms": [{"name": "web"}],
        **more,
    }
    return schema_v3.validate(content)


def test_labrig_is_known_to_molecule_as_driver_and_as_verifier():
    assert problems() == []


@pytest.mark.parametrize(("driver", "verifier"), [("labrick", "labrig"), ("labrig", "labrick")])
def test_misspelt_names_are_refused_as_before(driver: str, verifier: str):
    assert "labrick" in problems(driver, verifier)[0]


def test_what_else_molecule_refuses_it_still_refuses():
    assert "Additional properties" in problems(platform=[])[0]


def test_misspelt_option_of_the_driver_is_refused():
    assert "'image' was unexpected" in problems(options={"image": {}})[0]
