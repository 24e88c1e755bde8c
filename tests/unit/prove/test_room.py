from __future__ import annotations

from labrig.prove.room import Room, need, startable

GB = 1_000_000_000
MUCH = 1000 * GB


def place(waiting: list[int], running: list[int], room: Room, available: int | None = MUCH) -> int | None:
    return startable(waiting, running, room, lambda: available)


def test_no_more_run_than_were_asked_for() -> None:
    assert place([3], [3], Room(2)) == 0
    assert place([3], [3, 3], Room(2)) is None
    assert place([], [], Room(2)) is None


def test_one_always_runs_however_large_it_is() -> None:
    assert place([300], [], Room(1, machines=18, memory=GB), available=0) == 0


def test_machines_are_bounded_and_a_smaller_proof_may_pass_a_larger_one() -> None:
    assert place([15, 3], [6], Room(8, machines=18)) == 1
    assert place([12, 3], [6], Room(8, machines=18)) == 0


def test_memory_is_kept_for_what_has_just_begun_and_has_not_grown_yet() -> None:
    room = Room(8, memory=2 * need(3))
    assert place([3], [3], room) == 0
    assert place([3], [3, 3], room) is None


def test_memory_that_others_took_meanwhile_is_not_counted_on() -> None:
    room = Room(8, memory=MUCH)
    assert place([3], [3], room, available=need(3)) == 0
    assert place([3], [3], room, available=need(3) - 1) is None
    assert place([3], [3], room, available=None) == 0
