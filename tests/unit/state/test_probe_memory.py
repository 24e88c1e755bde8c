"""What a capture remembers of files for the next one; real machines are in tests/integration/test_state_memory.py."""

from dataclasses import dataclass

import pytest

from labrig.state.probe import memory
from labrig.state.probe.memory import Memory

LONG_AGO = 1_600_000_000_000_000_000
FOUND = {"size": 4, "sha256": "0" * 64}


@dataclass(frozen=True)
class Status:
    """What is looked at of a file's status."""

    st_ino: int = 7
    st_size: int = 4
    st_mtime_ns: int = LONG_AGO
    st_ctime_ns: int = LONG_AGO


@pytest.fixture(autouse=True)
def nothing_is_mapped(monkeypatch):
    monkeypatch.setattr(memory, "_mapped_for_writing", lambda: {13})


def next_one(before, addresses=(), others=()):
    return Memory(before.as_text(), dict.fromkeys(addresses, "<self>"), others)


def remembering(status, *, addressed=False, addresses=(), others=()):
    made = Memory("", dict.fromkeys(addresses, "<self>"), others)
    made.keep(b"/a", status, None, FOUND, addressed=addressed)
    return made


def test_what_has_not_changed_is_known():
    assert next_one(remembering(Status())).recall(b"/a", Status(), None) == FOUND


@pytest.mark.parametrize(
    ("path", "status", "packaged"),
    [
        (b"/b", Status(), None),
        (b"/a", Status(st_ino=8), None),
        (b"/a", Status(st_size=5), None),
        (b"/a", Status(st_mtime_ns=LONG_AGO + 1), None),
        (b"/a", Status(st_ctime_ns=LONG_AGO + 1), None),
        (b"/a", Status(), b"another digest of its package"),
    ],
)
def test_what_has_changed_in_any_way_is_read_again(path, status, packaged):
    assert next_one(remembering(Status())).recall(path, status, packaged) is None


def test_what_was_written_just_before_is_not_remembered(monkeypatch):
    monkeypatch.setattr(memory.time, "time_ns", lambda: LONG_AGO + memory.TOO_YOUNG - 1)
    assert next_one(remembering(Status())).recall(b"/a", Status(), None) is None
    monkeypatch.setattr(memory.time, "time_ns", lambda: LONG_AGO + memory.TOO_YOUNG)
    assert next_one(remembering(Status())).recall(b"/a", Status(), None) == FOUND


def test_what_a_process_may_write_through_its_memory_is_not_remembered():
    mapped = Status(st_ino=13)
    assert next_one(remembering(mapped)).recall(b"/a", mapped, None) is None


def test_where_a_process_cannot_be_asked_nothing_is_remembered(monkeypatch):
    monkeypatch.setattr(memory, "_mapped_for_writing", lambda: None)
    assert next_one(remembering(Status())).recall(b"/a", Status(), None) is None


@pytest.mark.parametrize(
    ("addressed", "next_addresses", "known"),
    [
        (True, ["10.0.0.2"], True),
        (True, ["10.0.0.3"], False),
        (False, ["10.0.0.3"], True),
        (False, ["10.0.0.9"], False),
        (None, ["10.0.0.9"], True),
    ],
    ids=["same address", "in it", "sought and not in it", "never sought", "none is replaced in it"],
)
def test_a_text_is_known_where_the_same_addresses_are_replaced_in_it(addressed, next_addresses, known):
    before = remembering(Status(), addressed=addressed, addresses=["10.0.0.2"], others=["10.0.0.3"])
    found = next_one(before, next_addresses).recall(b"/a", Status(), None)
    assert (found == FOUND) is known


def test_only_so_many_files_are_remembered(monkeypatch):
    monkeypatch.setattr(memory, "FILES_LIMIT", 2)
    before = Memory("", {})
    for path in (b"/a", b"/b", b"/c"):
        before.keep(path, Status(), None, FOUND, addressed=False)
    after = next_one(before)
    assert [after.recall(path, Status(), None) for path in (b"/a", b"/b", b"/c")] == [FOUND, FOUND, None]


def test_a_text_of_another_python_is_not_read(monkeypatch):
    text = remembering(Status()).as_text()
    monkeypatch.setattr(memory, "WRITER", "another")
    assert Memory(text, {}).recall(b"/a", Status(), None) is None
