from __future__ import annotations

import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from labrig.experiments import idleness
from labrig.experiments.host import waking
from labrig.experiments.host.requests import Growth
from labrig.experiments.listing import Listed
from labrig.experiments.naming import Names

NOON = datetime(2027, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ONE = Listed(
    "shop",
    "login",
    "serves",
    host="shop-login.lab.example",
    deployed=(NOON - 9 * HOUR).isoformat(),
    sleeps=HOUR.total_seconds(),
)


@pytest.mark.parametrize(
    ("changed", "asked", "since", "is_idle"),
    [
        ({}, {}, NOON - HOUR, True),
        ({}, {}, NOON - HOUR + timedelta(seconds=1), False),
        ({}, {ONE.host: NOON - timedelta(minutes=59)}, NOON - 9 * HOUR, False),
        ({}, {ONE.host: NOON - HOUR}, NOON - 9 * HOUR, True),
        ({}, {"other.lab.example": NOON}, NOON - 9 * HOUR, True),
        ({"deployed": (NOON - timedelta(minutes=1)).isoformat()}, {}, NOON - 9 * HOUR, False),
        ({"sleeps": 0.0}, {}, NOON - 9 * HOUR, False),
        ({"state": "sleeps"}, {}, NOON - 9 * HOUR, False),
        ({"state": "does not answer"}, {}, NOON - 9 * HOUR, False),
    ],
)
def test_one_is_idle_when_nobody_asked_for_so_long(changed, asked, since, is_idle) -> None:
    assert bool(idleness.idle([replace(ONE, **changed)], asked, since, NOON)) == is_idle


def test_a_line_of_the_log_begins_with_the_host() -> None:
    lines = ['a.lab 10.0.0.1 - - [21/Nov/2026:21:16:12 +0000] "GET / HTTP/1.1" 200 5\n', "b.lab x\n", "a.lab y\n"]
    assert idleness.hosts(lines) == {"a.lab", "b.lab"}


def test_a_log_is_read_on_over_rotations_and_half_lines(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    path = tmp_path / "access.log"
    growth = Growth(path)
    request.addfinalizer(growth.close)
    assert growth.lines() == []
    path.write_text("a\nb")
    assert growth.lines() == ["a\n"]
    with path.open("a") as file:
        file.write("c\n")
        path.rename(tmp_path / "access.log.1")
        path.write_text("d\n")
        file.write("e\n")
    assert growth.lines() == ["bc\n", "e\n", "d\n"]
    path.write_text("")
    assert growth.lines() == []
    path.write_text("f\n")
    assert growth.lines() == ["f\n"]


def test_what_was_in_a_log_before_is_not_read(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    path = tmp_path / "access.log"
    path.write_text("a\n")
    growth = Growth(path)
    request.addfinalizer(growth.close)
    with path.open("a") as file:
        file.write("b\n")
    assert growth.lines() == ["b\n"]


@pytest.mark.parametrize(
    "line",
    [b"", b"GET /shop/login HTTP/1.0", b"POST / HTTP/1.0", b"POST /shop/../x HTTP/1.0", b"POST /shop/Login HTTP/1.0"],
)
def test_a_request_names_the_experiment_that_it_wakes(line: bytes) -> None:
    assert waking.asked_for(b"POST /shop/login HTTP/1.0\r\n") == Names("shop", "login")
    assert waking.asked_for(line) is None


def test_a_connection_that_stands_is_seen() -> None:
    with socket.create_server(("127.0.0.9", 0)) as server:
        assert not waking.in_use(IPv4Address("127.0.0.9"))
        with socket.create_connection(server.getsockname()):
            assert waking.in_use(IPv4Address("127.0.0.9"))
            assert not waking.in_use(IPv4Address("127.0.0.99"))
