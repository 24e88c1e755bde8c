"""What client and lab host say to each other while an experiment is deployed: JSON, one object a line.

One connection and one process on the host serve a whole deployment. The host speaks first (``Hello``). Then the client
asks, as often and as many things at once as it wants, each request with a number of its own, and the host answers with
that number::

    host    {"hello": {"protocol": 2, "version": "0.1.0", "who": "anna", ...}}
    client  {"id": 1, "lock": {"app": "shop", "name": "login", "holder": "anna@desk", "wait": 0}}
    host    {"id": 1, "code": 0, "out": "", "err": ""}
    client  {"id": 2, "run": ["docker", "build", "..."], "stdin": "", "seconds": 600, "stream": true}
    host    {"id": 2, "out": "Step 1/4 ..."}
    host    {"id": 2, "code": 0, "out": "", "err": ""}

When the client's end closes, or the connection breaks, the host ends what still runs and then gives the locks back.
A line that is no request ends the session.
Secret values travel in ``stdin`` alone: arguments are seen by all users of a host.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")

NUMBER = 2
# Longer lines are refused: a dump goes through a file, not through a line.
LONGEST_LINE = 64 << 20

# Exit codes that are the host's, not a command's; the first as sysexits has it, the others as shells have them.
LOCKED = 75
LATE = 124
REFUSED = 126
NOT_FOUND = 127

# What may be run: what ``commands`` and ``looking`` use. By sudo, the host allows ``labrig-edge`` and systemctl alone.
PROGRAMS = frozenset({"curl", "docker", "env", "find", "git", "grep", "install", "mv", "rm", "rmdir", "sudo"})


@dataclass(frozen=True)
class Hello:
    """What the host says first: all about it that a plan depends on, so that nobody has to ask.

    Attributes:
        version: Of the labrig that the host's programs are of.
        who: The developer whose key opened the connection, as the host calls them; empty for a shell's user.
        user: ``uid:gid`` of the service user, whom the files of an experiment belong to.
        host: What the host calls itself.
        domain: That its wildcard record leads to it, as its ``lab.json`` has it; empty where that names none.
        range: The network, ``10.213.0.0/16``, that the subnets of experiments are taken from.
        subnets: Networks, ``address/prefix``, that the engine or the host uses already, of any range.
        engine: The version of its Docker Engine; empty where there is none to be had.
        trouble: Why there is none; empty where there is one.
        memory: Bytes that new containers could have: what the kernel calls available.
        disk: Bytes that are free where experiments lie.
        time: The time by its clock, ISO 8601 with its zone.
        protocol: ``NUMBER`` of the host.
    """

    version: str
    who: str
    user: str
    host: str
    domain: str
    range: str
    subnets: tuple[str, ...]
    engine: str
    trouble: str
    memory: int
    disk: int
    time: str
    protocol: int = NUMBER

    def line(self) -> bytes:
        """Return it as it travels."""
        return _line({"hello": asdict(self)})


@dataclass(frozen=True)
class Run:
    """The request to run a command, answered by ``Piece`` as output comes, where asked for, and by one ``Done``.

    Attributes:
        id: The request's number; no two that are open have the same.
        argv: The command; its first word is one of ``PROGRAMS``.
        stdin: What it reads.
        seconds: How long it may take; ``LATE`` is its code where it takes longer. None is no limit.
        stream: Output is told as it comes, as ``Piece``, and not once more at the end.
    """

    id: int
    argv: tuple[str, ...]
    stdin: str = field(default="", repr=False)
    seconds: float | None = None
    stream: bool = False

    def line(self) -> bytes:
        """Return it as it travels."""
        return _line(
            {"id": self.id, "run": self.argv, "stdin": self.stdin, "seconds": self.seconds, "stream": self.stream}
        )


@dataclass(frozen=True)
class Lock:
    """The request for an experiment's lock, answered by ``Done``: 0, or ``LOCKED`` with who has it in ``err``.

    It is held until the connection ends.

    Attributes:
        id: The request's number.
        app: The application, a slug.
        name: The experiment, a slug.
        holder: Whom others are told while it is held, ``user@host``; the host adds whose key it was, and since when.
        wait: Seconds to wait for it.
    """

    id: int
    app: str
    name: str
    holder: str
    wait: float = 0

    def line(self) -> bytes:
        """Return it as it travels."""
        return _line({"id": self.id, "lock": {key: value for key, value in asdict(self).items() if key != "id"}})


@dataclass(frozen=True)
class End:
    """The request to end another one's command, all processes of it; that one's ``Done`` tells when it has ended.

    Attributes:
        id: The number of the ``Run``; this request has none of its own, and no other answer.
    """

    id: int

    def line(self) -> bytes:
        """Return it as it travels."""
        return _line({"id": self.id, "end": True})


Request = Run | Lock | End


@dataclass(frozen=True)
class Piece:
    """Output of a command that runs.

    Attributes:
        id: The request's number.
        text: What it wrote; where it breaks off means nothing.
        is_error: On its standard error.
    """

    id: int
    text: str
    is_error: bool = False

    def line(self) -> bytes:
        """Return it as it travels."""
        return _line({"id": self.id, "err" if self.is_error else "out": self.text})


@dataclass(frozen=True)
class Done:
    """The last answer to a request.

    Attributes:
        id: The request's number.
        code: The command's exit code, 128 and the signal's number where one ended it, or one of the host's own.
        out: What it wrote on standard output; empty where that was streamed. Bytes that are no UTF-8 are replaced.
        err: On standard error, likewise; with one of the host's own codes, its reason.
    """

    id: int
    code: int
    out: str = ""
    err: str = ""

    def line(self) -> bytes:
        """Return it as it travels."""
        return _line(asdict(self))


Answer = Hello | Piece | Done


def request(line: bytes) -> Request:
    """Return what a client asks.

    Raises:
        ValueError: It is no request; the message says what is wrong with it.
    """
    told = _object(line)
    number = _number(told)
    if told.get("end") is True:
        return End(number)
    if "lock" in told:
        lock = _mapping(told, "lock")
        return Lock(
            number,
            app=_text(lock, "app"),
            name=_text(lock, "name"),
            holder=_text(lock, "holder"),
            wait=_seconds(lock, "wait") or 0,
        )
    argv = told.get("run")
    if not isinstance(argv, list) or not argv or not all(isinstance(one, str) and "\0" not in one for one in argv):
        raise ValueError("expected run, lock or end; run is a list of texts")
    return Run(
        number,
        tuple(argv),
        stdin=_text(told, "stdin", ""),
        seconds=_seconds(told, "seconds"),
        stream=told.get("stream") is True,
    )


def answer(line: bytes) -> Answer:
    """Return what a host answers.

    Raises:
        ValueError: It is no answer: something else than labrig speaks there.
    """
    told = _object(line)
    try:
        if "hello" in told:
            hello = _mapping(told, "hello")
            return Hello(**{**hello, "subnets": tuple(hello["subnets"])})
        if "code" in told:
            return Done(_number(told), int(told["code"]), _text(told, "out", ""), _text(told, "err", ""))
        name = "err" if "err" in told else "out"
        return Piece(_number(told), _text(told, name), is_error=name == "err")
    except (TypeError, KeyError) as error:
        raise ValueError(f"expected an answer of protocol {NUMBER}, found {sorted(told)}") from error


def _line(told: Mapping[str, Any]) -> bytes:
    # ASCII: also a name of a file that is no UTF-8 comes back as it was.
    return json.dumps(told, separators=(",", ":")).encode("ascii") + b"\n"


def _object(line: bytes) -> dict[str, Any]:
    try:
        told = json.loads(line)
    except ValueError as error:
        raise ValueError(f"expected a line of JSON, found {line[:80]!r}") from error
    if isinstance(told, dict):
        return told
    raise ValueError(f"expected an object of JSON, found {line[:80]!r}")


def _number(told: Mapping[str, Any]) -> int:
    return _member(told, "id", int)


def _mapping(told: Mapping[str, Any], key: str) -> dict[str, Any]:
    return _member(told, key, dict)


def _text(told: Mapping[str, Any], key: str, default: str | None = None) -> str:
    return _member(told, key, str, default)


def _member(told: Mapping[str, Any], key: str, kind: type[T], default: T | None = None) -> T:
    value = told.get(key, default)
    if isinstance(value, kind):
        return value
    # Its value may be secret.
    raise ValueError(f"expected {kind.__name__} as {key}, found {type(value).__name__}")


def _seconds(told: Mapping[str, Any], key: str) -> float | None:
    value = told.get(key)
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool) and value >= 0):
        return value
    raise ValueError(f"expected seconds as {key}, found {value!r}")
