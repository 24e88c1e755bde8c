from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from labrig.experiments import kept, record
from labrig.experiments.environment import Identity
from labrig.experiments.naming import Names
from labrig.experiments.settings import Settings
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


def test_what_the_host_needs_of_the_settings_is_part_of_the_record() -> None:
    settings = Settings.model_validate(
        {
            "host": "lab",
            "domain": "lab.example",
            "app": "shop",
            "repository": "/r",
            "sleeps": "2h",
            "health": {"timeout": "90s"},
            "tls": {"certificate": "/c.pem", "key": "/k.pem"},
            "users": {"anna": "$6$salt$hash"},
            "services": {"db": {"service": "redis", "on_delete": "./manage forget"}},
        }
    )
    what = Identity("shop", "login", "main", "0" * 40, "lab.example", settings.host_name)
    noted = record.deployed(
        None, branch="main", repository="/r", who="anna@desk", now=NOW, stays=None, settings=kept.of(settings, what)
    )
    found = record.read(noted.text())
    assert found == noted
    assert found.kept.url == "https://shop-login.lab.example/"
    assert (found.kept.sleeps, found.kept.health.timeout) == (7200, 90)
    assert found.kept.on_delete == {"db": "./manage forget"}
    assert "hash" not in repr(noted)


def test_what_another_version_of_labrig_wrote_is_read_as_far_as_it_is_known() -> None:
    text = first().text()
    assert record.read(text.replace('"kept": {', '"later": 1, "kept": {"later": 1, ')) == first()
    told = json.loads(text)
    del told["kept"]
    assert record.read(json.dumps(told)) == first()
