from __future__ import annotations

import json

from labrig.ansible.events import Ended, Started, Stats, parse

END = {
    "event": "end",
    "host": "web",
    "task": "Write it",
    "action": "copy",
    "role": None,
    "path": "a.yml:3",
    "result": "failed",
    "ignored": True,
    "began": 1700000000.25,
    "seconds": 0.5,
    "message": "no",
    "items": [{"item": "x", "message": "bad"}],
    "paths": ["/etc/x"],
    "names": [],
    "guards": ["creates: /etc/x"],
    "reached": ["https://example.com"],
}


def test_lines_become_events() -> None:
    lines = [
        json.dumps({"event": "start", "host": "web", "task": "Write it"}),
        json.dumps(END),
        json.dumps({"event": "stats", "hosts": {"web": {"ok": 1}}}),
    ]
    started, ended, stats = parse(lines)
    assert started == Started("web", "Write it")
    assert isinstance(ended, Ended)
    assert (ended.began, ended.seconds) == (1700000000.25, 0.5)
    assert (ended.items, ended.paths) == (("x: bad",), ("/etc/x",))
    assert ended.guards == ("creates: /etc/x",)
    assert stats == Stats({"web": {"ok": 1}})


def test_a_failure_that_is_ignored_is_none() -> None:
    (ended,) = parse([json.dumps(END)])
    assert isinstance(ended, Ended)
    assert not ended.failed


def test_a_half_written_line_is_left_out() -> None:
    assert parse([json.dumps(END), '{"event": "end", "ho']) == parse([json.dumps(END)])
