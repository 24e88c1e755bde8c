from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from labrig.experiments.naming import Names
from labrig.experiments.sweep import Found, over

NOW = datetime(2027, 1, 10, tzinfo=UTC)
URL = "git@git.example:shop.git"
ONE = Found(Names("shop", "login"), URL, "feature/login", NOW + timedelta(days=1))
THERE = {URL: frozenset({"main", "feature/login"})}
GONE = {URL: frozenset({"main"})}


def test_an_experiment_stays_while_its_branch_and_its_time_do() -> None:
    assert over([ONE, replace(ONE, expires=None)], THERE, NOW) == []


def test_one_whose_branch_is_gone_is_over() -> None:
    assert over([ONE], GONE, NOW) == [(ONE, "branch feature/login is gone")]


def test_one_whose_time_is_over_is_over() -> None:
    late = replace(ONE, expires=NOW)
    assert over([late], THERE, NOW) == [(late, "its time was over at 2027-01-10T00:00:00+00:00")]


def test_a_pinned_one_stays() -> None:
    assert over([replace(ONE, pinned=True, expires=NOW)], GONE, NOW) == []


def test_a_repository_that_cannot_be_asked_removes_nothing() -> None:
    late = replace(ONE, expires=NOW)
    for silent in ({}, {URL: None}, {URL: frozenset[str]()}):
        assert over([ONE], silent, NOW) == []
        assert [one for one, _ in over([late], silent, NOW)] == [late]
