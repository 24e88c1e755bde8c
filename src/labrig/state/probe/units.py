"""systemd's units: which are enabled, which run, which failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labrig.state.probe.text import written

if TYPE_CHECKING:
    from labrig.state.probe.machine import Entries, Machine, Value

# Devices and slices follow the hardware and the processes, scopes are made and taken away by whoever logs in
# or starts a container: none of them is set up by anybody, and all come and go.
PASSING_TYPES = (".device", ".scope", ".slice")

PROPERTIES = "Id,LoadState,ActiveState,SubState,UnitFileState,Type"


def read(machine: Machine) -> Entries:
    """Yield every unit that has a file, and units made otherwise as long as they are active or failed."""
    listed = machine.query("systemctl", "list-unit-files", "--plain", "--no-legend", "--no-pager")
    shown = machine.query("systemctl", "show", "*", "--property", PROPERTIES, "--no-pager")
    found = units(listed, shown)
    for name in sorted(found):
        yield written(name.encode("utf-8", "surrogateescape")), found[name]


def units(listed: str, shown: str) -> dict[str, Value]:
    """Return the units from what ``systemctl list-unit-files`` and ``systemctl show`` print.

    A unit that is not loaded is inactive; whether systemd still holds an inactive one in memory is chance, so
    both read the same. An alias or a template has no activity of its own.
    """
    found: dict[str, Value] = {}
    for line in listed.splitlines():
        name, enablement = [*line.split(), ""][:2]
        if not name.endswith(PASSING_TYPES):
            found[name] = {"enabled": enablement}
            if enablement != "alias" and "@." not in name:
                found[name].update(active="inactive", sub="dead")
    for paragraph in shown.split("\n\n"):
        unit = dict(line.split("=", 1) for line in paragraph.splitlines() if "=" in line)
        name = unit.get("Id", "")
        if not name or name.endswith(PASSING_TYPES) or unit.get("UnitFileState") == "transient":
            continue
        if name not in found and not _lasting(unit):
            continue
        value = found.setdefault(name, {"enabled": unit.get("UnitFileState", "")})
        value.update(active=unit.get("ActiveState", ""), sub=unit.get("SubState", ""))
        if "Type" in unit and name.endswith(".service"):
            value["type"] = unit["Type"]
    return found


def _lasting(unit: dict[str, str]) -> bool:
    """Whether a unit without a file of its own counts: an instance that runs does, a mere mount point does not."""
    if unit["Id"].endswith((".mount", ".swap")) and not unit.get("UnitFileState"):
        return False
    return unit.get("LoadState") != "not-found" and unit.get("ActiveState") != "inactive"
