"""The fingerprints of OpenPGP keys, as far as a file of public keys has to be read for them (RFC 4880, RFC 9580)."""

from __future__ import annotations

import base64
import hashlib
import re
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PUBLIC_KEY = 6

ARMOR = re.compile(
    rb"-----BEGIN PGP PUBLIC KEY BLOCK-----\r?\n(?:[^\n]*:[^\n]*\n)*\s*\n(.*?)-----END PGP PUBLIC KEY BLOCK-----",
    re.DOTALL,
)


def fingerprints(content: bytes) -> list[str]:
    """Return the fingerprints of the keys in a file, armored or not, in capitals as gpg prints them.

    What can't be read as keys is told by its hash, ``sha256:...``, so that a change of it still shows.
    """
    try:
        found = {_fingerprint(body) for tag, body in _packets(dearmored(content)) if tag == PUBLIC_KEY}
    except (ValueError, IndexError, struct.error):
        found = set()
    return sorted(found) or ["sha256:" + hashlib.sha256(content).hexdigest()]


def dearmored(content: bytes) -> bytes:
    """Return the bytes that armor holds, of all blocks together; content without armor as it is.

    Raises:
        ValueError: The armor holds something else.
    """
    blocks = ARMOR.findall(content.replace(b"\r\n", b"\n"))
    if not blocks:
        return content
    # The last line, which starts with "=", is a checksum.
    lines = [[line.strip() for line in block.splitlines() if not line.startswith(b"=")] for block in blocks]
    return b"".join(base64.b64decode(b"".join(block), validate=True) for block in lines)


def _packets(content: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(content):
        head = content[at]
        if not head & 0x80:
            raise ValueError("this is no packet")
        if head & 0x40:
            tag = head & 0x3F
            first = content[at + 1]
            if first < 192:
                start, size = at + 2, first
            elif first < 224:
                start, size = at + 3, ((first - 192) << 8) + content[at + 2] + 192
            elif first == 255:
                start, size = at + 6, int.from_bytes(content[at + 2 : at + 6], "big")
            else:
                raise ValueError("keys do not come in parts")
        else:
            tag = head >> 2 & 0x0F
            width = (1, 2, 4, 0)[head & 3]
            if not width:
                raise ValueError("keys have a length")
            start, size = at + 1 + width, int.from_bytes(content[at + 1 : at + 1 + width], "big")
        if start + size > len(content):
            raise ValueError("this packet is not whole")
        yield tag, content[start : start + size]
        at = start + size


def _fingerprint(body: bytes) -> str:
    if body[0] == 4:
        return hashlib.sha1(b"\x99" + struct.pack(">H", len(body)) + body).hexdigest().upper()  # noqa: S324
    if body[0] in (5, 6):
        mark = b"\x9a" if body[0] == 5 else b"\x9b"
        return hashlib.sha256(mark + struct.pack(">I", len(body)) + body).hexdigest().upper()
    raise ValueError(f"fingerprints of version {body[0]} are not known")
