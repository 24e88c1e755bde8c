"""The answers to the questions that packages ask when they are installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labrig.state.probe.machine import Unreadable
from labrig.state.probe.text import written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labrig.state.probe.machine import Entries, Machine, Value

FOLDER = "/var/cache/debconf"

# They tell the user something and have no answer.
STATEMENTS = frozenset({"note", "text", "title", "error"})


def read(machine: Machine) -> Entries:
    """Yield each question that was answered: ``value``, whether it was ``seen``, and its ``owners``.

    Of a password only ``set`` or ``unset`` is told.

    Raises:
        Unreadable: The passwords can't be read; all else was told before.
    """
    types = {
        fields.get("Name", ""): fields.get("Type", "") for fields in paragraphs(machine.text(FOLDER + "/templates.dat"))
    }
    found = answers(machine.text(FOLDER + "/config.dat"), types)
    problem = ""
    try:
        found.update(answers(machine.text(FOLDER + "/passwords.dat"), types, secret=True))
    except OSError as unreadable:
        problem = f"{FOLDER}/passwords.dat: {unreadable.strerror}"
    for key in sorted(found):
        yield key, found[key]
    if problem:
        raise Unreadable(problem)


def answers(text: str, types: dict[str, str], *, secret: bool = False) -> dict[str, Value]:
    """Return the answers that a database of debconf holds.

    A question that was neither shown nor given a value is none: what is in force is the template's default.

    Args:
        text: Of config.dat or passwords.dat.
        types: Template to type.
        secret: Whether all of them are passwords.
    """
    found: dict[str, Value] = {}
    for fields in paragraphs(text):
        kind = types.get(fields.get("Template", ""), "")
        seen = "seen" in fields.get("Flags", "").replace(",", " ").split()
        if "Name" not in fields or kind in STATEMENTS or not (seen or "Value" in fields):
            continue
        value = fields.get("Value", "").encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        if secret or kind == "password":
            value = "set" if value else "unset"
        found[written(fields["Name"].encode("utf-8", "surrogateescape"))] = {
            "value": value,
            "seen": seen,
            "owners": sorted(filter(None, (owner.strip() for owner in fields.get("Owners", "").split(",")))),
        }
    return found


def paragraphs(text: str) -> Iterator[dict[str, str]]:
    """Yield the fields of each paragraph; lines that go on from the one before are left out."""
    for paragraph in text.split("\n\n"):
        fields = {}
        for line in paragraph.splitlines():
            name, colon, value = line.partition(":")
            if colon and not line.startswith((" ", "\t")):
                fields[name] = value.strip()
        if fields:
            yield fields
