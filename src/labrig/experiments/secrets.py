"""Secrets in a configuration, ``ENC[...]``: what they are, and age, which seals them to SSH keys.

What age sealed names the keys that open it by the first bytes of their hashes, so it can be told whose key is needed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import pyrage

from labrig.errors import EnvironmentFailed, UsageError
from labrig.experiments.environment import Masked

SEALED = re.compile(r"ENC\[([^\]]*)\]")
_TAGS = {"ssh-ed25519", "ssh-rsa"}
_END_OF_HEADER = b"\n---"
_LONGEST_HEADER = 64 * 1024
KINDS = "ssh-ed25519 or ssh-rsa"
AGE: Final = "age"
ANSIBLE_VAULT: Final = "ansible-vault"
VAULT: Final = "vault"
KMS: Final = "kms"
# What a sealed value of each provider begins with; those of KMS have no mark.
_MARKS = {b"age-encryption.org/": AGE, b"$ANSIBLE_VAULT;": ANSIBLE_VAULT, b"vault:": VAULT}


class Provider(Protocol):
    """What seals secrets and opens them; its errors never hold a value."""

    def seal(self, value: bytes) -> bytes:
        """Return the sealed value.

        Raises:
            UsageError: What it is sealed with is missing or refused.
            EnvironmentFailed: The server that seals does not answer.
        """

    def open(self, sealed: bytes) -> bytes:
        """Return the value.

        Raises:
            UsageError: It cannot be opened here; the message tells what could open it.
            EnvironmentFailed: The server that opens does not answer.
        """

    @property
    def openers(self) -> tuple[str, ...]:
        """Who opens what is sealed from now on, for people."""


@dataclass(frozen=True)
class PublicKey:
    """An SSH key that secrets are sealed to.

    Attributes:
        kind: ``ssh-ed25519`` or ``ssh-rsa``.
        encoded: The key in base64, as its file has it.
        comment: Whose it is.
    """

    kind: str
    encoded: str
    comment: str = ""

    @classmethod
    def read(cls, line: str) -> PublicKey:
        """Return the key of a line such as an SSH key's .pub file has.

        Raises:
            ValueError: It holds no key that can be sealed to.
        """
        parts = line.split(None, 2)
        kind = parts[0] if parts else ""
        if len(parts) < 2 or kind not in _TAGS:
            raise ValueError(f"expected a public SSH key, {KINDS}, as in a .pub file, found {kind or 'nothing'!r}")
        key = cls(kind, parts[1], parts[2].strip() if len(parts) > 2 else "")
        try:
            pyrage.ssh.Recipient.from_str(key.line)
        except pyrage.RecipientError as error:
            raise ValueError(f"the {kind} key {key.comment!r} cannot be read: {error}") from error
        return key

    @property
    def line(self) -> str:
        """The key as age takes it."""
        return f"{self.kind} {self.encoded}"

    @property
    def tag(self) -> str:
        """What a sealed text calls it: four bytes of its hash in base64 (C2SP age, ``ssh`` recipients)."""
        digest = hashlib.sha256(base64.b64decode(self.encoded)).digest()
        return base64.b64encode(digest[:4]).decode().rstrip("=")

    def __str__(self) -> str:
        return f"{self.comment or 'a key without a comment'} ({self.kind} {self.tag})"


@dataclass(frozen=True)
class Age:
    """Sealing with age to SSH keys.

    Attributes:
        recipients: Who may open what is sealed from now on.
        identities: Files of private keys to open with; those that are not there do not count.
    """

    recipients: tuple[PublicKey, ...] = ()
    identities: tuple[Path, ...] = ()

    @property
    def openers(self) -> tuple[str, ...]:
        """The keys that are sealed to."""
        return tuple(str(one) for one in self.recipients)

    def seal(self, value: bytes) -> bytes:
        """Return the sealed value.

        Raises:
            UsageError: There are no keys to seal to.
        """
        if not self.recipients:
            raise UsageError(
                "there is no key to seal to",
                hint="experiment.secrets in labrig.yml lists public SSH keys: the lab host's and those of developers",
            )
        sealed: bytes = pyrage.encrypt(value, [pyrage.ssh.Recipient.from_str(one.line) for one in self.recipients])
        return sealed

    def open(self, sealed: bytes) -> bytes:
        """Return the value.

        Raises:
            UsageError: No key at hand opens it; the message tells which could.
        """
        keys, locked = [], []
        for path in self.identities:
            try:
                keys.append(pyrage.ssh.Identity.from_buffer(path.read_bytes()))
            except FileNotFoundError:
                continue
            except OSError as error:
                raise EnvironmentFailed(f"{path} cannot be read: {error.strerror}") from error
            except pyrage.IdentityError as error:
                # Named only where nothing else opens it: a passphrase, or a kind that age does not know.
                locked.append(f"{path}: {error}")
        try:
            value: bytes = pyrage.decrypt(sealed, keys)
        except pyrage.DecryptError as error:
            who = ", ".join(openers(sealed, self.recipients)) or "no key that its header tells"
            tried = ", ".join(str(one) for one in self.identities) or "none"
            hint = f"it was sealed to: {who}; keys tried: {tried}"
            raise UsageError(
                "a sealed value cannot be opened" + (f" ({'; '.join(locked)})" if locked else ""), hint=hint
            ) from error
        return value


def openers(sealed: bytes, known: Iterable[PublicKey]) -> list[str]:
    """Return which keys open a sealed value, by what is known of them.

    Raises:
        ValueError: It is not sealed with age.
    """
    header, mark, _ = sealed[:_LONGEST_HEADER].partition(_END_OF_HEADER)
    lines = header.split(b"\n")
    if not mark or not lines[0].startswith(b"age-encryption.org/v1"):
        raise ValueError("not sealed with age")
    by_tag = {one.tag: str(one) for one in known}
    found = []
    for line in lines:
        words = line.decode("ascii", "replace").split()
        if len(words) < 2 or words[0] != "->":
            continue
        kind = words[1]
        if kind in _TAGS and len(words) > 2:
            found.append(by_tag.get(words[2], f"an unknown {kind} key {words[2]}"))
        elif kind in {"X25519", "scrypt"}:
            found.append({"X25519": "a native age key", "scrypt": "a passphrase"}[kind])
    return found


def sealed_with(sealed: bytes) -> str | None:
    """Return the provider whose mark a sealed value bears; None where it bears none, as those of KMS.

    >>> sealed_with(b"$ANSIBLE_VAULT;1.1;AES256")
    'ansible-vault'
    """
    return next((provider for mark, provider in _MARKS.items() if sealed.startswith(mark)), None)


def wrapped(sealed: bytes) -> str:
    """Return the text that stands for a sealed value in a configuration."""
    return f"ENC[{base64.b64encode(sealed).decode()}]"


def sealed_parts(text: str) -> list[bytes]:
    """Return the sealed values in a text.

    Raises:
        ValueError: One is not base64; the message does not hold it.
    """
    try:
        return [base64.b64decode("".join(one.split()), validate=True) for one in SEALED.findall(text)]
    except binascii.Error as error:
        raise ValueError("ENC[...] is damaged: it is not base64") from error


def opened(text: str, open_one: Callable[[bytes], bytes]) -> Masked:
    """Return a text with each ``ENC[...]`` opened; what is before and after it stays.

    Raises:
        UsageError: One cannot be opened.
    """
    parts = iter(sealed_parts(text))
    try:
        return Masked(SEALED.sub(lambda _: open_one(next(parts)).decode(), text))
    except UnicodeDecodeError:
        # The cause would have the value.
        raise UsageError("a sealed value is not text: environments hold UTF-8") from None


def opened_all(variables: Mapping[str, str], open_one: Callable[[bytes], bytes]) -> dict[str, Masked]:
    """Return variables with their secrets opened.

    Raises:
        UsageError: One cannot be opened; the message has its name.
    """
    found = {}
    for name, text in variables.items():
        try:
            found[name] = opened(text, open_one)
        except UsageError as error:
            raise UsageError(f"{name}: {error.message}", hint=error.hint) from error
        except ValueError as error:
            raise UsageError(f"{name}: {error}") from error
    return found


def default_identities(home: Path) -> Sequence[Path]:
    """Return the files in which OpenSSH has keys of the kinds that age knows."""
    return (home / ".ssh/id_ed25519", home / ".ssh/id_rsa")
