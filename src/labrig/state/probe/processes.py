"""Processes that last: those of services, and what has been left running outside of any, by unit, user and command."""

from __future__ import annotations

import hashlib
import os
import re
import time
from typing import TYPE_CHECKING, NamedTuple

from labrig.state.probe.machine import Unreadable
from labrig.state.probe.sockets import cgroup, machine_cgroup, unit_of
from labrig.state.probe.text import without_secrets, written
from labrig.state.probe.units import SESSION, again_and_again, paragraphs, show

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from labrig.state.probe.machine import Entries, Machine, Value

# Agents that whatever needs one starts for itself, and that end some time later.
PASSING = frozenset({"gpg-agent", "dirmngr", "ssh-agent", "dbus-launch", "keyboxd", "scdaemon"})

# Programs that start and end helpers under other users as work comes in: their users are chance.
ON_DEMAND = re.compile(r"php-fpm.*|sshd.*|cron|atd|systemd-.*|\(sd-pam\)")

# Units that start when they are asked something, and end when nobody has asked for a while.
ON_CALL = frozenset(
    {"systemd-hostnamed.service", "systemd-localed.service", "systemd-timedated.service"}
    | {"packagekit.service", "fwupd.service"}
)

# Programs that start other programs as work comes in: what they have started is chance.
SPAWNERS = frozenset({"master", "dovecot", "inetd", "xinetd", "cron", "crond", "atd", "sshd", "gitlab-runner"})

# What an engine starts for each published port, with the address that a container happens to have; which ports those
# are is told with the container and with the sockets.
RELAYS = frozenset({"docker-proxy", "rootlessport"})

# A container on this machine: what runs there is its own affair.
CONTAINER = re.compile(r"(^|/)(docker|libpod|lxc|crio|kubepods|machine\.slice|buildkit)([/.-]|$)(?!service)")

# systemd-run makes up a name.
MADE_UP = re.compile(r"run-[a-z]?[0-9a-f-]+\.service")

LONGEST = 500

NUMBER = re.compile(r"(?<![\w.])\d+(?![\w.])")
IDENTITY = re.compile(
    r"(?<![0-9A-Za-z])([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?=[0-9a-f]*[a-f])(?=[0-9a-f]*[0-9])[0-9a-f]{12,})(?![0-9A-Za-z])"
)
# What sshd tells of the connections that are being made.
STARTUPS = re.compile(r" \d+ of \d+-\d+ startups$")


class Process(NamedTuple):
    """One process: numbers as text, the user by name, ``program`` empty if it could not be looked at."""

    number: str
    parent: str
    unit: str
    user: str
    program: str
    command: str
    problem: str = ""


def read(machine: Machine) -> Entries:
    """Yield ``UNIT USER COMMAND`` with the program and, where they are always there, the users of its workers."""
    if not machine.live:
        raise Unreadable("only a running machine has processes")
    try:
        passing = ON_CALL | {
            unit.get("Id", "")
            for unit in paragraphs(show(machine))
            if unit.get("Type") == "oneshot"
            or unit.get("ActiveState") not in ("active", "reloading")
            or again_and_again(unit, time.monotonic())
        }
    except Unreadable:
        passing = ON_CALL  # It runs without systemd: its processes last or do not, nobody knows.
    lingering = set(machine.names("/var/lib/systemd/linger"))
    found = [process for process in _all(machine) if _owned(process.unit, machine, lingering)]
    yield from sorted(lasting(found, passing).items())


def lasting(found: list[Process], passing: AbstractSet[str]) -> dict[str, Value]:
    """Return the processes that do not come and go with the work.

    What a process forks of itself are workers: as many as there is work, and what they start ends with it. What it
    starts as another program lasts, but for that of ``SPAWNERS``. ``passing`` are units whose processes end soon.
    """
    by_number = {process.number: process for process in found}
    values: dict[str, Value] = {}
    for process in found:
        if process.unit in passing or _name(process) in RELAYS or _is_worker(process, by_number):
            continue
        if process.unit in ("", "session.scope") and (process.parent != "1" or _name(process) in PASSING):
            continue
        key = f"{process.unit or 'no unit'} {process.user} {process.command}"
        value = values.setdefault(key, {"program": process.program})
        if process.problem:
            value["unreadable"] = process.problem
        workers = {
            child.user
            for child in found
            if child.parent == process.number and child.program == process.program and child.unit == process.unit
        }
        if workers and not ON_DEMAND.fullmatch(_name(process)):
            value["workers"] = sorted(workers.union(value.get("workers", ())))
    return values


def _is_worker(process: Process, by_number: dict[str, Process]) -> bool:
    seen = set()
    while process.number not in seen:
        seen.add(process.number)
        parent = by_number.get(process.parent)
        if parent is None or parent.unit != process.unit:
            return False
        if (parent.program == process.program and process.program) or _name(parent) in SPAWNERS:
            return True
        process = parent
    return False


def _name(process: Process) -> str:
    return os.path.basename(process.program or process.command.partition(" ")[0])


def _owned(unit: str, machine: Machine, lingering: set[str]) -> bool:
    session = SESSION.fullmatch(unit.partition("/")[0])
    return session is None or machine.owner(int(session.group(2))) in lingering


def _all(machine: Machine) -> list[Process]:
    """Return all processes but those of the kernel, of systemd itself and of containers on this machine."""
    prefix = machine_cgroup()
    found = []
    numbers = [name for name in os.listdir("/proc") if name.isdigit()]
    for number in numbers:
        try:
            unit = _lasting_unit(cgroup(number)[len(prefix) :])
            with open(f"/proc/{number}/cmdline", "rb") as stream:
                words = stream.read().rstrip(b"\0 ").split(b"\0")
            if words == [b""] or number == "1" or unit is None:
                continue
            with open(f"/proc/{number}/stat", "rb") as stream:
                parent = stream.read().rpartition(b")")[2].split()[1].decode()
            user = machine.owner(os.stat(f"/proc/{number}").st_uid)
        except OSError:
            continue  # It ended meanwhile.
        program, problem = "", ""
        try:
            program = written(os.fsencode(os.readlink(f"/proc/{number}/exe").partition(" (deleted)")[0]))
        except (FileNotFoundError, ProcessLookupError):
            continue
        except OSError as unreadable:
            problem = f"its program: {unreadable.strerror}"
        command = canonical(machine.own_text(b" ".join(words)), {number, parent}.difference({"1", "0"}))
        found.append(Process(number, parent, unit, user, program, command, problem))
    return found


def _lasting_unit(path: str) -> str | None:
    """Return the unit of a cgroup, None for one whose processes come and go."""
    unit = unit_of(path)
    if CONTAINER.search(path) or (unit.endswith(".scope") and unit != "session.scope"):
        return None
    if not unit and path.strip("/"):
        return None
    return MADE_UP.sub("run-<id>.service", unit)


def canonical(command: bytes, numbers: set[str]) -> str:
    """Return a command line without process numbers, identifiers and secrets, and of bounded length."""
    text = written(command)
    text = NUMBER.sub(lambda digits: "<pid>" if digits.group() in numbers else digits.group(), text)
    text = STARTUPS.sub("", without_secrets(IDENTITY.sub("<id>", text)))
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]}... {hashlib.sha256(text.encode('utf-8', 'surrogateescape')).hexdigest()[:12]}"
