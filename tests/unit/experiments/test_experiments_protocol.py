from __future__ import annotations

from dataclasses import replace

import pytest

from labrig.experiments import protocol
from labrig.experiments.protocol import Done, End, Hello, Lock, Piece, Run

HELLO = Hello(
    version="1",
    who="anna",
    user="998:998",
    host="lab",
    domain="lab.example",
    range="10.213.0.0/16",
    subnets=("172.17.0.0/16",),
    engine="20.10",
    trouble="",
    memory=1,
    disk=2,
    time="2027-01-01T00:00:00+00:00",
)


@pytest.mark.parametrize(
    "told",
    [
        Run(1, ("git", "fetch", "a b; 'c'\n")),
        Run(2, ("install", "/dev/stdin"), stdin="é\n\udc80", seconds=2.5, stream=True),
        Lock(3, app="shop", name="login", holder="anna@desk", wait=1.5),
        End(4),
    ],
)
def test_a_request_is_one_line_and_arrives_as_it_was_sent(told: protocol.Request) -> None:
    assert told.line().count(b"\n") == 1
    assert protocol.request(told.line()) == told


@pytest.mark.parametrize(
    "told", [HELLO, Piece(1, "a\n"), Piece(2, "b", is_error=True), Done(3, 75, err="ben"), replace(HELLO, subnets=())]
)
def test_an_answer_is_one_line_and_arrives_as_it_was_sent(told: protocol.Answer) -> None:
    assert told.line().count(b"\n") == 1
    assert protocol.answer(told.line()) == told


@pytest.mark.parametrize(
    "line",
    [
        b"rubbish",
        b"[]",
        b"{}",
        b'{"id": 1}',
        b'{"id": "1", "run": ["git"]}',
        b'{"id": 1, "run": []}',
        b'{"id": 1, "run": "git"}',
        b'{"id": 1, "run": ["git", "a\\u0000b"]}',
        b'{"id": 1, "run": ["git"], "seconds": -1}',
        b'{"id": 1, "run": ["git"], "stdin": 1}',
        b'{"id": 1, "lock": {"app": "shop"}}',
    ],
)
def test_what_is_no_request_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match="expected"):
        protocol.request(line)


@pytest.mark.parametrize("line", [b"Last login: today", b"{}", b'{"hello": {}}', b'{"id": 1, "code": "x"}'])
def test_what_is_no_answer_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"expected|invalid"):
        protocol.answer(line)


def test_what_a_request_hands_over_is_shown_nowhere() -> None:
    assert "geheim" not in repr(Run(1, ("install",), stdin="geheim"))
    with pytest.raises(ValueError, match="stdin") as refused:
        protocol.request(b'{"id": 1, "run": ["git"], "stdin": ["geheim"]}')
    assert "geheim" not in str(refused.value)
