"""A state that is kept has no fingerprint of a secret, and all else that it had."""

from __future__ import annotations

from labrig.state.keyless import keyless
from labrig.state.model import State

SECRET = State(
    {"hostname": "web"},
    {
        ("user", "me"): {"uid": 1, "password": "set", "fingerprint": "1f2e3d4c5b6a"},
        ("container", "db"): {"env": {"PASSWORD": "<set 1f2e3d4c5b6a>", "X": ["<set 1f2e3d4c5b6a>", 1]}},
        ("file", "/x"): {"type": "file"},
    },
    {"mariadb": "<set aside>"},
)


def test_fingerprints_go_and_nothing_else() -> None:
    plain = State.parse(keyless(SECRET.lines()))
    assert plain.entries == {
        ("user", "me"): {"uid": 1, "password": "set"},
        ("container", "db"): {"env": {"PASSWORD": "<set>", "X": ["<set>", 1]}},
        ("file", "/x"): {"type": "file"},
    }
    assert plain.header == SECRET.header
    assert plain.unreadable == SECRET.unreadable
    assert "1f2e3d4c5b6a" not in "".join(keyless(SECRET.lines()))
