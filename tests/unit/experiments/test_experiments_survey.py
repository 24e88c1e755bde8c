from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Network

import pytest

from labrig.errors import EnvironmentFailed
from labrig.experiments import survey as module
from labrig.experiments.assembling import password, unshown
from labrig.experiments.command import Command
from labrig.experiments.naming import Names
from labrig.experiments.protocol import LATE, PROGRAMS, REFUSED, Done
from labrig.experiments.running import Hear
from labrig.experiments.settings import Settings
from labrig.experiments.standing import Service, Standing
from labrig.experiments.survey import survey

NAMES = Names("shop", "login")
SETTINGS = Settings.model_validate(
    {
        "host": "lab",
        "domain": "lab.example",
        "app": "shop",
        "repository": "git@git.example:shop.git",
        "services": {
            "db": {"service": "postgresql", "initial_data": "/srv/dumps"},
            "ours": {"service": "mariadb", "provision": "shared"},
        },
    }
)


class Host:
    """Answers by a part of what it is asked; of all else there is nothing."""

    host = "lab1"

    def __init__(self, **answers: tuple[int, str]) -> None:
        self.answers = {"ls-remote": (0, ""), **answers}
        self.asked: list[Command] = []

    def run(self, command: Command, *, seconds: float | None = 0, hear: Hear | None = None) -> Done:
        del seconds, hear
        self.asked.append(command)
        words = str(command)
        nothing = (1 if command.may_fail else 0, "")
        code, out = next((one for key, one in self.answers.items() if key in words), nothing)
        return Done(1, code, out)

    def run_all(self, commands: Mapping[str, Command]) -> dict[str, Done]:
        return {name: self.run(one) for name, one in commands.items()}


def asked(**answers: tuple[int, str]) -> module.Survey:
    return survey(Host(**answers), NAMES, host="shop-login.lab.example", settings=SETTINGS, branch="login")


def test_all_that_is_asked_is_asked_of_programs_that_lab_hosts_run() -> None:
    host = Host()
    survey(host, NAMES, host="shop-login.lab.example", settings=SETTINGS, branch="login")
    assert {one.argv[0] for one in host.asked} <= PROGRAMS
    # All at once: whoever answers slowly holds up nobody else.
    assert len(host.asked) > 10


def test_what_there_is_is_read() -> None:
    answers = {
        "login/key": "geheim\n",
        "dumps": "12.5 /srv/dumps/a b.sql\n",
        "ls-remote": f"{'1' * 40}\trefs/heads/login\n",
    }
    found = asked(**{key: (0, out) for key, out in answers.items()})
    assert found.dumps == {"db": {"/srv/dumps/a b.sql": 12.5}}
    assert found.branches == {"login": "1" * 40}
    assert found.key == "geheim"
    assert "geheim" not in repr(found)


def test_what_nobody_may_be_shown_is_known_to_whoever_deletes_it_or_asks_how_it_stands() -> None:
    """They have neither its environment nor who could open what was sealed."""
    answers = {"login/key": "geheim\n", "login/sealed": '["hunter2", "s3cret"]\n'}
    found = asked(**{key: (0, out) for key, out in answers.items()})
    found = replace(found, standing=Standing(services={"db": Service(has_server=True)}))
    assert set(unshown(found)) == {"geheim", "hunter2", "s3cret", password("geheim", "db")}
    assert "hunter2" not in repr(found)
    assert asked(**{"login/sealed": (0, "no JSON\n")}).sealed == ()


def test_a_server_of_others_is_told_with_what_it_was_made_with() -> None:
    found = asked(mariadb=(0, '[true,["MARIADB_ROOT_PASSWORD=a=b","PATH=/"]]\n')).servers["ours"]
    assert (found.container, found.running) == ("labrig-lab--mariadb", True)
    assert found.environment["MARIADB_ROOT_PASSWORD"] == "a=b"
    assert not asked(mariadb=(1, "")).servers["ours"].running


@pytest.mark.parametrize(("attached", "has_server"), [("labrig-lab--mariadb", True), ("shop--login--v1", False)])
def test_a_way_to_a_server_that_was_made_anew_is_none_and_is_made_again(attached: str, has_server: bool) -> None:
    told = '{"provision": "shared", "server": "labrig-lab--mariadb", "record": {"kind": "mariadb"}}'
    files = {"grep --recursive --with-filename": (0, f"{NAMES.folder}/connected-ours:{told}\n")}
    found = asked(**files, Containers=(0, f"{attached} \n"))
    assert found.standing.services.get("ours", Service()).has_server is has_server
    # Whoever deletes has to disconnect a server that does not run, too.
    host = Host(**files)
    assert survey(host, NAMES, host="x.lab.example").standing.services["ours"].has_server


def test_the_subnet_of_a_network_is_told() -> None:
    assert asked(IPAM=(0, "10.213.7.32/27 \n")).subnet == IPv4Network("10.213.7.32/27")
    # Docker 20.10 keeps one as it was written, with an address of a host in it.
    assert asked(IPAM=(0, "10.213.7.37/27 \n")).subnet == IPv4Network("10.213.7.32/27")
    assert asked(IPAM=(1, "")).subnet is None


@pytest.mark.parametrize("code", [LATE, REFUSED])
def test_what_could_not_be_asked_is_never_taken_for_absent(code: int) -> None:
    """Else a key would be made anew, and nobody could open the database any more."""
    with pytest.raises(EnvironmentFailed, match="lab1 cannot tell what there is of shop/login: grep ended with"):
        asked(**{"login/key": (code, "")})
    assert asked(**{"login/key": (1, "")}).key == ""


def test_without_settings_only_what_is_the_experiments_own_is_asked() -> None:
    host = Host()
    assert survey(host, NAMES, host="x.lab.example").branches is None
    assert not any("ls-remote" in str(one) or "mariadb" in str(one) for one in host.asked)
