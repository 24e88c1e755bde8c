"""One machine or two, what to call them, and what both were captured with."""

import pytest

from labrig.state import comparison, sides
from labrig.state.dimensions import DIMENSIONS
from labrig.state.model import SCHEMA, State, TruncatedState, whole


def header(kind="ssh", name="web", captured="2026-01-01T00:00:00+00:00", machine="a1", hostname="web", **target):
    return {
        "target": {"kind": kind, "name": name, **target},
        "captured": captured,
        "machine": machine,
        "hostname": hostname,
    }


@pytest.mark.parametrize(
    ("left", "right", "one"),
    [
        (header(), header(name="10.0.0.3"), True),
        (header(), header(machine="b2"), False),
        (header(), header(hostname="db"), False),
        (header(machine=""), header(machine=""), False),
        (header("local"), header("ssh"), False),
        (header("container", id="1"), header("container", id="1"), True),
        # Containers of one image share host name and machine-id.
        (header("container", id="1"), header("container", id="2"), False),
        (header("image", id="1"), header("image", id="1"), False),
        (header("ansible", "web1"), header("ansible", "web2"), False),
        (header("ansible", "web1"), header("ansible", "web1"), True),
        ({}, {}, False),
    ],
)
def test_one_machine_or_two(left, right, one):
    assert sides.is_one_machine(left, right) is one


LATER = "2026-01-02T00:00:00+00:00"


@pytest.mark.parametrize(
    ("left", "right", "one", "names"),
    [
        (header(name="web1"), header(name="web2"), False, ("web1", "web2")),
        (header(), header(captured=LATER), True, ("before", "after")),
        (header(captured=LATER), header(), True, (f"web at {LATER}", "web at 2026-01-01T00:00:00+00:00")),
        (header(), header(), False, ("web (left)", "web (right)")),
        ({"hostname": "web"}, {}, False, ("web", "a machine")),
    ],
)
def test_what_the_sides_are_called(left, right, one, names):
    assert sides.names(left, right, one_machine=one) == names


def a_state(*files, only=(), **more):
    entries = {("file", name): {"type": "file"} for name in files}
    return State({"hostname": "web", "only": list(only), "dimensions": list(DIMENSIONS), **more}, entries)


def test_a_state_captured_in_part_is_compared_in_that_part():
    told = comparison.tell(a_state("/etc/a", "/srv/b"), a_state("/etc/a", only=["/etc"]))
    assert told.same
    assert told.notes == ("files outside of /etc",)


def test_a_difference_inside_of_that_part_is_found():
    told = comparison.tell(a_state("/etc/a", "/etcetera"), a_state("/etc/b", only=["/etc"]))
    assert [one.key for one in told.found.differences] == ["/etc/a", "/etc/b"]


def test_a_dimension_that_one_side_was_not_asked_for_is_a_difference():
    left, right = a_state("/etc/a"), sides.within(a_state("/etc/a"), dimensions=["user"])
    told = comparison.tell(left, right)
    assert told.sentences() == {
        "file": ["dimension file could not be read completely on web (right): it was not captured"]
    }


def test_what_neither_side_was_asked_for_is_said():
    told = comparison.tell(*(sides.within(a_state("/etc/a"), dimensions=["file"]) for _ in range(2)))
    assert told.same
    (note,) = told.notes
    assert note.endswith(": captured on neither side")
    assert {"package", "unit", "user"} <= set(note.partition(":")[0].split(", "))
    assert f"not compared: {note}" in told.lines()


def test_the_last_line_is_the_answer():
    assert list(comparison.tell(a_state("/a"), a_state("/a")).lines())[-1] == (
        "same: web (left) and web (right): no difference of 1 entry compared, none set aside by a rule"
    )


LINES = list(a_state("/a", "/b").lines())


def test_a_whole_state_passes_line_by_line():
    assert list(whole(LINES)) == LINES
    assert State.parse(whole(LINES)) == State.parse(LINES)


@pytest.mark.parametrize("lines", [LINES[:-1], [LINES[0], *LINES[2:]], [*LINES[:2], LINES[2][:20]], []])
def test_a_state_that_is_not_whole_passes_only_as_far_as_it_goes(lines):
    passed = []
    with pytest.raises(TruncatedState):
        passed.extend(whole(lines))
    assert SCHEMA in LINES[0]
