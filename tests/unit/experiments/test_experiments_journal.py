"""What the lab host's journal is told; its daemon is not asked for."""

from __future__ import annotations

import json
import syslog

import pytest

from labrig.experiments.host import journal


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what is sent to the journal from now on."""
    sent: list[str] = []
    monkeypatch.setattr(syslog, "syslog", lambda _priority, text: sent.append(text))
    return sent


def test_a_command_is_noted_whole_however_long_it_is_and_in_lines_that_are_not_cut(lines: list[str]) -> None:
    argv = ["env", "sh", "-c", "true\nanna: " + "x" * 2500 + "; the end"]
    journal.note("anna", argv)
    assert [line.partition(": ")[0] for line in lines] == [f"anna ({number} of 3)" for number in (1, 2, 3)]
    assert json.loads("".join(line.partition(": ")[2] for line in lines)) == argv
    assert not any("\n" in line or len(line) > 1100 for line in lines)


def test_a_session_notes_each_command_once_looks_too(lines: list[str]) -> None:
    session = journal.Session("anna")
    for argv in (("curl", "--unix-socket", "/run/docker.sock"), ("find", "/"), ("find", "/"), ("find", "/srv")):
        session.note(argv)
    assert lines == [
        'anna: ["curl", "--unix-socket", "/run/docker.sock"]',
        'anna: ["find", "/"]',
        'anna: ["find", "/srv"]',
    ]


def test_of_nobodys_key_nothing_is_noted(lines: list[str]) -> None:
    journal.Session("").note(("find", "/"))
    assert lines == []
