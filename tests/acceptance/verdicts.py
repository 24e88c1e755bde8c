"""Verdicts to look at as a report: of a role whose script was renamed, and of one with hundreds of differences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from labrig.prove.repository import Head
from labrig.prove.verdict import (
    PATH_CHECKS,
    PATHS,
    Check,
    Finding,
    Ignored,
    Kind,
    PathName,
    Production,
    Ran,
    Verdict,
)
from labrig.state.content import Change, ContentDiff

ROLE = "motd"
FILE = {"type": "file", "owner": "root", "group": "root"}
SCRIPT = "motd : Write the script that tells how long the server has been up"
SCRIPT_AT = "tasks/main.yml:10"
# Name, place, and on each path what came of it and its seconds.
TASKS = (
    (
        "motd : Validating arguments against arg spec 'main'",
        "molecule/default/converge.yml:2",
        ("ok", 0.1),
        ("ok", 0.1),
    ),
    ("motd : Write the fixed part of the message", "tasks/main.yml:2", ("changed", 0.5), ("ok", 0.3)),
    (SCRIPT, SCRIPT_AT, ("changed", 0.2), ("changed", 0.2)),
    ("motd : Say which kernel runs, or do not", "tasks/main.yml:20", ("changed", 0.2), ("ok", 0.1)),
    ("motd : Remove what is no longer wanted", "tasks/main.yml:25", ("skipped", 0.1), ("skipped", 0.1)),
)
# The steps of each path, each with when it ended.
STEPS: dict[PathName, tuple[tuple[str, float], ...]] = {
    "fresh": (
        *(("boot", 0.9), ("deploy", 2.8), ("capture", 6.8), ("deploy-again", 8.0), ("capture", 8.8)),
        *(("verify", 9.8), ("capture", 10.7), ("restart", 11.6), ("capture", 13.0)),
    ),
    "upgrade": (
        *(
            ("production", 3.6),
            ("boot", 4.2),
            ("deploy", 5.4),
            ("capture", 7.6),
            ("deploy-again", 8.9),
            ("capture", 10.2),
        ),
        *(("verify", 11.4), ("capture", 12.2), ("restart", 13.2), ("capture", 14.3)),
    ),
}


def ran(path: PathName) -> Iterator[Ran]:
    """Yield the steps and tasks of a path."""
    at = 0.2
    for step, ended in STEPS[path]:
        yield Ran(path, step, "", "", None, "", "", at, ended - at)
        begin = at + 0.4
        for task, where, *came in TASKS if step.startswith("deploy") else ():
            result, took = came[path == "upgrade"]
            result = "ok" if step == "deploy-again" and result == "changed" else result
            yield Ran(path, step, "server", task, ROLE, where, result, begin, took)
            begin += took
        at = ended


def touched(name: str, where: str, **did: str) -> tuple[dict[str, Any], ...]:
    """Return what a task did on each path; where it did nothing it was ok."""
    return tuple(
        {"on": on, "task": name, "role": ROLE, "path": where, "result": "changed" if said else "ok", "did": said}
        for on, said in did.items()
    )


LEFT_BEHIND = Finding(
    "same-state",
    None,
    "file",
    "/etc/update-motd.d/50-uptime",
    None,
    {**FILE, "mode": "0755", "size": 26, "sha256": "9730f538dbd8c851f1296b25d0035f06e4bb5e5ec9ec8a5a531b70d204daaa1f"},
    "file /etc/update-motd.d/50-uptime exists only on the upgraded machine: left behind",
    tasks=touched(SCRIPT, SCRIPT_AT, production="created it"),
    kind="left behind",
    cause=f"no task of HEAD touches it; production's {SCRIPT_AT} ('{SCRIPT}') created it",
    hint="add a task with `state: absent` for it",
    diff=ContentDiff("text", ("@@ -0,0 +1,2 @@", "+#!/bin/sh", "+uptime --pretty")),
)
NOT_UPDATED = Finding(
    "same-state",
    None,
    "file",
    "/etc/default/motd-news",
    {**FILE, "mode": "0644", "size": 118, "sha256": "5f1c"},
    {**FILE, "mode": "0644", "size": 112, "sha256": "88ab"},
    "file /etc/default/motd-news: content differs, its size is 118 bytes on fresh and 112 bytes on upgrade",
    tasks=touched("motd : Write the fixed part of the message", "tasks/main.yml:2", fresh="created it", upgrade=""),
    kind="not updated",
    hint="the task has a guard that production already satisfies: look at `creates`, `force` or `when`",
    diff=ContentDiff(
        "structure",
        (
            "@@ -1,7 +1,6 @@",
            " # made by role motd",
            " ENABLED=1",
            "-URLS=/srv/motd/news",
            "-REFRESH_SECONDS=3600",
            "+REFRESH_SECONDS=86400",
            " WAIT=5",
            "-LINES_SHOWN=12   # more is not read",
            "+LINES_SHOWN=40   # more is not read",
            " COLOUR=auto",
        ),
        (
            Change("URLS", "/srv/motd/news", None),
            Change("REFRESH_SECONDS", "3600", "86400"),
            Change("LINES_SHOWN", "12", "40"),
        ),
    ),
)


def disproved(*findings: Finding, **more: Any) -> Verdict:
    """Return the verdict of a change whose both paths work and lead to different states."""
    seconds = {"deploys": (1.8, 1.3), "idempotent": (1.2, 1.3), "verified": (1.0, 1.2)}
    seconds["survives-restart"] = (2.2, 2.0)
    reasons = {
        "deploys": "5 tasks",
        "idempotent": "the second deployment reports no change, and there is none",
        "verified": "3 tests",
        "survives-restart": "the same after a restart",
    }
    checks = [
        Check(name, path, "pass", reasons[name], seconds[name][path == "upgrade"])
        for name in PATH_CHECKS
        for path in PATHS
    ]
    texts = "; ".join(finding.text for finding in findings[:3])
    things = "1 thing differs" if len(findings) == 1 else f"{len(findings)} things differ"
    checks.append(Check("same-state", None, "fail", f"{things}: {texts}", 2.6))
    fields: dict[str, Any] = {
        "checks": tuple(checks),
        "findings": findings,
        "compared": 13316,
        "ignored": (
            Ignored("apt-lists", "what apt has read of its archive, and when", 6),
            Ignored("logs", "what is logged differs; that it is logged, by whom and for whom, is compared", 4),
            Ignored("machine-id", "each machine has its own", 1),
        ),
        "ran": (*ran("fresh"), *ran("upgrade")),
    }
    return Verdict(
        "ansible-role-motd",
        "default",
        "labrig/debian-12:latest",
        Head("tidy-names", "50f6621fc541" + "0" * 28, dirty=False),
        Production("ref", "merge base with main", "29c1bafa8904" + "0" * 28),
        22.4,
        **{**fields, **more},
    )


def renamed() -> Verdict:
    """Return the verdict of README.md: a script got another name, and nobody removed the old one."""
    return disproved(LEFT_BEHIND)


def motd() -> Verdict:
    """Return a verdict with one difference of two classes each."""
    return disproved(LEFT_BEHIND, NOT_UPDATED)


def many(count: int) -> Verdict:
    """Return a verdict with so many differences, of all classes and several roles and dimensions."""
    kinds: tuple[Kind | None, ...] = (
        "left behind",
        "not updated",
        "created differently",
        "changed at run time",
        None,
    )
    dimensions = ("file", "package", "unit", "user", "socket")
    lines = ["@@ -1,40 +1,40 @@"]
    for row in range(20):
        lines += [f" option_{row} = same", f"-value_{row} = old", f"+value_{row} = new"]

    def finding(number: int) -> Finding:
        dimension = dimensions[number % 5]
        key = f"/srv/app/conf.d/{number:03}.conf" if dimension == "file" else f"thing-{number:03}"
        return Finding(
            "same-state",
            None,
            dimension,
            key,
            {"mode": "0644", "size": number},
            {"mode": "0600", "size": number + 1},
            f"{dimension} {key}: mode is 0644 on fresh and 0600 on upgrade",
            tasks=(
                {
                    "on": "fresh",
                    "task": f"Task {number % 60}",
                    "role": f"role{number % 7}",
                    "path": f"roles/x/tasks/main.yml:{number % 60}",
                    "result": "changed",
                },
            )
            if number % 8
            else (),
            kind=kinds[number % 5],
            diff=ContentDiff("text", tuple(lines)) if dimension == "file" else None,
        )

    return disproved(*(finding(number) for number in range(count)))
