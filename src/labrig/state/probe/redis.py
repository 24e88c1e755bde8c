"""Redis servers that run: settings, users and modules, as the server tells them."""

from __future__ import annotations

import glob
import re
import socket
import time
from typing import TYPE_CHECKING, Any

from labrig.state.probe.machine import Unreadable
from labrig.state.probe.masking import looks_secret, masked
from labrig.state.probe.servers import running
from labrig.state.probe.text import written

if TYPE_CHECKING:
    from labrig.state.probe.machine import Entries, Machine, Value
    from labrig.state.probe.servers import Server

PROGRAMS = ("redis-server", "valkey-server", "redis-sentinel")
CONFIGURED = ("/etc/redis/*.conf", "/etc/redis.conf", "/etc/valkey/*.conf")

# In seconds, for all answers of one server together.
LIMIT = 10

QUESTIONS: tuple[tuple[str, ...], ...] = (
    ("INFO", "server"),
    ("CONFIG", "GET", "*"),
    ("ACL", "LIST"),
    ("MODULE", "LIST"),
)

# As Redis writes an old name for each of these beside the new one; one is enough.
FORMER_NAME = re.compile(r"slave|-ziplist-|^repl-ping-slave")


class Refused(Exception):
    """The server answers with an error; the message is what it says."""


def read(machine: Machine) -> Entries:
    """Yield what each server holds, its keys after its port or socket: ``6379 setting maxmemory``.

    Raises:
        Unreadable: A server runs that does not answer, or does not tell everything.
    """
    found: dict[str, Value] = {}
    problems = []
    for server in running(machine, PROGRAMS):
        name = str(server.tcp[0][1]) if server.tcp else server.unix[0]
        try:
            answers = _answers(machine, server)
        except (OSError, ValueError, Unreadable) as problem:
            problems.append(f"Redis at {name}: {problem}")
            continue
        told, missing = entries(machine, answers)
        found.update({f"{name} {key}": value for key, value in told.items()})
        problems += [f"Redis at {name}: {reason}" for reason in missing]
    for key in sorted(found):
        yield written(key.encode("utf-8", "surrogateescape")), found[key]
    if problems:
        raise Unreadable("; ".join(problems))


def entries(machine: Machine, answers: list[Any]) -> tuple[dict[str, Value], list[str]]:
    """Return the entries that the answers to ``QUESTIONS`` tell, and what was refused."""
    missing = []
    for question, answer in zip(QUESTIONS, answers):  # noqa: B905 - Python 3.8
        # A server that is older than users or modules has none and does not know the question.
        unknown = "unknown command" in str(answer).lower()
        if isinstance(answer, Refused) and not (unknown and question[0] in ("ACL", "MODULE")):
            missing.append(f"{' '.join(question)}: {answer}")
    about, settings, users, modules = ([] if isinstance(answer, Refused) else answer for answer in answers)
    found: dict[str, Value] = {}
    if about:
        told = dict(line.split(":", 1) for line in about.splitlines() if ":" in line)
        names = {"version": "redis_version", "mode": "redis_mode", "file": "config_file"}
        found["server"] = {"runs": True, **{ours: told.get(theirs, "") for ours, theirs in names.items()}}
    for name, value in _pairs(settings).items():
        if not FORMER_NAME.search(name):
            found[f"setting {name}"] = {"value": _shown(machine, name, value)}
    found.update((f"user {name}", value) for name, value in (user(machine, line) for line in users))
    for module in map(_pairs, modules):
        found[f"module {module.get('name')}"] = {"version": module.get("ver", ""), "library": module.get("path", "")}
    return found, missing


def _pairs(listed: list[Any]) -> dict[str, Any]:
    return dict(zip(listed[::2], listed[1::2]))  # noqa: B905 - Python 3.8


def user(machine: Machine, line: str) -> tuple[str, Value]:
    """Return a user's name and rules from a line of ``ACL LIST``: that there are passwords, not their hashes.

    >>> user(machine, "user app on #5e88...  ~app:* +@read")
    ('app', {'rules': ['on', '~app:*', '+@read'], 'password': 'set'})
    """
    _, name, *words = line.split()
    hashes = sorted(word for word in words if word[0] in "#!" and re.fullmatch(r"[#!][0-9a-f]{64}", word))
    # The usual handling of payloads is told or not, depending on how the user came into the server.
    value: Value = {
        "rules": [word for word in words if word not in hashes and word != "sanitize-payload"],
        "password": "set" if hashes else "none",
    }
    if hashes:
        value.update(machine.fingerprint("\n".join(hashes)))
    return name, value


def _shown(machine: Machine, name: str, value: str) -> str:
    if name == "requirepass" or (looks_secret(name) and not name.endswith("-file")):
        return masked(value, machine.fingerprint(value).get("fingerprint", ""))
    return machine.own_text(value.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


def _answers(machine: Machine, server: Server) -> list[Any]:
    answers = _asked(server, "")
    if not any(isinstance(answer, Refused) and "NOAUTH" in str(answer) for answer in answers):
        return answers
    for password in _passwords(machine, server):
        answers = _asked(server, password)
        if not isinstance(answers[0], Refused):
            return answers
    raise Unreadable("it asks for a password that stands in no configuration file")


def _passwords(machine: Machine, server: Server) -> list[str]:
    """Return the passwords of the configuration files, those that name the server's port first."""
    found = []
    for path in sorted(path for pattern in CONFIGURED for path in glob.glob(pattern)):
        try:
            text = machine.text(path)
        except OSError:
            continue
        ports = {str(port) for _, port in server.tcp}
        ours = ports.intersection(re.findall(r"(?m)^\s*port\s+(\d+)", text))
        passwords = re.findall(r"(?m)^\s*requirepass\s+(\S+)", text)
        found += [(not ours, password.strip("\"'")) for password in passwords]
    return [password for _, password in sorted(found)]


def _asked(server: Server, password: str) -> list[Any]:
    end = time.monotonic() + LIMIT
    questions = ([("AUTH", password)] if password else []) + list(QUESTIONS)
    if server.unix:
        connection, address = socket.socket(socket.AF_UNIX), server.unix[0]
    else:
        host, port = server.tcp[0]
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
        connection = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        address = (host, port)  # type: ignore[assignment]
    with connection:
        connection.settimeout(LIMIT)
        connection.connect(address)
        connection.sendall(b"".join(_command(question) for question in questions))
        answers = Answers(connection, end)
        told = [answers.next() for _ in questions]
    return told[1:] if password else told


def _command(words: tuple[str, ...]) -> bytes:
    encoded = [word.encode("utf-8", "surrogateescape") for word in words]
    return b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded)


class Answers:
    """The answers that come from a server, one after the other, in its own simple protocol (RESP)."""

    def __init__(self, connection: socket.socket, end: float) -> None:
        self._connection = connection
        self._end = end
        self._rest = b""

    def next(self) -> Any:
        """Return an answer: text, a number as text, a list, or ``Refused``.

        Raises:
            OSError: It does not come in time.
            ValueError: It is none of Redis.
        """
        line = self._line()
        kind, told = line[:1], line[1:].decode("utf-8", "surrogateescape")
        if kind in (b"+", b":"):
            return told
        if kind == b"-":
            return Refused(told)
        if kind == b"$":
            return "" if told == "-1" else self._exactly(int(told) + 2)[:-2].decode("utf-8", "surrogateescape")
        if kind == b"*":
            return [self.next() for _ in range(max(int(told), 0))]
        raise ValueError("it does not speak as Redis does; it may want TLS")

    def _line(self) -> bytes:
        while b"\r\n" not in self._rest:
            self._more()
        line, _, self._rest = self._rest.partition(b"\r\n")
        return line

    def _exactly(self, count: int) -> bytes:
        while len(self._rest) < count:
            self._more()
        found, self._rest = self._rest[:count], self._rest[count:]
        return found

    def _more(self) -> None:
        left = self._end - time.monotonic()
        if left <= 0:
            raise OSError(f"it gave no answer within {LIMIT} s")
        self._connection.settimeout(left)
        piece = self._connection.recv(1 << 16)
        if not piece:
            raise OSError("it hung up")
        self._rest += piece
