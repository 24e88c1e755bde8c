"""Servers that run on the machine, found by their program, and how to ask them."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from typing import TYPE_CHECKING, NamedTuple

from labrig.state.probe.machine import Unreadable, hex_address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from labrig.state.probe.machine import Entries, Machine, Value

# In seconds, for one question to one server.
ANSWER_LIMIT = 20

LISTENS = "0A"


class Server(NamedTuple):
    """A server and where it listens.

    Attributes:
        process: Its number.
        program: The name of its program.
        executable: The path of its program, empty where that can't be seen.
        arguments: Its command line.
        unix: Paths of the sockets it listens on.
        tcp: (address, port) of the ports it listens on.
    """

    process: str
    program: str
    executable: str
    arguments: list[str]
    unix: list[str]
    tcp: list[tuple[str, int]]


def running(machine: Machine, programs: Iterable[str]) -> list[Server]:
    """Return the servers among the machine's own processes, in the order of their sockets; those in containers are not.

    Of a program with several processes, only those that listen are servers.

    Raises:
        Unreadable: The machine does not run, or such a program runs and where it listens can't be seen.
    """
    if not machine.live:
        raise Unreadable("only a running machine can be asked")
    wanted = frozenset(programs)
    own = _namespace("1") or _namespace("self")
    candidates = [
        number
        for number in filter(str.isdigit, os.listdir("/proc"))
        if _text(f"/proc/{number}/comm").strip() in wanted and _namespace(number) in (own, "")
    ]
    if not candidates:
        return []
    unix, tcp = _unix_sockets(), _tcp_ports()
    servers = []
    unseen = set()
    for number in candidates:
        program = _text(f"/proc/{number}/comm").strip()
        try:
            inodes = _sockets_of(number)
        except PermissionError:
            unseen.add(program)
            continue
        except OSError:
            continue  # It ended meanwhile.
        server = Server(
            number,
            program,
            _link(f"/proc/{number}/exe"),
            _text(f"/proc/{number}/cmdline").rstrip("\0").split("\0"),
            sorted(unix[inode] for inode in inodes if inode in unix),
            sorted(tcp[inode] for inode in inodes if inode in tcp),
        )
        if server.unix or server.tcp:
            servers.append(server)
    if unseen:
        raise Unreadable(f"{', '.join(sorted(unseen))} runs, and only root can see where it listens")
    if not servers:
        raise Unreadable(f"{program} runs and listens nowhere")
    return sorted(servers, key=lambda server: (server.unix, server.tcp))


def of_each(machine: Machine, programs: Iterable[str], of: Callable[[Machine, Server], dict[str, Value]]) -> Entries:
    """Yield what each server tells, those that answer first of all.

    Raises:
        Unreadable: One runs that does not answer, at the end; or as for ``running``.
    """
    found: dict[str, Value] = {}
    problems = []
    for server in running(machine, programs):
        try:
            found.update(of(machine, server))
        except Unreadable as problem:
            problems.append(str(problem))
    for key in sorted(found):
        yield key, found[key]
    if problems:
        raise Unreadable("; ".join(problems))


def ask(
    command: list[str], text: str = "", *, owner: int | None = None, environment: Mapping[str, str] | None = None
) -> str:
    """Return what a client prints that is given ``text``.

    Args:
        command: The client and its arguments; no secret stands in them.
        text: Its standard input.
        owner: The number of the user to run it as; None for this one.
        environment: Variables besides those of the machine.

    Raises:
        Unreadable: It is not there, fails, or gives no answer within 20 s.
    """
    name = os.path.basename(command[0])
    try:
        done = subprocess.run(
            command,
            input=text.encode("utf-8", "surrogateescape"),
            capture_output=True,
            timeout=ANSWER_LIMIT,
            check=False,
            cwd="/",
            env={**_environment(), "LC_ALL": "C", **(environment or {})},
            # Nothing but this runs in the child before the client, and the probe has one thread.
            preexec_fn=None if owner is None or owner == os.geteuid() else lambda: _become(owner),
        )
    except FileNotFoundError:
        raise Unreadable(f"{name} is not on this machine") from None
    except subprocess.TimeoutExpired:
        raise Unreadable(f"{name} gave no answer within {ANSWER_LIMIT} s") from None
    except (OSError, subprocess.SubprocessError) as problem:
        raise Unreadable(f"{name} can't be run: {problem}") from None
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["nothing"]
        raise Unreadable(f"{name} failed with {done.returncode}: {said[0]}")
    return done.stdout.decode("utf-8", "surrogateescape")


def _environment() -> dict[str, str]:
    # Whoever captures may have settings for servers of their own.
    return {name: text for name, text in os.environ.items() if not name.startswith(("PG", "MYSQL_", "MARIADB_"))}


def _become(owner: int) -> None:
    import pwd  # noqa: PLC0415 - looks the groups up, for this alone

    account = pwd.getpwuid(owner)
    os.setgroups(os.getgrouplist(account.pw_name, account.pw_gid))
    os.setgid(account.pw_gid)
    os.setuid(owner)


def owner_of(path: str) -> int:
    """Return the number of the user that a socket belongs to.

    Raises:
        Unreadable: It is not there, or is none.
    """
    try:
        status = os.lstat(path)
    except OSError as problem:
        raise Unreadable(f"{path}: {problem.strerror}") from None
    if not stat.S_ISSOCK(status.st_mode):
        raise Unreadable(f"{path} is not a socket")
    return status.st_uid


def _namespace(process: str) -> str:
    return _link(f"/proc/{process}/ns/pid")


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as stream:
            return stream.read()
    except OSError:
        return ""


def _sockets_of(process: str) -> set[str]:
    found = set()
    folder = f"/proc/{process}/fd"
    for name in os.listdir(folder):
        kind = re.fullmatch(r"socket:\[(\d+)\]", _link(f"{folder}/{name}"))
        if kind:
            found.add(kind.group(1))
    return found


def _unix_sockets() -> dict[str, str]:
    found = {}
    for line in _text("/proc/net/unix").splitlines()[1:]:
        fields = line.split(None, 7)
        if len(fields) == 8 and fields[7].startswith("/") and int(fields[3], 16) & 0x10000:
            found[fields[6]] = fields[7]
    return found


def _tcp_ports() -> dict[str, tuple[str, int]]:
    found = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in _text(table).splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENS:
                address, _, port = fields[1].partition(":")
                found[fields[9]] = (hex_address(address), int(port, 16))
    return found
