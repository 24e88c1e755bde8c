from __future__ import annotations

import pytest

from labrig.errors import EnvironmentFailed, UsageError
from labrig.experiments.placement import Seen, place

GIB = 2**30


def test_a_new_experiment_comes_where_most_memory_is_free() -> None:
    placed = place([Seen("lab1", free=GIB), Seen("lab2", free=3 * GIB), Seen("lab3", free=2 * GIB)], "shop/login")
    assert (placed.host, placed.is_new) == ("lab2", True)
    assert placed.reason == "lab2 has most memory free: 3.0 GiB; lab1 has 1.0 GiB, lab3 has 2.0 GiB"


def test_of_hosts_with_the_same_the_first_of_the_settings_takes_it() -> None:
    assert place([Seen("lab2", free=GIB), Seen("lab1", free=GIB)], "shop/login").host == "lab2"


def test_one_that_is_somewhere_stays_there_also_while_another_host_is_away() -> None:
    seen = [Seen("lab1", refused="lab1 does not answer"), Seen("lab2", free=1, has_it=True), Seen("lab3", free=GIB)]
    placed = place(seen, "shop/login")
    assert (placed.host, placed.is_new) == ("lab2", False)


def test_nothing_new_is_placed_while_a_host_that_may_have_it_does_not_answer() -> None:
    with pytest.raises(EnvironmentFailed, match="shop/login may be on lab1: no connection to lab1") as caught:
        place([Seen("lab1", refused="no connection to lab1"), Seen("lab2", free=GIB)], "shop/login")
    assert caught.value.hint == "--host lab2 places it there without asking the others"


def test_where_no_host_answers_all_reasons_are_told() -> None:
    with pytest.raises(EnvironmentFailed, match="cannot be placed: lab1 is gone; lab2 has no Docker"):
        place([Seen("lab1", refused="lab1 is gone"), Seen("lab2", refused="lab2 has no Docker")], "shop/login")


def test_one_that_is_on_two_hosts_is_not_guessed_at() -> None:
    with pytest.raises(UsageError, match="shop/login is on lab1 and on lab2") as caught:
        place([Seen("lab1", has_it=True), Seen("lab2", has_it=True)], "shop/login")
    assert "delete --host lab2" in caught.value.hint


def test_the_only_host_takes_it() -> None:
    assert place([Seen("lab1")], "shop/login").reason == "it is the only lab host"
