"""The store: what is kept comes back as it was, is bounded, and is whole or not there."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from datetime import timedelta
from pathlib import Path

import pytest

from labrig import clock
from labrig.prove import store as stores
from labrig.prove.inputs import Input, Trace
from labrig.prove.store import Answer, Store, Stored
from labrig.prove.verdict import Check, Ignored, Ran
from labrig.state.model import State

TRACE = Trace({"file tasks/main.yml": Input("644 abc", (1, 2, 3, 4, 5)), "setting labrig": Input("0.1.0")})
ANSWER = Answer(
    (Check("deploys", "fresh", "pass", "2 tasks", 1.5, details=({"task": "x"},)),),
    (Ignored("a rule", "a reason", 3),),
    100,
    (Ran("fresh", "deploy", "web", "x", None, "y:1", "ok", 0.1, 0.2),),
    12.5,
)
STATE = State({"hostname": "web"}, {("file", "/etc/motd"): {"type": "file", "mode": "0644"}}, {"debconf": "no debconf"})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


def keep(store: Store, name: str = "motd", image: str = "sha256:1") -> Stored:
    states = {"fresh": {"web": STATE}, "upgrade": {"web": STATE}}
    images = {"fresh": {"web": image}, "upgrade": {"web": image}}
    return store.keep(name, TRACE, Trace(outside=("x",)), ANSWER, states, images, {"fresh": {"web": "{}"}})  # type: ignore[arg-type]


def test_what_is_kept_comes_back(store: Store) -> None:
    kept = keep(store)
    (found,) = store.proofs("motd")
    assert found == kept
    assert found.state("upgrade", "web") == STATE
    assert list(store.proofs("other")) == []


def test_the_newest_comes_first_and_few_are_kept(store: Store) -> None:
    images = [f"sha256:{number}" for number in range(stores.KEPT_A_SUBJECT + 2)]
    for image in images:
        keep(store, image=image)
    found = [one.images["fresh"]["web"] for one in store.proofs("motd")]
    assert found == images[:1:-1]
    assert store.images(newest=2) == frozenset(images[-2:])


def test_what_is_old_goes(store: Store) -> None:
    kept = keep(store)
    old = (clock.now() - stores.KEPT_FOR - timedelta(hours=1)).timestamp()
    os.utime(kept.folder, (old, old))
    keep(store, "other")
    assert list(store.proofs("motd")) == []
    assert len(list(store.proofs("other"))) == 1


def test_all_together_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(store, "one")
    monkeypatch.setattr(stores, "LARGEST_BYTES", 1)
    keep(store, "two")
    assert list(store.proofs("one")) == []


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema": "labrig.stored/0"}', '{"schema": "labrig.stored/1"}'])
def test_what_cannot_be_read_is_passed_over(store: Store, content: str) -> None:
    kept = keep(store)
    other = keep(store)
    (kept.folder / "proof.json").write_text(content)
    assert [one.folder for one in store.proofs("motd")] == [other.folder]


def test_a_store_is_its_owners_alone(store: Store) -> None:
    keep(store)
    assert len(store.key) == 32
    folder = next(iter(store.proofs("motd"))).folder.parents[1]
    assert folder.stat().st_mode & 0o77 == 0
    assert (folder.parent / "key").stat().st_mode & 0o77 == 0


def test_names_of_subjects_are_safe_and_differ() -> None:
    names = {stores.subject(*words) for words in (("../x", "a"), ("..", "a"), ("x", "a"), ("x", "b"), ("x", "a", "b"))}
    assert len(names) == 5
    assert not any(name.startswith(".") or "/" in name for name in names)


def _fill(folder: str) -> None:
    store = Store(Path(folder))
    while True:
        keep(store, "shared")


def _keys(folder: str) -> bytes:
    return Store(Path(folder)).key


def test_several_write_and_one_is_killed_and_nothing_half_done_is_read(tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    writers = [fork.Process(target=_fill, args=[str(tmp_path)], daemon=True) for _ in range(3)]
    for one in writers:
        one.start()
    store = Store(tmp_path)
    seen = 0
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        for found in store.proofs("shared"):
            assert found.answer == ANSWER
            seen += 1
        if writers[0].is_alive() and seen > 20:
            os.kill(writers[0].pid or 0, signal.SIGKILL)
    for one in writers:
        one.kill()
        one.join()
    assert seen
    for found in store.proofs("shared"):
        assert json.loads((found.folder / "proof.json").read_text())["schema"] == stores.SCHEMA


def test_all_who_come_at_once_have_the_same_key(tmp_path: Path) -> None:
    with multiprocessing.get_context("fork").Pool(8) as pool:
        assert len(set(pool.map(_keys, [str(tmp_path)] * 16))) == 1


def test_a_snapshots_inputs_come_back(store: Store) -> None:
    store.keep_snapshot("abc", TRACE)
    assert store.snapshot("abc") == TRACE
    assert store.snapshot("def") is None
