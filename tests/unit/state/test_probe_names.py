"""Names and addresses as the probe writes them down."""

import pytest

from labrig.state.probe.machine import address_pattern, hex_address
from labrig.state.probe.text import unwritten, written


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"/etc/hosts", "/etc/hosts"),
        ("/srv/größe".encode(), "/srv/größe"),
        (b"a\nb", r"a\x0ab"),
        (b"caf\xe9", r"caf\xe9"),
        (rb"dev-disk-by\x2duuid", r"dev-disk-by\\x2duuid"),
        (b"\x7f", r"\x7f"),
        (b"", ""),
    ],
)
def test_a_name_is_readable_and_comes_back_as_it_was(raw, text):
    assert written(raw) == text
    assert unwritten(text) == raw


def test_every_byte_survives():
    raw = bytes(range(256)) * 2
    assert unwritten(written(raw)) == raw
    assert written(raw).isascii() or written(raw).encode("utf-8")


def test_different_names_never_read_the_same():
    names = [b"a\n", rb"a\x0a", rb"a\\x0a", b"a\\n"]
    assert len({written(name) for name in names}) == len(names)


def test_an_escape_that_is_none_is_refused():
    with pytest.raises(ValueError, match="escape"):
        unwritten(r"a\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"listen 172.17.0.3:80;", b"listen <self>:80;"),
        (b"172.17.0.3", b"<self>"),
        (b"at 172.17.0.3.", b"at <self>."),
        (b"172.17.0.30", b"172.17.0.30"),
        (b"1172.17.0.3", b"1172.17.0.3"),
        (b"9.172.17.0.3", b"9.172.17.0.3"),
        (b"172.17.0.3.4", b"172.17.0.3.4"),
        (b"172.17.0.3/16", b"<self>/16"),
        (b"172x17y0z3", b"172x17y0z3"),
        (b"[fd00::3]:80", b"[<self>]:80"),
        (b"fd00::3", b"<self>"),
        (b"fd00::3f", b"fd00::3f"),
        (b"fd00::3:4", b"fd00::3:4"),
        (b"2001:fd00::3", b"2001:fd00::3"),
    ],
)
def test_an_own_address_is_found_only_as_a_whole(text, expected):
    pattern = address_pattern({"172.17.0.3": "<self>", "fd00::3": "<self>"})
    assert pattern.sub(b"<self>", text) == expected


def test_addresses_of_the_kernel_are_in_the_byte_order_of_the_machine():
    assert hex_address("0100007F") == "127.0.0.1"
    assert hex_address("00000000000000000000000001000000") == "::1"
