"""Services that run what is no longer there: an older program, library, unit file or configuration.

What can't be told with certainty is left out. A file counts as changed by the time of its last modification, and a
configuration as read when the main process started or when systemd last finished a reload of the service.
"""

from __future__ import annotations

import os
import re
import stat
import time
from typing import TYPE_CHECKING, NamedTuple

from labrig.state.probe.text import written

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from labrig.state.probe.machine import Machine, Value

# Programs that notice a changed configuration by themselves, that re-read it for every task, or that write it.
SELF_WATCHING = frozenset(
    {"accounts-daemon", "agetty", "anacron", "atd", "avahi-daemon", "cron", "crond", "cupsd", "dbus-broker-launch"}
    | {"dbus-daemon", "gitlab-runner", "ModemManager", "NetworkManager", "nmbd", "packagekitd", "polkitd", "smbd"}
    | {"snapd", "supervisor", "traefik", "udisksd", "winbindd"}
)
SELF_WATCHING_PREFIXES = ("systemd", "redis-sentinel")

# Programs that replace all of their processes when they are told to reload, by whatever way they are told.
REPLACE_CHILDREN = frozenset({"nginx", "apache2", "httpd", "haproxy"})
LEAVING = b"shutting down"

# Program to its configuration; a folder stands for what is in it. Other programs have /etc/NAME, by the name of
# the program or of the unit.
CONFIGURATION = {
    "sshd": ("/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d"),
    "mariadbd": ("/etc/mysql",),
    "mysqld": ("/etc/mysql",),
    "named": ("/etc/bind",),
    "chronyd": ("/etc/chrony/chrony.conf", "/etc/chrony/conf.d"),
    "rsyslogd": ("/etc/rsyslog.conf", "/etc/rsyslog.d"),
    "dnsmasq": ("/etc/dnsmasq.conf", "/etc/dnsmasq.d"),
    "master": ("/etc/postfix/main.cf", "/etc/postfix/master.cf"),
    "memcached": ("/etc/memcached.conf",),
    "dockerd": ("/etc/docker/daemon.json",),
    "containerd": ("/etc/containerd/config.toml",),
    "postgres": (),
    "redis-server": (),
    "redis-check-rdb": (),  # What redis-server is a link to.
    "systemd-journald": ("/etc/systemd/journald.conf", "/etc/systemd/journald.conf.d"),
    "systemd-logind": ("/etc/systemd/logind.conf", "/etc/systemd/logind.conf.d"),
    "systemd-resolved": ("/etc/systemd/resolved.conf", "/etc/systemd/resolved.conf.d"),
    "systemd-timesyncd": ("/etc/systemd/timesyncd.conf", "/etc/systemd/timesyncd.conf.d"),
}
# Further files that a program reads beside the one that its command line names.
BESIDE = {
    "postgres": ("pg_hba.conf", "pg_ident.conf", "conf.d"),
    "php-fpm": ("php.ini", "pool.d", "conf.d"),
}
# Folders of many programs, by whatever name a unit has.
SHARED = frozenset(
    {"alternatives", "apt", "cron.d", "default", "init.d", "network", "opt", "pam.d", "profile.d", "security", "skel"}
    | {"ssl", "sudoers.d", "sysctl.d", "systemd", "udev", "X11"}
)

SETTINGS_NAME = re.compile(r".+\.(conf|cfg|cnf|cf|ini|ya?ml|toml|json|xml|hcl|properties|rules|vcl|lua|local)|[^.]+")
SETTINGS_FOLDER = re.compile(r".+\.d|conf[^/]*|.+-(enabled|available)")
KEPT_COPY = re.compile(
    r".*(~|\.(dpkg-\w+|ucf-\w+|bak|orig|rej|swp|old|sample|example|default|md|txt|html?)|\.\d+)|\..*"
)

# Nobody's settings: what changes while a machine runs.
NO_SETTINGS = ("/run/", "/var/", "/tmp/", "/dev/", "/proc/", "/sys/")  # noqa: S108 - to leave out

# What a process may have mapped although it is in no directory any more.
NO_FILES = ("/memfd:", "/dev/", "/SYSV", "/[aio]", "/tmp/", "/var/tmp/", "/run/", "/anon_hugepage")  # noqa: S108
DELETED = " (deleted)"

# Where systemd's own hierarchy is: with version 1, with both, with version 2.
CGROUPS = ("/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup")

# In seconds. A process's start is known to 10 ms, a file's change to one tick of the kernel's clock.
ACCURACY = 0.05
# So long after it became active, a service that changes its state has been reloaded and is not still starting.
STARTED = 0.001

MOST_FILES = 2000
NAMED = 5


class Clock(NamedTuple):
    """One moment on three clocks, in seconds: since 1970, and since the start with and without sleep."""

    wall: float
    boot: float
    monotonic: float

    @classmethod
    def now(cls) -> Clock:
        """Return this moment."""
        return cls(time.time(), time.clock_gettime(time.CLOCK_BOOTTIME), time.monotonic())


def reasons(machine: Machine, unit: dict[str, str], clock: Clock) -> Value:
    """Return ``stale`` with why a service would be another one after a restart; nothing where it would not.

    ``unit`` are the properties of an active unit. Where the main process can't be looked at, ``unreadable`` says why.
    """
    if not unit.get("Id", "").endswith(".service") or unit.get("SubState") == "exited":
        return {}
    process = unit.get("MainPID") or "0"
    if process == "0":
        process = _oldest(unit.get("ControlGroup", ""), clock)
    if not process:
        return {}
    unit = {**unit, "MainPID": process}
    try:
        program = os.fsdecode(os.readlink(f"/proc/{process}/exe"))
        started = start(process, clock)
        found = [f"runs {path}, which is no longer there or another one by now" for path in _gone(process, program)]
    except (FileNotFoundError, ProcessLookupError):
        return {}  # It ended meanwhile.
    except OSError as problem:
        return {"unreadable": f"whether it runs what is there: {problem.strerror}"}
    name = _name(program)
    newer = changed(definition(unit), started)
    found += [f"{written(os.fsencode(path))} changed after it was started" for path in newer]
    if name in CONFIGURATION or not _watches(name, _stem(unit)):
        since = max(started, _reloaded(unit, process, name, clock))
        owner = os.stat(f"/proc/{process}").st_uid if os.path.exists(f"/proc/{process}") else 0
        newer = changed(configuration(machine, unit, name, owner), since)
        found += [f"{written(os.fsencode(path))} changed after it was read" for path in newer]
    if len(found) > NAMED:
        found[NAMED:] = [f"{len(found) - NAMED} more"]
    return {"stale": found} if found else {}


def _oldest(control_group: str, clock: Clock) -> str:
    """Return the oldest process of a unit: systemd knows no main process of one that an init script starts."""
    for top in CGROUPS if control_group else ():
        try:
            with open(f"{top}{control_group}/cgroup.procs", encoding="ascii") as stream:
                numbers = stream.read().split()
            return min(numbers, key=lambda number: (start(number, clock), int(number)), default="")
        except (OSError, ValueError):
            continue
    return ""


def _watches(name: str, stem: str) -> bool:
    return not SELF_WATCHING.isdisjoint({name, stem}) or name.startswith(SELF_WATCHING_PREFIXES)


def _stem(unit: dict[str, str]) -> str:
    return unit.get("Id", "").rpartition(".")[0].partition("@")[0]


def start(process: str, clock: Clock) -> float:
    """Return when a process started, in seconds since 1970."""
    with open(f"/proc/{process}/stat", "rb") as stream:
        fields = stream.read().rpartition(b")")[2].split()
    return clock.wall - clock.boot + int(fields[19]) / os.sysconf("SC_CLK_TCK")


def _name(program: str) -> str:
    name = os.path.basename(program.partition(DELETED)[0])
    return re.sub(r"-?\d+(\.\d+)*$", "", name) or name  # php-fpm8.2


def _gone(process: str, program: str) -> list[str]:
    found = {program} if program.endswith(DELETED) and not program.startswith(NO_FILES) else set()
    with open(f"/proc/{process}/maps", encoding="utf-8", errors="surrogateescape") as stream:
        for line in stream:
            fields = line.rstrip("\n").split(None, 5)
            if len(fields) == 6 and "x" in fields[1] and fields[5].endswith(DELETED):
                found.add(fields[5])
    return sorted(
        written(os.fsencode(path[: -len(DELETED)]))
        for path in found
        if path.startswith("/") and not path.startswith(NO_FILES)
    )


def _reloaded(unit: dict[str, str], process: str, name: str, clock: Clock) -> float:
    """Return when the service was last reloaded, in seconds since 1970; 0 if it never was or nobody knows.

    systemd forgets when it ran ``ExecReload`` as soon as it reads its own files again, but not when the service
    last changed its state: after the start only a reload does that.
    """
    last = 0.0
    changed_state, active = (
        int(unit.get(f"{what}TimestampMonotonic") or 0) / 1e6 for what in ("StateChange", "ActiveEnter")
    )
    if changed_state > active + STARTED and unit.get("ReloadResult", "success") == "success":
        last = clock.wall - clock.monotonic + changed_state
    if name in REPLACE_CHILDREN:
        ages = [start(child, clock) for child in _children(process)]
        last = max(last, min(ages, default=0.0))
    return last


def _children(process: str) -> Iterator[str]:
    try:
        with open(f"/proc/{process}/task/{process}/children", encoding="ascii") as stream:
            numbers = stream.read().split()
    except OSError:
        return
    for number in numbers:
        try:
            with open(f"/proc/{number}/cmdline", "rb") as stream:
                if LEAVING not in stream.read():
                    yield number
        except OSError:
            continue


def definition(unit: dict[str, str]) -> Iterator[str]:
    """Yield the files of a unit that are read with a start and never with a reload."""
    for path in [unit.get("FragmentPath", ""), unit.get("SourcePath", ""), *unit.get("DropInPaths", "").split()]:
        # systemd's generators write anew with each of its reloads.
        if path and not path.startswith(("/run/", "/proc/")):
            yield path
    for line in unit.get("EnvironmentFiles", "").splitlines():
        path = line.partition(" (ignore_errors=")[0]
        if path.startswith("/") and not path.startswith("/run/"):
            yield path
    if unit.get("SourcePath", "").startswith("/etc/init.d/"):
        yield "/etc/default/" + os.path.basename(unit["SourcePath"])


def configuration(machine: Machine, unit: dict[str, str], name: str, owner: int) -> Iterator[str]:
    """Yield the files that a service read when it started or was reloaded.

    Those named on its command line; and those of its own folder below /etc, as long as the service can't write them.
    """
    words = dict.fromkeys([*command_words(unit.get("ExecStart", "")), *_title_words(unit.get("MainPID", "0"))])
    program = os.path.realpath(f"/proc/{unit.get('MainPID', '0')}/exe").partition(DELETED)[0]
    inside = unit.get("WorkingDirectory", "").lstrip("!-~")
    for word in words:
        path = word if word.startswith("/") else f"{inside}/{word}" if inside.startswith("/") else ""
        if not path or path.startswith(NO_SETTINGS) or not machine.is_local(os.fsencode(path)):
            continue
        if os.path.isfile(path) and os.path.realpath(path) != program:
            yield path
            for other in BESIDE.get(name, ()):
                yield from _settings(f"{os.path.dirname(path)}/{other}", machine, None)
        elif path.startswith("/etc/") and os.path.isdir(path):
            yield from _settings(path, machine, None)
    own = sorted(f"/etc/{folder}" for folder in {name, _stem(unit)}.difference(SHARED) if folder)
    for folder in CONFIGURATION.get(name, own):
        yield from _settings(folder, machine, owner)


def command_words(exec_start: str) -> list[str]:
    """Return the words after the program in what systemd shows of ExecStart; of ``--option=VALUE`` the value."""
    words: list[str] = []
    for line in exec_start.splitlines():
        found = re.search(r"argv\[\]=(.*?) ; ignore_errors=", line)
        words += found.group(1).split()[1:] if found else []
    return _values(words)


def _title_words(process: str) -> list[str]:
    # What systemd shows holds variables as they are written; what the process says of itself has their values.
    try:
        with open(f"/proc/{process}/cmdline", "rb") as stream:
            return _values(os.fsdecode(stream.read().replace(b"\0", b" ")).split()[1:])
    except OSError:
        return []


def _values(words: Iterable[str]) -> list[str]:
    """Return the words that may be names of files: of ``--option=VALUE`` and ``option=/VALUE`` the value."""
    values = [word.partition("=")[2] if "=" in word and (word[0] == "-" or "=/" in word) else word for word in words]
    return [value for value in values if value and not value.startswith("-")]


def _settings(top: str, machine: Machine, owner: int | None) -> Iterator[str]:
    """Yield a file, or the settings in a folder and the folders that hold nothing else."""
    if os.path.isfile(top):
        yield top
        return
    if not machine.is_local(os.fsencode(top)):
        return
    count = 0
    for folder, folders, files in os.walk(top):
        enabled = {inner.replace("-enabled", "-available") for inner in folders if inner.endswith("-enabled")}
        folders[:] = sorted(inner for inner in folders if inner not in enabled and not KEPT_COPY.fullmatch(inner))
        if SETTINGS_FOLDER.fullmatch(os.path.basename(folder)) and _fixed(folder, owner):
            yield folder  # A file taken away shows only here.
        for name in sorted(files):
            count += 1
            if count > MOST_FILES:
                return
            settings = SETTINGS_NAME.fullmatch(name) or SETTINGS_FOLDER.fullmatch(os.path.basename(folder))
            if settings and not KEPT_COPY.fullmatch(name) and _fixed(f"{folder}/{name}", owner):
                yield f"{folder}/{name}"


def _fixed(path: str, owner: int | None) -> bool:
    """Whether the service did not write it itself, as far as owners tell; ``owner`` runs the service."""
    try:
        return owner in (None, 0) or os.lstat(path).st_uid != owner
    except OSError:
        return False


def changed(paths: Iterable[str], since: float) -> list[str]:
    """Return those of the paths that were modified after a moment, each once, in their order."""
    found: dict[str, None] = {}
    for path in paths:
        try:
            newest = os.lstat(path).st_mtime
            if stat.S_ISLNK(os.lstat(path).st_mode):
                newest = max(newest, os.stat(path).st_mtime)
        except OSError:
            continue
        if newest > since + ACCURACY:
            found[path] = None
    return list(found)
