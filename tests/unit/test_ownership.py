from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from labrig import clock
from labrig.engine import ownership
from labrig.engine.ownership import Ownership, RunLock


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABRIG_CACHE", str(tmp_path))


def owned(**over: object) -> Ownership:
    labels = ownership.labels(**{"kind": "machine", "project": "web", "run": "r1", **over})  # type: ignore[arg-type]
    found = Ownership.read(labels)
    assert found is not None
    return found


def test_labels_can_be_read_back() -> None:
    expires = clock.now().replace(microsecond=0)
    found = owned(expires=expires, keep=True)
    assert (found.seat, found.project, found.kind, found.run) == (ownership.here(), "web", "machine", "r1")
    assert (found.expires, found.keep) == (expires, True)


@pytest.mark.parametrize("labels", [None, {}, {"org.labrig.kind": "machine"}, {"org.example.owner": "x"}])
def test_what_lacks_the_labels_is_somebody_elses(labels: dict[str, str] | None) -> None:
    assert Ownership.read(labels) is None


def test_a_run_is_alive_as_long_as_its_lock_is_held() -> None:
    with RunLock("r1"):
        assert ownership.is_alive("r1")
    assert not ownership.is_alive("r1")


def test_what_a_dead_run_left_is_an_orphan() -> None:
    assert ownership.is_orphan(owned())
    with RunLock("r1"):
        assert not ownership.is_orphan(owned())


def test_what_is_kept_stays_until_its_time_is_over() -> None:
    later, earlier = clock.now() + timedelta(hours=1), clock.now() - timedelta(hours=1)
    assert not ownership.is_orphan(owned(keep=True, expires=later))
    assert ownership.is_orphan(owned(keep=True, expires=earlier))


def test_snapshots_are_no_orphans_of_the_run_that_made_them() -> None:
    assert not ownership.is_orphan(owned(kind="snapshot", run=""))


def test_runs_of_other_seats_are_left_alone() -> None:
    labels = ownership.labels(kind="machine", project="web", run="r1") | {ownership.OWNER: "other@host/web"}
    found = Ownership.read(labels)
    assert found is not None
    assert not ownership.is_orphan(found)


def test_shared_run_is_alive_until_the_last_of_its_processes_ends():
    run = f"test-{ownership.new_run_id()}"
    with ownership.RunLock(run, shared=True):
        with ownership.RunLock(run, shared=True):
            assert ownership.is_alive(run)
        assert ownership.is_alive(run)
    assert not ownership.is_alive(run)
    ownership.forget(run)


def test_machine_that_is_kept_is_swept_when_it_has_expired_but_not_while_it_is_in_use():
    run = f"test-{ownership.new_run_id()}"

    def orphan(expires):
        labels = ownership.labels(kind="machine", project="p", run=run, expires=expires, keep=True)
        return ownership.is_orphan(ownership.Ownership.read(labels))

    later, earlier = (clock.now() + timedelta(days=days) for days in (14, -1))
    assert not orphan(later)
    assert orphan(earlier)
    with ownership.RunLock(run, shared=True):
        assert not orphan(earlier)
    ownership.forget(run)
