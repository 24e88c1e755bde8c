"""Entries are kept as text, and say the same as if they had been parsed at once."""

import json

import pytest

from labrig.state.compare import compare
from labrig.state.entries import Entries
from labrig.state.model import ForeignState, State

HEADER = '{"dimensions":["file"],"schema":"labrig.state/1"}'


def line(key, text, dimension="file"):
    return f'{{"dimension":"{dimension}","key":"{key}","value":{text}}}'


def state(*lines, source="the state"):
    return State.parse([HEADER, *lines, json.dumps({"end": True, "entries": len(lines)})], source=source)


def keys(left, right):
    return [found.key for found in compare(left, right, rules=()).differences]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"mode":"0644","size":3}', {"mode": "0644", "size": 3}),
        (r'{"comment":"a \"b\" \u00e9"}', {"comment": 'a "b" \u00e9'}),
        ('{"comment":"a } b","members":["x"]}', {"comment": "a } b", "members": ["x"]}),
        ('{"owner":{"name":"root"}}', {"owner": {"name": "root"}}),
    ],
)
def test_a_value_is_what_its_text_says(text, value):
    read = state(line("/a", text))
    assert read.entries["file", "/a"] == value
    assert dict(read.entries) == {("file", "/a"): value}


def test_a_key_with_escapes_reads_as_it_was_written():
    read = state(line(r"/a\\x0ab\u00e9", "{}"))
    assert list(read.entries) == [("file", "/a\\x0ab\u00e9")]
    assert ("file", "/a") not in read.entries


def test_the_same_said_in_another_way_is_the_same():
    one = state(line("/a", '{"mode":"0644","size":3}'), line("/b", '{"mode":"0600"}'))
    other = state(line("/b", '{"mode": "0600"}'), line("/a", '{"size":3,"mode":"0644"}'))
    assert keys(one, other) == []
    assert one == other


def test_a_state_that_was_read_compares_with_one_that_was_made():
    read = state(line("/a", '{"mode":"0644"}'), line("/b", '{"mode":"0600"}'))
    made = State({"dimensions": ["file"]}, {("file", "/a"): {"mode": "0644"}, ("file", "/c"): {"mode": "0600"}})
    assert keys(read, made) == keys(made, read) == ["/b", "/c"]
    assert compare(read, made, rules=()).compared == 3


def test_what_neither_side_could_read_is_counted_from_text_and_from_values():
    text = '{"type":"file","unreadable":"Permission denied"}'
    named_so = state(line("/unreadable", '{"target":"unreadable"}'))
    read = state(line("/a", text))
    made = State({"dimensions": ["file"]}, {("file", "/a"): json.loads(text)})
    for pair in ((read, read), (read, made), (made, made)):
        assert compare(*pair).notes == (
            "1 entries of file could be read on neither side; what they hold is not compared",
        )
    assert compare(named_so, named_so).notes == ()


def test_a_value_that_is_no_json_is_refused_once_it_matters():
    good, broken = state(line("/a", '{"mode":"0644"}')), state(line("/a", '{"mode":}'), source="m1.state")
    with pytest.raises(ForeignState, match=r"m1\.state, entry file /a: expected a value in JSON") as raised:
        compare(good, broken)
    assert raised.value.hint


def test_a_line_before_the_header_is_no_state():
    with pytest.raises(ForeignState, match="line 1: expected the header"):
        State.parse([line("/a", "{}"), HEADER])


def test_bytes_that_are_not_ascii_are_left_to_the_parser():
    assert not Entries().take(line("/\u00e9", "{}").encode())
    assert (
        State.parse([HEADER, line("/\u00e9", "{}").encode(), '{"end":true,"entries":1}']).entries["file", "/\u00e9"]
        == {}
    )
