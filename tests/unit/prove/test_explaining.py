"""Contents are those that were compared, or it is said that they are not there any more."""

from __future__ import annotations

import hashlib
from typing import Any

from labrig.prove.explaining import _diff
from labrig.prove.verdict import Finding


def side(content: bytes, **over: Any) -> dict[str, Any]:
    return {"type": "file", "sha256": hashlib.sha256(content).hexdigest(), "size": len(content), **over}


def finding(left: dict[str, Any] | None, right: dict[str, Any] | None) -> Finding:
    return Finding("same-state", None, "file", "/etc/x", left, right, "text")


def pool(*contents: bytes) -> dict[str, bytes]:
    return {hashlib.sha256(content).hexdigest(): content for content in contents}


def test_contents_are_found_by_their_hash_on_whatever_machine_has_them() -> None:
    found = _diff(finding(side(b"a\n"), side(b"b\n")), pool(b"b\n", b"a\n", b"c\n"))
    assert found is not None
    assert found.lines[1:] == ("-a", "+b")


def test_a_content_that_has_changed_since_is_not_shown() -> None:
    found = _diff(finding(side(b"a\n"), side(b"b\n")), pool(b"a\n", b"changed\n"))
    assert found is not None
    assert found.lines == ()
    assert found.summary == "the content on upgrade is not there any more: it has changed since it was compared"


def test_a_file_on_one_side_only_is_shown_whole() -> None:
    found = _diff(finding(None, side(b"b\n")), pool(b"b\n"))
    assert found is not None
    assert found.lines == ("@@ -0,0 +1 @@", "+b")


def test_what_is_too_large_says_so() -> None:
    found = _diff(finding(side(b"a"), side(b"b", size=1 << 30)), {})
    assert found is not None
    assert found.summary == "too large to show: 1 bytes and 1073741824 bytes"
