from __future__ import annotations

from pathlib import Path

import pytest

from labrig.errors import UsageError
from labrig.experiments import hosts, reachable
from labrig.experiments.settings import Settings

SETTINGS = Settings.model_validate(
    {"host": ["lab1", "lab2"], "domain": "lab.example", "app": "shop", "repository": "git@git.example:shop.git"}
)


def test_all_lab_hosts_are_meant_or_the_one_that_is_named() -> None:
    assert hosts.chosen(SETTINGS, "") == ("lab1", "lab2")
    assert hosts.chosen(SETTINGS, "lab2") == ("lab2",)


def test_a_lab_host_that_the_settings_do_not_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="--host lab3: the settings have no such lab host") as caught:
        hosts.chosen(SETTINGS, "lab3")
    assert "did you mean lab" in caught.value.hint


def test_the_file_of_ssh_is_the_one_that_is_named_or_none_where_the_settings_say_so() -> None:
    plain = SETTINGS.model_copy(update={"ssh_config": False})
    assert hosts.configuration(SETTINGS, None) is None
    assert hosts.configuration(plain, None) == Path("none")
    assert hosts.configuration(plain, Path("config")) == Path("config")


def test_a_name_that_does_not_resolve_is_known_to_lead_nowhere() -> None:
    assert not reachable.Name("shop-login.lab.invalid").resolves()
    assert reachable.Name("localhost").resolves()
