"""A state is read whole or not at all, and written back as it was."""

import json

import pytest

from labrig.errors import EnvironmentFailed, UsageError
from labrig.state.model import ForeignState, State, TruncatedState

HEADER = '{"hostname":"m1","schema":"labrig.state/1"}'
ENTRY = '{"dimension":"file","key":"/a","value":{"mode":"0644","type":"file"}}'
UNREADABLE = '{"dimension":"unit","unreadable":"systemctl is not on this machine"}'


def end(entries):
    return json.dumps({"end": True, "entries": entries})


def test_a_state_is_header_entries_and_what_could_not_be_read():
    state = State.parse([HEADER, UNREADABLE, ENTRY, end(1)])
    assert state.header == {"hostname": "m1"}
    assert state.entries == {("file", "/a"): {"mode": "0644", "type": "file"}}
    assert state.unreadable == {"unit": "systemctl is not on this machine"}


def test_a_state_comes_back_from_its_lines():
    state = State.parse([HEADER, UNREADABLE, ENTRY, end(1)])
    assert State.parse(state.lines()) == state
    assert next(state.lines()) == HEADER


def test_bytes_are_read_as_well():
    assert State.parse([line.encode() for line in (HEADER, end(0))]).entries == {}


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "is empty"),
        ([HEADER], "ends after 0 entries"),
        ([HEADER, ENTRY], "ends after 1 entries"),
        ([HEADER, ENTRY, end(2)], "holds 2 entries, but 1 were read"),
        ([HEADER, ENTRY, ENTRY[:20]], "ends in the middle of line 3"),
    ],
)
def test_a_state_that_ends_early_is_noticed(lines, said):
    with pytest.raises(TruncatedState, match=said) as raised:
        State.parse(lines, source="m1.state")
    assert "m1.state" in raised.value.message
    assert isinstance(raised.value, EnvironmentFailed)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["hello"], "line 1: expected JSON, found 'hello'"),
        (["[]"], "line 1: expected an object"),
        (['{"a":1}'], "line 1: expected the header of a state"),
        (['{"schema":"labrig.state/9"}'], r"version labrig.state/9, this labrig reads labrig.state/1"),
        ([HEADER, '{"a":1}', ENTRY], "line 2: expected an entry"),
        ([HEADER, "bash: python3: command not found", ENTRY], "line 2: expected JSON"),
        ([HEADER, '{"dimension":"file","key":"/a"}', ENTRY], "line 2: expected an entry"),
        ([HEADER, '{"dimension":"file","key":"/a","value":3}', ENTRY], "line 2: expected an entry"),
    ],
)
def test_what_is_no_state_is_refused(lines, said):
    with pytest.raises(ForeignState, match=said) as raised:
        State.parse(lines, source="m1.state")
    assert isinstance(raised.value, UsageError)
