"""The manual's page on experiments has every option, key, variable and service that there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from labrig.experiments import environment, labtest, state
from labrig.experiments.services import PROVIDERS
from labrig.experiments.settings import SECRETS_OPTIONS, Health, Limits, SecretsSettings, ServiceSettings, Settings, Tls

PAGE = (Path(__file__).parents[3] / "docs" / "experiments.md").read_text()


def chapter(title: str) -> str:
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


@pytest.mark.parametrize(
    ("title", "names"),
    [
        ("Settings", [*Settings.model_fields, *Limits.model_fields, *Health.model_fields, *Tls.model_fields]),
        ("Secrets", [*SecretsSettings.model_fields, *SECRETS_OPTIONS]),
        (
            "Defaults of a lab host",
            [word for kind, (_, options) in state.KINDS.items() for word in (*kind.split("/"), *options)],
        ),
        ("Services", [*ServiceSettings.model_fields, *PROVIDERS]),
        ("Variables", environment.VARIABLES),
        (
            "LabTest's files",
            [
                *labtest.FILES,
                *labtest.OPTIONS,
                *labtest.OPTIONS.values(),
                *labtest.BUILT_IN,
                *(key for key, name in labtest.SERVICE_OPTIONS.items() if key != name),
                *(key for key, name in labtest.OPTIONS_OF_SERVICE.items() if key != name),
            ],
        ),
    ],
)
def test_a_table_leaves_nothing_out(title: str, names: list[str]) -> None:
    words = set(re.findall(r"`([^`]+)`", chapter(title)))
    assert set(names) <= words, set(names) - words
