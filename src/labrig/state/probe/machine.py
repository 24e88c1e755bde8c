"""The machine as the probe sees it: its root, its mounts, its names for owners, its own addresses."""

from __future__ import annotations

import errno
import hashlib
import hmac
import os
import platform
import re
import socket
import stat
import struct
import subprocess
from typing import TYPE_CHECKING

from labrig.state.probe.memory import Memory
from labrig.state.probe.mounts import LAYERED, below, left_out, mounts, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    Value = dict[str, Any]
    Entries = Iterator[tuple[str, Value]]

# O_NONBLOCK: what was a file a moment ago may be a fifo now, and opening that would wait for ever.
OPEN_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

# What Docker, Podman and systemd put into a container to tell that it is one.
CONTAINER_MARKS = ("/.dockerenv", "/run/.containerenv", "/run/systemd/container")

# systemd gives DynamicUser= services a number from this range, another one on each machine.
DYNAMIC_IDS = range(61184, 65520)

# In seconds; a query that takes longer has met a service that hangs.
QUERY_LIMIT = 60

SETTINGS_LIMIT = 64 << 20


class Unreadable(Exception):
    """A dimension can't be read on this machine; the message is the reason."""


class Machine:
    """One machine, as the request describes it.

    Attributes:
        root: Bytes to put before an absolute path; empty for the running machine itself.
        live: Whether ``root`` is the running machine, so that its processes and units can be asked.
        only: Absolute paths; files outside of them are not read. Empty for all.
        mounts: Mount point to mount, for the root and everything mounted below it.
        mounts_unread: Why the mounts are not known; empty if they are.
        in_container: Whether it is a container that runs.
        left_out: The mount points whose files are not the machine's own.
        rpm_files: What rpm tells of its files, kept from one question to the next.
        noticed: What the last walk noticed by the way, see ``labrig.state.probe.files``.
        described: Folder to the dimension that tells by meaning what its files hold; filled by those dimensions.
        memory: What an earlier look read of files; None where that was not asked for.
    """

    def __init__(self, request: Mapping[str, Any], memory: str = "") -> None:
        self.root = os.fsencode(str(request.get("root", "/"))).rstrip(b"/")
        self.live = not self.root
        self.only = [os.fsencode(path).rstrip(b"/") or b"/" for path in request.get("only", ())]
        self.mounts_unread = ""
        try:
            self.mounts = mounts(_mountinfo(), self.root)
        except OSError as problem:
            self.mounts = {}
            self.mounts_unread = f"/proc/self/mountinfo: {problem.strerror}"
        self.in_container = self.live and (
            (b"/" in self.mounts and self.mounts[b"/"].type in LAYERED) or any(map(os.path.exists, CONTAINER_MARKS))
        )
        configured = [fields[1] for fields in self.fstab()]
        self.left_out = left_out(self.mounts, configured, in_container=self.in_container)
        self.noticed: Any = None
        self.rpm_files: list[tuple[str, str, bytes]] | None = None
        own = own_addresses() if self.live else []
        self.addresses = dict.fromkeys([*own, *request.get("self", ())], "<self>")
        self.addresses.update((address, f"<peer {name}>") for address, name in request.get("peers", {}).items())
        self._address_bytes = [address.encode() for address in self.addresses]
        self._address_pattern = address_pattern(self.addresses)
        self.described: dict[bytes, str] = {}
        self.memory = None
        if self.live and "remember" in request:
            self.memory = Memory(memory, self.addresses, request["remember"])
        self._key = str(request.get("key", "")).encode()
        self.users = self._names("/etc/passwd")
        self.groups = self._names("/etc/group")
        self._answers: dict[tuple[str, ...], str] = {}

    def read(self, path: str) -> bytes:
        """Return the content of a settings file below the root; refuses what is not a regular file below 64 MiB."""
        full = self.root + path.encode()
        descriptor = os.open(full, OPEN_FLAGS & ~os.O_NOFOLLOW)
        with open(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(errno.EINVAL, "is not a regular file", path)
            return stream.read(SETTINGS_LIMIT)

    def text(self, path: str) -> str:
        """Return the content of a settings file as text, empty where there is none."""
        try:
            return self.read(path).decode("utf-8", "surrogateescape")
        except FileNotFoundError:
            return ""

    def names(self, path: str) -> list[str]:
        """Return the names in a directory below the root, sorted; none if there is no such directory."""
        try:
            return sorted(os.fsdecode(name) for name in os.listdir(self.root + os.fsencode(path)))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def link(self, path: str) -> str:
        """Return the target of a link below the root, empty where there is no link."""
        try:
            return os.fsdecode(os.readlink(self.root + os.fsencode(path)))
        except OSError as problem:
            if problem.errno in (errno.ENOENT, errno.ENOTDIR, errno.EINVAL):
                return ""
            raise

    def owner(self, uid: int) -> str:
        """Return the user's name, ``#UID`` for a number without one."""
        return _named(self.users, uid)

    def group(self, gid: int) -> str:
        """Return the group's name, ``#GID`` for a number without one."""
        return _named(self.groups, gid)

    def is_local(self, path: bytes) -> bool:
        """Whether looking at a path can't hang: it is the machine's own or in memory."""
        return not below(path, (point for point in self.left_out if self.mounts[point].type != "tmpfs"))

    def fstab(self) -> list[list[bytes]]:
        """Return the entries of /etc/fstab, six fields each, octal escapes undone; those that are none are left out."""
        try:
            lines = self.text("/etc/fstab").encode("utf-8", "surrogateescape").splitlines()
        except OSError:
            return []
        entries = []
        for line in lines:
            fields = [plain(field) for field in line.split()]
            if len(fields) > 1 and not fields[0].startswith(b"#"):
                if fields[1].startswith(b"/"):
                    fields[1] = os.path.normpath(fields[1])
                entries.append((fields + [b"auto", b"defaults", b"0", b"0"][max(0, len(fields) - 2) :])[:6])
        return entries

    def own_text(self, content: bytes) -> bytes:
        """Return ``content`` with the machine's own addresses as ``<self>`` if it is text, else as it is."""
        if not any(address in content for address in self._address_bytes) or b"\0" in content:
            return content
        return self._address_pattern.sub(lambda found: self.addresses[found.group().decode()].encode(), content)

    def fingerprint(self, secret: str) -> Value:
        """Return ``{"fingerprint": ...}`` that tells two secrets apart, and nothing without a key in the request.

        Whoever asks makes the key at random and keeps it to itself, so that nobody can try guesses on a fingerprint.
        """
        if not self._key:
            return {}
        return {
            "fingerprint": hmac.new(self._key, secret.encode("utf-8", "surrogateescape"), "sha256").hexdigest()[:12]
        }

    def query(self, *command: str) -> str:
        """Return what a command prints; asked again, what it printed the first time.

        Raises:
            Unreadable: It is not there, fails, or takes more than a minute.
        """
        if not self.live:
            raise Unreadable(f"only a running machine can be asked with {command[0]}")
        if command not in self._answers:
            self._answers[command] = self._answer(command)
        return self._answers[command]

    def _answer(self, command: tuple[str, ...]) -> str:
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=QUERY_LIMIT,
                check=False,
                env={**os.environ, "LC_ALL": "C", "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": ""},
            )
        except FileNotFoundError:
            raise Unreadable(f"{command[0]} is not on this machine") from None
        except subprocess.TimeoutExpired:
            raise Unreadable(f"{command[0]} gave no answer within {QUERY_LIMIT} s") from None
        if done.returncode != 0:
            problem = done.stderr.decode("utf-8", "replace").strip().splitlines()
            said = problem[-1] if problem else "nothing"
            raise Unreadable(f"{command[0]} failed with {done.returncode}: {said}")
        return done.stdout.decode("utf-8", "surrogateescape")

    def _names(self, path: str) -> dict[int, str]:
        # Read here and not through NSS: a directory service that is down would make every look-up wait.
        names: dict[int, str] = {}
        for line in self.text(path).splitlines():
            fields = line.split(":")
            if len(fields) > 2 and fields[2].isdigit():
                names.setdefault(int(fields[2]), fields[0])
        return names


def _named(names: Mapping[int, str], number: int) -> str:
    name = names.get(number)
    if name is not None:
        return name
    return "#dynamic" if number in DYNAMIC_IDS else f"#{number}"


def _mountinfo() -> list[bytes]:
    with open("/proc/self/mountinfo", "rb") as stream:
        return stream.read().splitlines()


def own_addresses() -> list[str]:
    """Return the addresses of this machine, loopback left out."""
    found = set()
    previous = ""
    for line in _lines("/proc/net/fib_trie"):
        words = line.split()
        if words[:1] == ["/32"] and words[1:] == ["host", "LOCAL"] and not previous.startswith("127."):
            found.add(previous)
        previous = words[-1] if words else ""
    for line in _lines("/proc/net/if_inet6"):
        address = socket.inet_ntop(socket.AF_INET6, bytes.fromhex(line.split()[0]))
        if address != "::1":
            found.add(address)
    return sorted(found)


def address_pattern(addresses: Mapping[str, str]) -> re.Pattern[bytes]:
    """Return a pattern of bytes that finds any of the addresses as a whole: 10.0.0.3, but not in 10.0.0.30."""
    longest_first = sorted(addresses, key=len, reverse=True)
    return re.compile(b"|".join(_whole(address) for address in longest_first))


def _whole(address: str) -> bytes:
    if ":" in address:
        return rb"(?<![0-9A-Fa-f:.])%s(?!:?[0-9A-Fa-f]|::)" % re.escape(address.encode())
    return rb"(?<![0-9])(?<![0-9]\.)%s(?!\.?[0-9])" % re.escape(address.encode())


def hex_address(digits: str) -> str:
    """Return an address of /proc/net in its usual form; there it is 32-bit words in the machine's byte order."""
    words = [int(digits[start : start + 8], 16) for start in range(0, len(digits), 8)]
    raw = struct.pack(f"={len(words)}I", *words)
    return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw)


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="ascii", errors="replace") as stream:
            return stream.read().splitlines()
    except OSError:
        return []


def description(machine: Machine) -> Value:
    """Return what the header says of the machine."""
    release = dict(line.split("=", 1) for line in machine.text("/etc/os-release").splitlines() if "=" in line)
    return {
        "hostname": socket.gethostname() if machine.live else machine.text("/etc/hostname").strip(),
        "machine": _fingerprint(machine),
        "system": release.get("PRETTY_NAME", "").strip('"'),
        "python": platform.python_version(),
        "root": os.geteuid() == 0,
        "self": sorted(address for address, name in machine.addresses.items() if name == "<self>"),
        "left_out": {os.fsdecode(point): machine.mounts[point].type for point in sorted(machine.left_out)},
    }


def _fingerprint(machine: Machine) -> str:
    # The id itself is not for strangers, as machine-id(5) says; this tells whether two are the same.
    try:
        found = machine.text("/etc/machine-id").strip()
    except OSError:
        return ""
    return hashlib.sha256(b"labrig " + found.encode()).hexdigest()[:16] if found else ""
