"""Which program stands behind a common name: dpkg's alternatives, and those of Red Hat's systems."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from labrig.state.probe.text import written

if TYPE_CHECKING:
    from labrig.state.probe.machine import Entries, Machine, Value

FOLDERS = ("/var/lib/dpkg/alternatives", "/var/lib/alternatives")


def read(machine: Machine) -> Entries:
    """Yield names with ``mode`` (auto or manual), ``link``, ``target``, and the ``choices`` with their priorities."""
    for folder in FOLDERS:
        try:
            names = sorted(os.listdir(machine.root + folder.encode()))
        except FileNotFoundError:
            continue
        for name in names:
            value = alternative(machine.text(f"{folder}/{os.fsdecode(name)}"))
            try:
                value["target"] = written(os.readlink(machine.root + b"/etc/alternatives/" + name))
            except OSError as problem:
                value["target"] = f"unreadable: {problem.strerror}"
            yield written(name), value
        return


def alternative(text: str) -> Value:
    """Return what dpkg writes down of one alternative.

    The form: mode; link; pairs of lines for each further link; an empty line; for each choice its path, its priority
    and one line for each further link.
    """
    mode, link, *rest = [*text.split("\n"), "", ""]
    end = rest.index("") if "" in rest else len(rest)
    further = end // 2
    choices = []
    at = end + 1
    while at + 1 < len(rest) and rest[at]:
        choices.append(f"{rest[at]} ({rest[at + 1]})")
        at += 2 + further
    return {"mode": mode, "link": link, "choices": sorted(choices)}
