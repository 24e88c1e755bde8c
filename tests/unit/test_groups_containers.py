"""What is said of containers, what they wrote, and what a one-off container is."""

from __future__ import annotations

from datetime import UTC, datetime

from labrig.groups import one_off
from labrig.groups.definition import Definition, HealthCheck, Membership, Network, Port
from labrig.groups.log_lines import whole_lines
from labrig.groups.standing import Standing
from labrig.groups.status import statuses

STARTED = "2026-01-02T03:04:05.678901234Z"


def stands(service: str, status: str = "running", **more: object) -> Standing:
    return Standing(service, "1f", f"{service}-shop", status, image="img:1", started=STARTED, **more)  # type: ignore[arg-type]


def test_states_are_words() -> None:
    standing = {
        "up": stands("up"),
        "sound": stands("sound", health="healthy"),
        "ill": stands("ill", health="unhealthy"),
        "ended": stands("ended", "exited", exit_code=1),
        "migrate": stands("migrate", "exited"),
        "failed": stands("failed", "exited", exit_code=3),
        "held": stands("held", "paused"),
        "gone": stands("gone"),
    }
    one_shot = dict.fromkeys(("up", "sound", "ill", "ended", "held", "never"), False)
    found = statuses({**one_shot, "migrate": True, "failed": True}, standing)
    assert [(one.service, one.state, one.well) for one in found] == [
        ("up", "running", True),
        ("sound", "healthy", True),
        ("ill", "unhealthy", False),
        ("ended", "exited with 1", False),
        ("held", "paused", False),
        ("never", "not created", False),
        ("migrate", "done", True),
        ("failed", "exited with 3", False),
        ("gone", "running, no longer defined", True),
    ]


def test_since_is_a_moment_and_never_is_none() -> None:
    first, second = statuses(
        {"a": False, "b": False},
        {"a": stands("a"), "b": Standing("b", "1", "b", "created", started="0001-01-01T00:00:00Z")},
    )
    assert first.since == datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    assert second.since is None


def test_lines_are_whole_however_they_arrive() -> None:
    text = "one\ntwö\r\n\nthree".encode()
    assert list(whole_lines([text])) == ["one", "twö", "", "three"]
    assert list(whole_lines(bytes([one]) for one in text)) == ["one", "twö", "", "three"]
    assert list(whole_lines([])) == []


def test_a_one_off_has_all_of_the_service_but_what_there_can_only_be_one_of() -> None:
    service = Definition(
        "db",
        "img:1",
        env={"A": "1", "B": "2"},
        ports=(Port(5432, host=5432),),
        networks=(Membership(Network("back"), aliases=("database",)),),
        command=("serve",),
        user="postgres",
        healthcheck=HealthCheck(("CMD", "true")),
        config={"WorkingDir": "/srv"},
    )
    found = one_off.definition(service, "db-run-1", command=["ls"], env={"B": "3"}, tty=True)
    assert (found.image, found.user, found.command) == ("img:1", "postgres", ("ls",))
    assert found.name == "db-run-1"
    assert found.ports == ()
    assert found.networks == (Membership(Network("back")),)
    assert found.env == {"A": "1", "B": "3"}
    assert found.healthcheck is None
    assert found.config["Tty"] is True
    assert found.config["WorkingDir"] == "/srv"

    own = one_off.definition(service, "db-run-2", user="root", workdir="/tmp")
    assert (own.command, own.user, own.config["WorkingDir"]) == (("serve",), "root", "/tmp")
