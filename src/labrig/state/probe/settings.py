"""Settings of the machine as a whole: name, time zone, locale, default target, modules, limits, kernel values."""

from __future__ import annotations

import contextlib
import fnmatch
import os
import re
import socket
from typing import TYPE_CHECKING

from labrig.state.probe.text import written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labrig.state.probe.machine import Entries, Machine, Value

# In systemd's order: of two files with one name, the one in the first of these folders holds.
FOLDERS = ("/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib")

SYS = "/proc/sys/"

# Live values that belong to the machine itself also where it is a container: network, System V and message queues.
OWN_TREES = ("net", "fs/mqueue")
OWN_VALUES = re.compile(r"kernel/(domainname|msg(max|mnb|mni)|sem|shm(all|max|mni|_rmid_forced))")

# Live values that change by themselves, follow the size of memory, or belong to one interface that comes and goes.
PASSING_VALUES = re.compile(
    r"net/ipv[46]/(conf|neigh)/(?!(all|default|lo|eth\d+|en\w+)/).+"
    r"|net/.+/(flush|tcp_fastopen_key|stable_secret|nf_conntrack_(count|buckets|max|expect_max))"
    r"|net/ipv4/(tcp_mem|tcp_max_orphans|udp_mem)"
    r"|net/netfilter/nf_log(/.+|_all_netns)|net/core/(flow_limit_cpu_bitmap|rps_default_mask|netdev_rss_key)"
)
# They change by themselves, whatever was configured.
COUNTERS = re.compile(
    r"kernel/(random/.+|ns_last_pid|pty/nr|tainted)|fs/(dentry-state|file-nr|inode-nr|inode-state|aio-nr|quota/.+)"
)


def read(machine: Machine) -> Entries:
    """Yield ``time zone``, ``locale NAME``, ``default target``, ``module NAME``, ``limit WHO KIND ITEM`` and so on."""
    found: dict[str, Value] = {}
    found.update(_names(machine))
    found.update(_locale(machine))
    found.update(_modules(machine))
    found.update(_limits(machine))
    for key in sorted(found):
        yield written(os.fsencode(key)), found[key]


def _names(machine: Machine) -> Iterator[tuple[str, Value]]:
    configured = machine.text("/etc/hostname").strip()
    host: Value = {"configured": configured}
    if machine.live and socket.gethostname() != configured:
        host["live"] = socket.gethostname()
    yield "host name", host
    zone = machine.link("/etc/localtime")
    name = zone.partition("/zoneinfo/")[2] or machine.text("/etc/timezone").strip() or "UTC"
    yield "time zone", {"configured": name}
    for folder in ("/etc", "/run", "/usr/local/lib", "/lib", "/usr/lib"):
        target = machine.link(f"{folder}/systemd/system/default.target")
        if target:
            yield "default target", {"configured": os.path.basename(target)}
            break


def _locale(machine: Machine) -> Iterator[tuple[str, Value]]:
    paths = ("/etc/default/locale", "/etc/locale.conf")
    for name, value in assignments("\n".join(machine.text(path) for path in paths)).items():
        yield f"locale {name}", {"configured": value}
    keymap = assignments(machine.text("/etc/default/keyboard") + "\n" + machine.text("/etc/vconsole.conf"))
    for name, value in keymap.items():
        yield f"keyboard {name}", {"configured": value}
    for line in statements(machine.text("/etc/locale.gen")):
        yield f"locale generated {line}", {}


def assignments(text: str) -> dict[str, str]:
    """Return the ``NAME=value`` lines of a shell-like file, quotes removed."""
    found = {}
    for line in statements(text):
        name, separator, value = line.partition("=")
        if separator:
            found[name.strip()] = value.strip().strip("\"'")
    return found


def statements(text: str) -> list[str]:
    """Return the lines that are neither empty nor comments, white space as one blank."""
    lines = (" ".join(line.split()) for line in text.splitlines())
    return [line for line in lines if line and line[0] not in "#;"]


def _modules(machine: Machine) -> Iterator[tuple[str, Value]]:
    texts = [machine.text("/etc/modules"), *(text for _, text in files(machine, "modules-load.d"))]
    for line in statements("\n".join(texts)):
        name, _, parameters = line.partition(" ")
        yield f"module {name.replace('-', '_')}", {"load": True, **({"parameters": parameters} if parameters else {})}
    for _, text in files(machine, "modprobe.d", FOLDERS):
        for line in statements(text.replace("\\\n", " ")):
            word, _, rest = line.partition(" ")
            if word in ("blacklist", "options", "install", "alias", "softdep", "remove"):
                yield f"modprobe {word} {rest}", {}


def _limits(machine: Machine) -> Iterator[tuple[str, Value]]:
    folder = "/etc/security/limits.d"
    paths = ["/etc/security/limits.conf"]
    paths += [f"{folder}/{name}" for name in machine.names(folder) if name.endswith(".conf")]
    for path in paths:
        for line in statements(machine.text(path)):
            words = line.split("#")[0].split()
            if len(words) == 4:
                kinds = ("soft", "hard") if words[1] == "-" else (words[1],)
                for kind in kinds:
                    yield f"limit {words[0]} {kind} {words[2]}", {"configured": words[3]}


def files(machine: Machine, name: str, folders: tuple[str, ...] = FOLDERS) -> list[tuple[str, str]]:
    """Return path and content of a configuration's drop-ins in systemd's order, links to /dev/null left out."""
    found: dict[str, str] = {}
    for folder in folders:
        for entry in machine.names(f"{folder}/{name}"):
            if entry.endswith(".conf"):
                found.setdefault(entry, f"{folder}/{name}/{entry}")
    texts = []
    for entry in sorted(found):
        try:
            texts.append((found[entry], machine.text(found[entry])))
        except OSError:
            continue  # A link to /dev/null hides the file.
    return texts


def sysctl(machine: Machine) -> Entries:
    """Yield each kernel setting that is configured or is the machine's own, with both values where both are known.

    ``applied`` says whether the live value is the configured one.
    """
    known = _settings() if machine.live else []
    configured = configured_values([*files(machine, "sysctl.d"), ("", machine.text("/etc/sysctl.conf"))], known)
    found: dict[str, Value] = {}
    for key, value in configured.items():
        found[key] = {"configured": value, **(_applied(key, value) if machine.live else {})}
    for key in known:
        if key not in found and is_own(key):
            with contextlib.suppress(OSError):  # It can only be written, or went away with its interface.
                found[key] = {"live": _live(key)}
    for key in sorted(found):
        yield dotted(key), found[key]


def _applied(key: str, value: str) -> Value:
    """Return whether the live value is what was configured; it is told where it is not."""
    if COUNTERS.fullmatch(key):
        return {}
    try:
        live = _live(key)
    except FileNotFoundError:
        return {"applied": False}  # This kernel has no such setting, or its module is not loaded.
    except OSError as problem:
        return {"unreadable": f"its live value: {problem.strerror}"}
    return {"applied": True} if live == value else {"applied": False, "live": live}


def is_own(key: str) -> bool:
    """Whether a live value is the machine's own and stays as it is set."""
    own = key.startswith(tuple(tree + "/" for tree in OWN_TREES)) or OWN_VALUES.fullmatch(key)
    return bool(own) and not PASSING_VALUES.fullmatch(key)


def dotted(path: str) -> str:
    """Return the path below /proc/sys as sysctl writes it: a dot in a name becomes a slash."""
    return path.replace(".", "\0").replace("/", ".").replace("\0", "/")


def slashed(key: str) -> str:
    """Return the path below /proc/sys; whichever of dot and slash comes first separates."""
    first = re.search(r"[./]", key)
    if first is None or first.group() == "/":
        return key
    return key.replace("/", "\0").replace(".", "/").replace("\0", ".")


def configured_values(texts: list[tuple[str, str]], known: list[str]) -> dict[str, str]:
    """Return path below /proc/sys to value: the last line that names it holds, and none that says ``-key`` alone.

    A name with ``*`` stands for the known settings that it fits and that no other line names.
    """
    exact: dict[str, str] = {}
    patterns: dict[str, str] = {}
    left_out: set[str] = set()
    for _, text in texts:
        for line in statements(text):
            name, separator, value = line.partition("=")
            path = slashed(name.strip().lstrip("-").strip())
            if not separator:
                left_out.update({path} if name.startswith("-") else ())
                continue
            target = patterns if any(letter in path for letter in "*?[") else exact
            target[path] = " ".join(value.split())
    for pattern, value in patterns.items():
        for path in known:
            # A star is one name: it does not go down into a folder.
            fits = path.count("/") == pattern.count("/") and fnmatch.fnmatchcase(path, pattern)
            if fits and path not in exact and path not in left_out:
                exact[path] = value
    return exact


def _settings() -> list[str]:
    """Return the paths below /proc/sys that can be set."""
    found = []
    for folder, folders, names in os.walk(SYS):
        folders.sort()
        for name in sorted(names):
            path = f"{folder}/{name}".replace("//", "/")
            try:
                if os.stat(path).st_mode & 0o200:
                    found.append(path[len(SYS) :])
            except OSError:
                continue
    return found


def _live(key: str) -> str:
    with open(SYS + key, encoding="utf-8", errors="surrogateescape") as stream:
        return written(os.fsencode(" ".join(stream.read().split())))
