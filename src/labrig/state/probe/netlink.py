"""What the kernel tells of the network over netlink: no program on the machine is needed, nor rights."""

from __future__ import annotations

import os
import socket
import struct
from typing import TYPE_CHECKING, NamedTuple

from labrig.state.probe.machine import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

# linux/netlink.h and linux/rtnetlink.h
_REQUEST_DUMP = 0x1 | 0x300
_ERROR, _DONE = 2, 3
_MESSAGE = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_TYPE_MASK = 0x3FFF
_BUFFER = 1 << 18
_LIMIT = 20.0

Attributes = dict[int, bytes]


class Question(NamedTuple):
    """One list that the kernel holds: the message that asks for it, and the fixed part of each answer."""

    message: int
    head: struct.Struct


# Each head begins with the address family.
LINKS = Question(18, struct.Struct("=BxHiII"))  # type, index, flags, change
ADDRESSES = Question(22, struct.Struct("=BBBBI"))  # length of the prefix, flags, scope, index of the interface
ROUTES = Question(26, struct.Struct("=BBBBBBBBI"))  # lengths, type of service, table, protocol, scope, type, flags
RULES = Question(34, struct.Struct("=BBBBBxxBI"))  # lengths, type of service, table, action, flags


def ask(question: Question, family: int) -> Iterator[tuple[tuple[int, ...], Attributes]]:
    """Yield the head and the attributes of everything on a list that is of an address family.

    Raises:
        Unreadable: The kernel does not answer such questions.
    """
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0) as kernel:
            kernel.settimeout(_LIMIT)
            body = bytes([family]).ljust(question.head.size, b"\0")
            kernel.send(_MESSAGE.pack(_MESSAGE.size + len(body), question.message, _REQUEST_DUMP, 1, 0) + body)
            while True:
                for kind, content in messages(kernel.recv(_BUFFER)):
                    if kind == _DONE:
                        return
                    if kind == _ERROR:
                        code = -struct.unpack_from("=i", content)[0]
                        raise OSError(code, os.strerror(code))  # noqa: TRY301 - one place makes all of them unreadable
                    head = question.head.unpack_from(content)
                    # Without the family in the kernel, the lists of another one come.
                    if family in (head[0], socket.AF_UNSPEC):
                        yield head, attributes(content[question.head.size :])
    except OSError as problem:
        raise Unreadable(f"the kernel does not tell its network: {problem.strerror or problem}") from None


def messages(received: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the type and the content of each message in what came at once."""
    while len(received) >= _MESSAGE.size:
        length, kind = _MESSAGE.unpack_from(received)[:2]
        yield kind, received[_MESSAGE.size : length]
        received = received[_aligned(max(length, _MESSAGE.size)) :]


def attributes(content: bytes) -> Attributes:
    """Return type to content of the attributes that follow a head."""
    found = {}
    while len(content) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(content)
        found[kind & _TYPE_MASK] = content[_ATTRIBUTE.size : length]
        content = content[_aligned(max(length, _ATTRIBUTE.size)) :]
    return found


def number(content: bytes) -> int:
    """Return an attribute of four bytes as a number."""
    return int(struct.unpack_from("=I", content)[0])


def name(content: bytes) -> str:
    """Return an attribute that is a name."""
    return content.rstrip(b"\0").decode("utf-8", "surrogateescape")


def _aligned(length: int) -> int:
    return (length + 3) & ~3
