"""Naming a target: ``web``, ``container:web``, ``image:debian:12``, ``ssh://root@web1``, ``local``, ``web.jsonl``."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from labrig.errors import UsageError

Kind = Literal["container", "image", "file", "ssh", "local"]

# A file by its name, also where nothing is there yet.
STATE_FILES = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".json", ".gz", ".zst")
# What OpenSSH takes for a host or a user; above all nothing that begins like an option.
SSH_NAME = re.compile(r"[A-Za-z0-9_.:%][A-Za-z0-9_.:%+-]*")
# What Docker takes for a container or an image; it refuses others in words that do not help.
DOCKER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/@-]*")
FORMS = "a target is container:NAME, image:NAME, ssh://[USER@]HOST[:PORT], local, or a FILE of `labrig state capture`"


@dataclass(frozen=True)
class Target:
    """One thing whose state can be looked at.

    Attributes:
        kind: What it is.
        name: A container's or an image's name, a host, a path; ``-`` is standard input. Empty for ``local``.
        user: Over SSH, whom to log in as; empty for what ssh's own configuration says.
        port: Over SSH; None likewise.
        become: Read it as root through sudo.
    """

    kind: Kind
    name: str = ""
    user: str = ""
    port: int | None = None
    become: bool = False

    def __str__(self) -> str:
        """What messages and states call it, the shortest that is unambiguous to a person."""
        if self.kind == "local":
            return "local"
        if self.kind != "ssh":
            return self.name
        host = f"[{self.name}]" if ":" in self.name else self.name
        return "ssh://" + (f"{self.user}@" if self.user else "") + host + (f":{self.port}" if self.port else "")


def parse(word: str, exists: Callable[[Kind, str], bool]) -> tuple[Target, str]:  # noqa: PLR0911  # one a form
    """Return the target that a word names, and a sentence where it could have meant another; empty where not.

    A word without a prefix is a file, else a container, else an image.

    Args:
        word: As a user types it.
        exists: Tells whether there is a ``file``, a ``container``, an ``image`` of that name.

    Raises:
        UsageError: It names nothing, or nothing that is there.
    """
    if word == "local":
        return Target("local"), ""
    if word == "-":
        return Target("file", "-"), ""
    if word.startswith("ssh:"):
        return _ssh(word), ""
    kind, colon, name = word.partition(":")
    if colon and kind in ("container", "image", "file"):
        return _there(kind, name, exists), ""  # type: ignore[arg-type]  # one of the three
    if word.endswith(STATE_FILES) or word.startswith(("/", "./", "../", "~")):
        return _there("file", word, exists), ""
    kinds: tuple[Kind, ...] = ("file", "container", "image")
    found = [one for one in kinds if _exists(one, word, exists)]
    if not found:
        raise UsageError(f"{word!r} is neither a file nor a container nor an image on this engine", hint=FORMS)
    if len(found) == 1:
        return Target(found[0], word), ""
    others = " and ".join(f"{other}:{word}" for other in found[1:])
    return Target(found[0], word), f"{word} is taken for a {found[0]}; there is {others} as well"


def _there(kind: Kind, name: str, exists: Callable[[Kind, str], bool]) -> Target:
    if kind == "file" and name == "-":
        return Target(kind, name)
    if not name:
        raise UsageError(f"{kind}: without a name", hint=FORMS)
    if not _exists(kind, name, exists):
        hints = {
            "container": "`docker ps --all` lists them",
            "image": f"`docker pull {name}` brings it; labrig downloads no image unasked",
            "file": "`labrig state capture TARGET -o FILE` writes one",
        }
        where = "" if kind == "file" else " on this engine"
        raise UsageError(f"there is no {kind} {name}{where}", hint=hints[kind])
    return Target(kind, name)


def _exists(kind: Kind, name: str, exists: Callable[[Kind, str], bool]) -> bool:
    form = re.compile(r".+", re.DOTALL) if kind == "file" else DOCKER_NAME
    return bool(form.fullmatch(name)) and exists(kind, name)


def _ssh(word: str) -> Target:
    try:
        parts = urlsplit(word)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"{word}: {error}", hint=FORMS) from error
    if not word.startswith("ssh://") or not parts.hostname:
        raise UsageError(f"{word}: expected ssh://[USER@]HOST[:PORT]")
    if parts.password is not None:
        raise UsageError(
            "a password has no place in a target: everybody sees it", hint="use a key, an agent or ~/.ssh/config"
        )
    # urlsplit lowers the case, which names in ssh's configuration keep.
    host = parts.netloc.rpartition("@")[2]
    host = host[1 : host.index("]")] if host.startswith("[") else host.partition(":")[0]
    user = parts.username or ""
    if not SSH_NAME.fullmatch(host) or (user and not SSH_NAME.fullmatch(user)):
        raise UsageError(f"{word}: expected ssh://[USER@]HOST[:PORT]")
    asked = parse_qs(parts.query, keep_blank_values=True)
    if parts.path not in ("", "/") or parts.fragment or set(asked) - {"become"}:
        raise UsageError(f"{word}: after the host only ?become is known")
    return Target("ssh", host, user, port, become="become" in asked)
