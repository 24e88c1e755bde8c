from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from labrig.experiments import record
from labrig.experiments.naming import Names
from labrig.experiments.sweep import Found

NOW = datetime(2027, 1, 10, 12, tzinfo=UTC)
WEEK = timedelta(days=7)


def first() -> record.Record:
    return record.deployed(None, branch="main", repository="/r", who="anna@desk", now=NOW, stays=WEEK)


def test_a_record_is_read_as_it_was_written_and_is_one_line() -> None:
    assert record.read(first().text()) == first()
    assert first().text().count("\n") == 1


@pytest.mark.parametrize("text", ["", "rubbish", "[]", "{}", '{"branch": "main"}'])
def test_what_is_no_record_is_none(text: str) -> None:
    assert record.read(text) is None


def test_each_deployment_renews_the_time_and_keeps_maker_and_pin() -> None:
    pinned = replace(first(), pinned=True)
    later = record.deployed(pinned, branch="main", repository="/r", who="ben@desk", now=NOW + WEEK, stays=WEEK)
    assert (later.creator, later.created, later.pinned) == ("anna@desk", first().created, True)
    assert later.end == NOW + 2 * WEEK


def test_one_that_stays_for_ever_has_no_end() -> None:
    found = record.deployed(None, branch="main", repository="/r", who="anna@desk", now=NOW, stays=None)
    assert found.end is None


def test_a_time_without_a_zone_is_utc() -> None:
    assert replace(first(), expires="2027-01-10T12:00:00").end == NOW


def test_a_sweep_judges_by_the_record() -> None:
    found = Found.of(Names("shop", "main"), replace(first(), pinned=True))
    assert (found.branch, found.repository, found.expires, found.pinned) == ("main", "/r", NOW + WEEK, True)
