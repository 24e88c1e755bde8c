"""A look at a few things tells the same of them as a whole capture, and brings contents if asked for."""

import base64
import subprocess
import sys

import pytest

from labrig.state import capture


def execute(argv, stdin):
    yield subprocess.run([sys.executable, *argv[1:]], input=stdin, capture_output=True, check=True).stdout


@pytest.fixture
def root(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "motd").write_bytes(b"welcome to 192.0.2.7\n")
    (tmp_path / "etc" / "large").write_bytes(bytes(5000))
    (tmp_path / "etc" / "link").symlink_to("motd")
    return tmp_path


def look(root, *keys, contents=0):
    asked = capture.request(root=str(root), own_addresses=["192.0.2.7"])
    return capture.look(execute, {"file": keys}, asked=asked, contents=contents)


def test_a_look_sees_what_a_capture_sees(root):
    keys = ("/etc", "/etc/motd", "/etc/link", "/etc/large", "/etc/none")
    asked = capture.request(root=str(root), own_addresses=["192.0.2.7"], dimensions=["file"])
    whole = capture.capture(execute, asked=asked).entries
    found = look(root, *keys).entries
    assert set(found) == {("file", key) for key in keys} - {("file", "/etc/none")}
    assert all(found[key] == whole[key] for key in found)


def test_contents_belong_to_the_hash_that_is_told_with_them(root):
    found = look(root, "/etc/motd", "/etc/large", "/etc/link", contents=1000).entries
    assert base64.b64decode(found["file", "/etc/motd"]["content"]) == b"welcome to <self>\n"
    assert "content" not in found["file", "/etc/large"]
    assert "content" not in found["file", "/etc/link"]
    assert "content" not in look(root, "/etc/motd").entries["file", "/etc/motd"]


def test_a_key_may_be_named_twice_and_hold_any_byte(root):
    (root / "etc" / "a\nb").write_text("x")
    found = look(root, "/etc/motd", "/etc/motd", r"/etc/a\x0ab", "/etc/motd/below").entries
    assert set(found) == {("file", "/etc/motd"), ("file", r"/etc/a\x0ab")}


def test_a_dimension_that_cannot_be_read_says_so(root):
    asked = capture.request(root=str(root))
    assert "unit" in capture.look(execute, {"unit": ["x.service"]}, asked=asked).unreadable
