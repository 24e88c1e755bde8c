"""What a lab host is asked before a plan is made: only what it answers, and no refusal is taken for absence."""

from collections.abc import Mapping
from types import SimpleNamespace

import pytest

from labrig.errors import EnvironmentFailed
from labrig.experiments.command import Command
from labrig.experiments.naming import Names
from labrig.experiments.protocol import PROGRAMS, REFUSED, Done
from labrig.experiments.settings import Settings
from labrig.experiments.survey import survey

NAMES = Names("shop", "login")
SETTINGS = Settings(
    host="lab",
    domain="lab.example",
    app="shop",
    repository="https://git.example/shop.git",
    services={
        "db": {"service": "postgresql", "initial_data": "/srv/dumps"},
        "other": {"service": "mariadb", "provision": "shared"},
    },
)


class Host:
    """Answers nothing but a list of branches, and refuses some programs."""

    host = "lab"
    hello = SimpleNamespace(subnets=())

    def __init__(self, *refused: str) -> None:
        self.refused = refused
        self.asked: list[str] = []

    def run_all(self, commands: Mapping[str, Command]) -> dict[str, Done]:
        self.asked += [one.argv[0] for one in commands.values()]
        return {
            name: Done(1, REFUSED if one.argv[0] in self.refused else 1 if one.may_fail and name != "branch" else 0)
            for name, one in commands.items()
        }


def asked(host: Host) -> None:
    survey(host, NAMES, host="shop-login.lab.example", settings=SETTINGS, branch="login")  # type: ignore[arg-type]


def test_only_what_a_lab_host_runs_is_asked() -> None:
    host = Host()
    asked(host)
    assert set(host.asked) <= PROGRAMS


@pytest.mark.parametrize("program", ["grep", "docker", "find"])
def test_what_is_refused_is_not_taken_for_absent(program: str) -> None:
    with pytest.raises(EnvironmentFailed, match="cannot tell what there is of shop/login"):
        asked(Host(program))
