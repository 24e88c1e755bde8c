from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from labrig.errors import EnvironmentFailed, UsageError
from labrig.experiments import hosts, reachable
from labrig.experiments.command import Command
from labrig.experiments.naming import Names
from labrig.experiments.protocol import LATE, NOT_FOUND, Done
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


class Answering:
    """A lab host that answers as it is told to, by the first words of what it is asked."""

    host = "lab1"

    def __init__(self, **codes: int) -> None:
        self.codes = codes

    def run_all(self, commands: Mapping[str, Command]) -> dict[str, Done]:
        return {name: Done(1, self.codes.get(one.argv[0], 0), err="no answer") for name, one in commands.items()}


@pytest.mark.parametrize(("program", "code"), [("docker", 1), ("docker", LATE), ("find", LATE), ("find", NOT_FOUND)])
def test_a_host_that_cannot_tell_whether_it_has_an_experiment_is_none_without_it(program: str, code: int) -> None:
    """Else a second experiment of the name would be placed elsewhere."""
    with pytest.raises(EnvironmentFailed, match="lab1 cannot tell whether it has shop/login"):
        hosts.has(Answering(**{program: code}), Names("shop", "login"))


def test_a_folder_that_is_not_there_is_an_answer() -> None:
    assert not hosts.has(Answering(find=1), Names("shop", "login"))


def test_a_name_that_does_not_resolve_is_known_to_lead_nowhere() -> None:
    assert not reachable.Name("shop-login.lab.invalid").resolves()
    assert reachable.Name("localhost").resolves()
