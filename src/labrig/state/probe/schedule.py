"""What is to run at a time: every line of every crontab, the scripts of each hour to year, and jobs of at."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from labrig.state.probe.machine import Unreadable
from labrig.state.probe.text import without_secrets, written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labrig.state.probe.machine import Entries, Machine, Value

# With a user in each line; those of one user hold none.
SYSTEM_FOLDER = "/etc/cron.d"
SYSTEM_TABLE = "/etc/crontab"
SPOOLS = ("/var/spool/cron/crontabs", "/var/spool/cron")
PERIODS = ("hourly", "daily", "weekly", "monthly", "yearly")

# cron and run-parts pass over names with a dot, so a file like old.dpkg-old does not run.
RUNS = re.compile(r"[A-Za-z0-9_-]+")
SETTING = re.compile(r"""\s*["']?([A-Za-z_]\w*)["']?\s*=\s*(.*)""")

AT_SPOOLS = ("/var/spool/cron/atjobs", "/var/spool/atjobs", "/var/spool/at")
AT_NAME = re.compile(r"([a-zA-Z])[0-9a-f]{5}([0-9a-f]{8})")
# The lines that at puts before a job: the environment of whoever asked for it.
AT_HEAD = re.compile(
    r"#!.*|# .*|umask .*|[A-Za-z_]\w*=.*; export [A-Za-z_]\w*|export \w+.*|cd .* \|\| \{|\s+echo .*|\s+exit 1|\}|"
)


def read(machine: Machine) -> Entries:
    """Yield ``USER TIMES COMMAND`` with the crontabs that say so and their settings; also scripts and jobs of at.

    Raises:
        Unreadable: Some of it could not be read; the rest has been told.
    """
    found: dict[str, Value] = {}
    problems: list[str] = []
    for path, user in _tables(machine, problems):
        try:
            text = machine.text(path)
        except IsADirectoryError:
            continue
        except OSError as problem:
            problems.append(f"{path}: {problem.strerror}")
            continue
        for key, settings in jobs(text, user):
            value = found.setdefault(key, {"in": []})
            value["in"] = sorted({*value["in"], path})
            if settings:
                value["settings"] = settings
    found.update(_scripts(machine))
    try:
        found.update(_at(machine))
    except OSError as problem:
        problems.append(f"{problem.filename}: {problem.strerror}")
    for key in sorted(found):
        yield written(os.fsencode(key)), found[key]
    if problems:
        raise Unreadable("; ".join(problems))


def _tables(machine: Machine, problems: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the crontabs with their user, empty where each line names its own."""
    yield SYSTEM_TABLE, ""
    for name in machine.names(SYSTEM_FOLDER):
        if RUNS.fullmatch(name):
            yield f"{SYSTEM_FOLDER}/{name}", ""
    for spool in SPOOLS:
        try:
            names = machine.names(spool)
        except OSError as problem:
            problems.append(f"{spool}: {problem.strerror}")
            continue
        for name in names:
            if name not in ("crontabs", "atjobs", "atspool") and not name.startswith("tmp."):
                yield f"{spool}/{name}", name


def _scripts(machine: Machine) -> Iterator[tuple[str, Value]]:
    for period in PERIODS:
        folder = f"/etc/cron.{period}"
        for name in machine.names(folder):
            if RUNS.fullmatch(name):
                runs = os.access(machine.root + os.fsencode(f"{folder}/{name}"), os.X_OK)
                yield f"{period} {folder}/{name}", {"in": [folder], **({} if runs else {"executable": False})}


def jobs(text: str, user: str = "") -> Iterator[tuple[str, list[str]]]:
    """Yield the jobs of a crontab as ``USER TIMES COMMAND``, each with the settings above it, sorted.

    Without ``user`` each line names its own.
    """
    settings: dict[str, str] = {}
    for line in text.splitlines():
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        setting = SETTING.fullmatch(stripped)
        if setting and not stripped[0].isdigit():
            settings[setting.group(1)] = setting.group(2).strip().strip("\"'")
            continue
        count = 1 if stripped.startswith("@") else 5
        words = stripped.split(None, count if user else count + 1)
        if len(words) <= count + (not user):
            yield without_secrets(f"not understood: {stripped}"), []
            continue
        times = " ".join(words[:count])
        who = user or words[count]
        yield (
            without_secrets(f"{who} {times} {words[-1]}"),
            [without_secrets(f"{name}={settings[name]}") for name in sorted(settings)],
        )


def _at(machine: Machine) -> Iterator[tuple[str, Value]]:
    """Yield the jobs of at and batch by user, queue and what they run; when, is a moment and differs by chance."""
    for spool in AT_SPOOLS:
        for name in machine.names(spool):
            found = AT_NAME.fullmatch(name)
            if found is None:
                continue
            path = f"{spool}/{name}"
            try:
                owner = machine.owner(os.lstat(machine.root + os.fsencode(path)).st_uid)
            except FileNotFoundError:
                continue  # It ran meanwhile.
            lines = [line.strip() for line in machine.text(path).splitlines() if not AT_HEAD.fullmatch(line)]
            yield without_secrets(f"{owner} at queue {found.group(1)}: {'; '.join(lines)}"), {"in": [spool]}
