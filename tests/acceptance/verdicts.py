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
TASKS = (
    ("Gather facts", None, "molecule/default/converge.yml:2", "ok", 1.9),
    ("motd : Write the message", ROLE, "tasks/main.yml:2", "changed", 3.1),
    ("motd : Install what the scripts need", ROLE, "tasks/main.yml:9", "changed", 9.4),
    ("motd : Install the script", ROLE, "tasks/main.yml:16", "changed", 2.6),
    ("motd : Set how often it is made", ROLE, "tasks/main.yml:23", "changed", 1.7),
    ("motd : Remove what former releases left", ROLE, "tasks/main.yml:30", "skipped", 0.4),
)


def ran(path: PathName, began: float, pace: float = 1.0) -> Iterator[Ran]:
    """Yield the steps and tasks of a path."""
    at = began
    for step, seconds in (("boot", 2.8), ("deploy", 0), ("capture", 3.4), ("deploy-again", 0), ("capture", 3.3)):
        length = seconds or sum(task[4] for task in TASKS) * pace + 2.1
        yield Ran(path, step, "", "", None, "", "", at, length)
        begin = at + 2
        for task, role, where, result, took in TASKS if not seconds else ():
            came = "ok" if step == "deploy-again" and result == "changed" else result
            yield Ran(path, step, "server", task, role, where, came, begin, took * pace)
            begin += took * pace
        at += length
    for step, length in (("verify", 4.5), ("restart", 15.2)):
        yield Ran(path, step, "", "", None, "", "", at, length)
        at += length


def touched(name: str, where: str, **on: str) -> tuple[dict[str, Any], ...]:
    return tuple(
        {"on": path, "task": name, "role": ROLE, "path": where, "result": result} for path, result in on.items()
    )


LEFT_BEHIND = Finding(
    "same-state",
    None,
    "file",
    "/etc/update-motd.d/50-uptime",
    None,
    {**FILE, "mode": "0755", "size": 26, "sha256": "9730f538dbd8c851f1296b25d0035f06e4bb5e5ec9ec8a5a531b70d204daaa1f"},
    "file /etc/update-motd.d/50-uptime exists only on the upgraded machine: left behind",
    tasks=touched("motd : Install the script", "tasks/main.yml:16", production="changed"),
    kind="left behind",
    hint="add a task that removes /etc/update-motd.d/50-uptime: module file with state: absent",
)
NOT_UPDATED = Finding(
    "same-state",
    None,
    "file",
    "/etc/default/motd-news",
    {**FILE, "mode": "0644", "size": 118, "sha256": "5f1c"},
    {**FILE, "mode": "0644", "size": 112, "sha256": "88ab"},
    "file /etc/default/motd-news: content differs, its size is 118 bytes on fresh and 112 bytes on upgrade",
    tasks=touched("motd : Set how often it is made", "tasks/main.yml:23", fresh="changed", upgrade="ok"),
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
    seconds = {"deploys": 21.1, "idempotent": 19.6, "verified": 4.5, "survives-restart": 19.7}
    reasons = {
        "deploys": "6 tasks",
        "idempotent": "the second deployment reports no change, and there is none",
        "verified": "3 tests",
        "survives-restart": "the same after a restart",
    }
    checks = [Check(name, path, "pass", reasons[name], seconds[name]) for name in PATH_CHECKS for path in PATHS]
    texts = "; ".join(finding.text for finding in findings[:3])
    things = "1 thing differs" if len(findings) == 1 else f"{len(findings)} things differ"
    checks.append(Check("same-state", None, "fail", f"{things}: {texts}", 2.4))
    fields: dict[str, Any] = {
        "checks": tuple(checks),
        "findings": findings,
        "compared": 13316,
        "ignored": (
            Ignored("apt-lists", "what apt has read of its archive, and when", 6),
            Ignored("logs", "what is logged differs; that it is logged, by whom and for whom, is compared", 4),
            Ignored("machine-id", "each machine has its own", 1),
        ),
        "ran": (*ran("fresh", 0.2), *ran("upgrade", 3.9, 0.9)),
    }
    return Verdict(
        "ansible-role-motd",
        "default",
        "labrig/debian-12:latest",
        Head("tidy-names", "0a5e95b37e34" + "0" * 28, dirty=False),
        Production("ref", "merge base with main", "bc6b6cfd3a98" + "0" * 28),
        142.9,
        **{**fields, **more},
    )


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
