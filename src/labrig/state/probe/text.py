"""How names are written down: any bytes as readable text, and back without loss."""

from __future__ import annotations

import re

SECRET = re.compile(
    r"(?i)((?:\b|[-_])(?:pass(?:word|wd|phrase)?|pwd|secret|token|api[-_]?key|access[-_]?key|secret[-_]?key)[ =:]+)"
    r"(?!/)(\"[^\"]*\"|'[^']*'|\S+)"
)
ACCOUNT = re.compile(r"(://[^/\s:@]+:)[^/\s@]+(?=@)")


def without_secrets(command: str) -> str:
    """Return a command line with ``<secret>`` for what follows ``--password`` and the like.

    >>> without_secrets("app --db-password=x --token y --password-file=/etc/app.key")
    'app --db-password=<secret> --token <secret> --password-file=/etc/app.key'
    """
    return ACCOUNT.sub(r"\1<secret>", SECRET.sub(r"\1<secret>", command))


def written(raw: bytes) -> str:
    r"""Return the bytes of a name as text that holds no control character.

    UTF-8 stays as it is. A backslash becomes ``\\``; control characters and bytes that are not UTF-8 become
    ``\xNN``: ``b"a\nb\xff"`` is written ``a\x0ab\xff``. ``unwritten`` gives the bytes back.
    """
    text = raw.decode("utf-8", "surrogateescape")
    if text.isprintable() and "\\" not in text:
        return text
    return "".join(_escaped(character) for character in text)


def _escaped(character: str) -> str:
    number = ord(character)
    if character == "\\":
        return "\\\\"
    if 0xDC80 <= number <= 0xDCFF:
        return "\\x%02x" % (number - 0xDC00)
    if number < 0x20 or number == 0x7F:
        return f"\\x{number:02x}"
    return character


def unwritten(text: str) -> bytes:
    """Return the bytes that ``written`` was given.

    Raises:
        ValueError: A backslash is followed by neither a backslash nor ``x`` and two hexadecimal digits.
    """
    pieces = []
    rest = text
    while True:
        before, mark, rest = rest.partition("\\")
        pieces.append(before.encode("utf-8", "surrogateescape"))
        if not mark:
            return b"".join(pieces)
        if rest[:1] == "\\":
            pieces.append(b"\\")
            rest = rest[1:]
        elif rest[:1] == "x" and len(rest) >= 3:
            pieces.append(bytes([int(rest[1:3], 16)]))
            rest = rest[3:]
        else:
            raise ValueError(f"an escape is \\\\ or \\xNN, found \\{rest[:1]} in {text!r}")
