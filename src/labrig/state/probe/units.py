"""systemd's units: which are enabled, which run, which failed, what they say, and which run what is no longer there."""

from __future__ import annotations

import hashlib
import os
import re
from typing import TYPE_CHECKING

from labrig.state.probe.stale import Clock, reasons
from labrig.state.probe.text import written

if TYPE_CHECKING:
    from collections.abc import Iterable

    from labrig.state.probe.machine import Entries, Machine, Value

# Devices and slices follow the hardware and the processes, scopes are made and taken away by whoever logs in
# or starts a container: none of them is set up by anybody, and all come and go.
PASSING_TYPES = (".device", ".scope", ".slice")

# What systemd keeps for a user who is logged in; it stays only for one who lingers.
SESSION = re.compile(r"user(-runtime-dir)?@(\d+)\.service")
LINGERING = "/var/lib/systemd/linger"

PROPERTIES = (
    "Id,LoadState,ActiveState,SubState,UnitFileState,Type,NeedDaemonReload,Result,ReloadResult,ExecMainStatus,"
    "NRestarts,Unit,TimersCalendar,TimersMonotonic,FragmentPath,SourcePath,DropInPaths,EnvironmentFiles,"
    "WorkingDirectory,ControlGroup,MainPID,ExecStart,ExecReload,ActiveEnterTimestampMonotonic,StateChangeTimestampMonotonic"
)

# systemd starts a service again and again: so often, and the last time no longer ago than so many seconds.
OFTEN = 3
LATELY = 60.0

# Besides the folders of units, whether one is enabled and should be follows from these; see systemd.preset(5).
PRESETS = tuple(f"{folder}/systemd/system-preset" for folder in ("/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib"))

# One property, several lines.
REPEATED = frozenset({"TimersCalendar", "TimersMonotonic", "EnvironmentFiles", "ExecStart"})


def read(machine: Machine) -> Entries:
    """Yield every unit that has a file, and units made otherwise as long as they are active or failed."""
    shown = show(machine)
    folders = machine.query("systemctl", "show", "--property", "UnitPath", "--value", "--no-pager").split()
    listed = _listed(machine, folders)
    clock = Clock.now()
    found = units(listed, shown, clock.monotonic)
    lingering = _lingering(machine)
    loaded = {unit.get("Id", ""): unit for unit in paragraphs(shown)}
    for name in sorted(found):
        session = SESSION.fullmatch(name)
        if session and machine.owner(int(session.group(2))) not in lingering:
            continue
        value = found[name]
        # Which units that do not run systemd holds in memory is chance.
        unit = loaded.get(name, {}) if value.get("active") == "active" else {}
        if value["enabled"] != "alias":
            value.update(says(machine, name, folders, unit))
        if unit:
            value.update(reasons(machine, unit, clock))
        yield written(name.encode("utf-8", "surrogateescape")), value


def _listed(machine: Machine, folders: list[str]) -> str:
    def ask() -> str:
        return machine.query("systemctl", "list-unit-files", "--plain", "--no-legend", "--no-pager")

    return ask() if machine.memory is None else machine.memory.answer([*folders, *PRESETS], ask)


def show(machine: Machine) -> str:
    """Return what systemd tells of all units that it has loaded."""
    return machine.query("systemctl", "show", "*", "--property", PROPERTIES, "--no-pager")


def paragraphs(shown: str) -> list[dict[str, str]]:
    """Return the properties of each unit; of one that comes in several lines, the lines."""
    found = []
    for paragraph in shown.split("\n\n"):
        unit: dict[str, str] = {}
        for line in paragraph.splitlines():
            name, separator, value = line.partition("=")
            if not separator:
                continue
            unit[name] = unit[name] + "\n" + value if name in unit and name in REPEATED else value
        found.append(unit)
    return found


def units(listed: str, shown: str, monotonic: float = 0.0) -> dict[str, Value]:
    """Return the units from what ``systemctl list-unit-files`` and ``systemctl show`` print.

    A unit that is not loaded is inactive; whether systemd still holds an inactive one in memory is chance, so
    both read the same. An alias or a template has no activity of its own. ``monotonic`` is the time of systemd's
    time stamps, in seconds.
    """
    found: dict[str, Value] = {}
    for line in listed.splitlines():
        name, enablement = [*line.split(), ""][:2]
        if not name.endswith(PASSING_TYPES):
            found[name] = {"enabled": enablement}
            if enablement != "alias" and "@." not in name:
                found[name].update(active="inactive", sub="dead")
    for unit in paragraphs(shown):
        name = unit.get("Id", "")
        if not name or name.endswith(PASSING_TYPES) or unit.get("UnitFileState") == "transient":
            continue
        if name not in found and not _lasting(unit):
            continue
        value = found.setdefault(name, {"enabled": unit.get("UnitFileState", "")})
        value.update(active=unit.get("ActiveState", ""), sub=unit.get("SubState", ""))
        value.update(_troubles(unit, monotonic))
        value.update(_nature(unit))
    return found


def _nature(unit: dict[str, str]) -> Value:
    """Return what kind of service or timer a unit is; when a timer fires is known only of an active one."""
    value: Value = {}
    if "Type" in unit and unit["Id"].endswith(".service"):
        value["type"] = unit["Type"]
    if unit.get("SourcePath", "").startswith("/etc/init.d/"):
        value["script"] = unit["SourcePath"]
    if unit["Id"].endswith(".timer") and unit.get("ActiveState") == "active":
        value.update(schedule=_schedule(unit), triggers=unit.get("Unit", ""))
    return value


def _lasting(unit: dict[str, str]) -> bool:
    """Whether a unit without a file of its own counts: an instance that runs does, a mere mount point does not."""
    if unit["Id"].endswith((".mount", ".swap")) and not unit.get("UnitFileState"):
        return False
    return unit.get("LoadState") != "not-found" and unit.get("ActiveState") != "inactive"


def _troubles(unit: dict[str, str], monotonic: float) -> Value:
    """Return what is wrong with a unit; nothing for one that is well."""
    value: Value = {}
    if unit.get("LoadState") not in ("loaded", "masked", "not-found", None):
        value["load"] = unit["LoadState"]
    if unit.get("NeedDaemonReload") == "yes":
        value["reload_needed"] = True
    if unit.get("ActiveState") == "failed":
        if unit.get("Result"):
            value["result"] = unit["Result"]
        if unit.get("ExecMainStatus", "0") != "0":
            value["status"] = unit["ExecMainStatus"]
    if again_and_again(unit, monotonic):
        # It runs one moment and waits the next; how often it was started is chance.
        value.update(crashes=True, active="activating", sub="auto-restart")
    return value


def again_and_again(unit: dict[str, str], monotonic: float) -> bool:
    """Whether systemd starts a service that ends again and again, just now."""
    if not unit.get("NRestarts", "").isdigit() or int(unit["NRestarts"]) < OFTEN:
        return False
    started = int(unit.get("ActiveEnterTimestampMonotonic") or 0) / 1e6
    return unit.get("SubState") == "auto-restart" or (
        unit.get("ActiveState") in ("active", "activating") and monotonic - started < LATELY
    )


def _schedule(unit: dict[str, str]) -> list[str]:
    """Return when a timer fires, without the next time."""
    lines = "\n".join(unit.get(name, "") for name in ("TimersCalendar", "TimersMonotonic")).splitlines()
    return sorted(line.strip("{ }").partition(" ; next_elapse=")[0] for line in lines if line)


def says(machine: Machine, name: str, folders: list[str], unit: dict[str, str]) -> Value:
    """Return the drop-ins of a unit, and the hash of its text together with theirs.

    Comments, empty lines and broken lines mean nothing. systemd may have read an older text: it says so itself
    (``reload_needed``), but for the first drop-in of a unit. ``unit`` are the properties of one that is active.
    """
    paths = _drop_ins(machine, name, folders)
    known = [path for path in unit.get("DropInPaths", "").split() if os.path.lexists(path)]
    unread = _places(path for path in paths if os.path.isfile(path)).difference(_places(known))
    # Those under another name of the unit are known only to systemd.
    paths += [path for path in known if _places([path]).isdisjoint(_places(paths))]
    paths.sort(key=os.path.basename)
    main = _fragment(machine, name, folders)
    value: Value = {"drop_ins": [written(os.fsencode(path)) for path in paths]} if paths else {}
    if unit and unread:
        value["reload_needed"] = True
    text = "\n".join(canonical(_text(machine, path)) for path in ([main, *paths] if main else paths))
    if text:
        own = machine.own_text(text.encode("utf-8", "surrogateescape"))
        value["text"] = hashlib.sha256(own).hexdigest()
    return value


def canonical(text: str) -> str:
    """Return the lines of a unit file that say something, each as one line."""
    lines = []
    for line in re.sub(r"\\\n(\s*[#;].*\n)*", " ", text).splitlines():
        stripped = line.strip()
        if stripped and stripped[0] not in "#;":
            lines.append(stripped)
    return "\n".join(lines)


def _text(machine: Machine, path: str) -> str:
    try:
        return machine.text(path)
    except OSError:
        return ""  # A link to /dev/null hides the unit or the drop-in.


def _places(paths: Iterable[str]) -> set[str]:
    return {f"{os.path.realpath(os.path.dirname(path))}/{os.path.basename(path)}" for path in paths}


def _fragment(machine: Machine, name: str, folders: list[str]) -> str:
    names = [name, *([_template(name)] if _template(name) else [])]
    for wanted in names:
        for folder in folders:
            path = f"{folder}/{wanted}"
            if os.path.lexists(machine.root + os.fsencode(path)):
                return path
    return ""


def _template(name: str) -> str:
    before, at, after = name.partition("@")
    return f"{before}@.{after.rpartition('.')[2]}" if at and not after.startswith(".") else ""


def _drop_ins(machine: Machine, name: str, folders: list[str]) -> list[str]:
    """Return the drop-ins that hold for a unit, in systemd's order: by file name, and of each name the nearest."""
    kind = name.rpartition(".")[2]
    places = [f"{name}.d"]
    if _template(name):
        places.append(f"{_template(name)}.d")
    stem = name.rpartition(".")[0]
    dashes = [at + 1 for at, letter in enumerate(stem[:-1]) if letter == "-"]
    places += [f"{stem[:cut]}.{kind}.d" for cut in reversed(dashes)]
    places.append(f"{kind}.d")
    found: dict[str, str] = {}
    for place in places:
        for folder in folders:
            for entry in machine.names(f"{folder}/{place}"):
                if entry.endswith(".conf"):
                    found.setdefault(entry, f"{folder}/{place}/{entry}")
    return [found[entry] for entry in sorted(found)]


def _lingering(machine: Machine) -> frozenset[str]:
    return frozenset(machine.names(LINGERING))
