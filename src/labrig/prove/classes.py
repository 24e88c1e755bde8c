"""The class of a difference, and what to do about it: pure.

``left behind``: only the upgraded machine has it, and production had it.
``not updated``: the upgraded machine is in this what production was, and the fresh one is otherwise.
``created differently``: the deployment of HEAD itself made it otherwise on the two paths, or in the two deployments.
``changed at run time``: no task made it what it is; something that runs on the machine did.
``only after a restart``: it was so only once the machine had been restarted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from labrig.ansible.events import Ended
from labrig.prove.attribution import same
from labrig.prove.verdict import Finding, Kind, PathName
from labrig.state.compare import Difference

NOT_COMPARED = frozenset({"package", "plain", "type"})


def fields(finding: Finding | Difference) -> frozenset[str]:
    """Return the names of the fields that differ; none where one side has no such thing."""
    if finding.left is None or finding.right is None:
        return frozenset()
    left, right = finding.left, finding.right
    found = {name for name in left.keys() | right.keys() if left.get(name) != right.get(name)}
    return frozenset(found - NOT_COMPARED or found)


def is_unread(finding: Finding | Difference) -> bool:
    """Whether it tells only that something could not be read on one side."""
    return any(side is not None and "unreadable" in side for side in (finding.left, finding.right))


def of_paths(finding: Finding | Difference, before: Mapping[str, Any] | None) -> Kind | None:
    """Return the class of a difference between the paths; ``before`` is what production had, None for nothing."""
    if is_unread(finding):
        return None
    if finding.left is None:
        return "created differently" if before is None else "left behind"
    if finding.right is None:
        return "not updated" if before is None else "created differently"
    unchanged = before is not None and same(finding.dimension, before, finding.right, fields(finding))
    return "not updated" if unchanged else "created differently"


def hint(finding: Finding, tasks: Mapping[PathName, Sequence[Ended]]) -> str:
    """Return what to do about a difference, one sentence.

    Args:
        finding: With its class and the tasks that touched it.
        tasks: What the first deployment did, by path, for what kept a task from its work.
    """
    if is_unread(finding):
        return "find out why it cannot be read on one of the machines; nothing is known of what was not read"
    if finding.kind is None:
        return ""
    if finding.kind == "not updated":
        return _guard(finding, tasks) or _UPDATE.get(finding.dimension, _OTHERWISE)
    if finding.kind == "created differently":
        return _EVERY_TIME if finding.check == "idempotent" else _differently(finding)
    known, otherwise = {
        "left behind": (_REMOVE, "add a task that removes it"),
        "changed at run time": (_AT_RUN_TIME, "set it with a task, or allow the difference if it means nothing"),
        "only after a restart": (_RESTART, "write it where it is read at boot, not only into what runs"),
    }[finding.kind]
    return known.get(finding.dimension, otherwise)


def _differently(finding: Finding) -> str:
    if finding.right is None:
        return "the upgrade removes it, or production had it and lost it: a task that makes it must run on both"
    if finding.left is None:
        return "a fresh deployment must make it as well, or the upgrade must not"
    if finding.dimension == "package" and fields(finding) <= {"version"}:
        return "name the version, or `state: latest`, so that both machines get the same"
    return (
        "let the result not depend on what was there before: write it whole, rather than adding to it or choosing by it"
    )


_EVERY_TIME = "let the task write the same every time: no times, random values or appended lines"
_OTHERWISE = "let a task set it on a machine that exists already as well"

_REMOVE = {
    "file": "add a task with `state: absent` for it",
    "package": "add a task with `state: absent` for it, and `purge: true` if its settings shall go as well",
    "unit": "add a task that stops and disables it, and one with `state: absent` for its unit file",
    "user": "add a task of `ansible.builtin.user` with `state: absent` for it",
    "group": "add a task of `ansible.builtin.group` with `state: absent` for it",
    "socket": "stop and disable what listens there, and remove what starts it",
    "sudo": "add a task with `state: absent` for the rule's file or line",
    "authorized key": "add a task of `ansible.posix.authorized_key` with `state: absent` for it",
    "cron": "add a task of `ansible.builtin.cron` with `state: absent` for it",
}
_UPDATE = {
    "file": "let a task write it on a machine that has it already as well",
    "package": "let a task install the same version on a machine that has it already: `state: latest`, or the version",
    "unit": "let a task set `enabled:` and `state:`, and restart what has changed, on a machine that has it already",
    "socket": "restart the service after its configuration has changed: `notify:` a handler",
    "user": "let `ansible.builtin.user` set this attribute on an account that exists already",
    "group": "let a task set the members of a group that exists already",
}
_AT_RUN_TIME = {
    "file": "no task wrote it: keep what runs from writing it, or allow the difference if it means nothing",
    "unit": "no task did it: look at the unit's log for why it stopped or started",
    "socket": "no task did it: look at the log of the service that owns it",
}
_RESTART = {
    "unit": "enable the unit, so that it starts at boot: `enabled: true`",
    "socket": "enable the service that listens there: `enabled: true`",
    "file": "find what makes or removes it at boot, and let a task or a unit keep it",
    "sysctl": "write the setting to a file in /etc/sysctl.d, not only into the kernel",
    "route": "write it into the configuration of the network as well, so that it is set at boot",
}


def _guard(finding: Finding, tasks: Mapping[PathName, Sequence[Ended]]) -> str:
    """Return what kept the upgrade from doing what the fresh deployment did."""
    makers = [(str(task["path"]), str(task["task"])) for task in finding.tasks if _made(task)]
    host = machine(finding)
    for place, name in reversed(makers):
        same = [
            task
            for task in tasks.get("upgrade", ())
            if (task.path, task.task) == (place, name) and host in (None, task.host)
        ]
        for task in same:
            said = _kept(task)
            if said:
                return f"{said}, so '{name}' ({place}) does not do there what it does on a fresh machine"
        if not same and "upgrade" in tasks:
            return f"'{name}' ({place}) does not run there: a handler runs only where what notifies it has changed"
    return ""


def _made(task: Mapping[str, Any]) -> bool:
    return task.get("on") == "fresh" and not str(task.get("did", "looked")).startswith("looked")


def _kept(task: Ended) -> str:
    if task.result == "skipped":
        return "its `when:` does not hold on production"
    for guard in task.guards:
        name, _, value = guard.partition(": ")
        if name == "creates":
            return f"its guard `{guard}` is satisfied on production already"
        if name == "removes":
            return f"its guard `{guard}` finds nothing on production"
        if name == "force" and value == "false":
            return "its `force: false` leaves alone what production has already"
    return ""


def machine(finding: Finding) -> str | None:
    """Return the machine that a finding's key names, where there are several."""
    host, separator, _ = finding.key.partition(": ")
    return host if separator and not host.startswith("/") else None


def place(finding: Finding, machines: Iterable[str]) -> tuple[str, tuple[str, str]]:
    """Return the machine that a finding is about, and the dimension and key there."""
    names = list(machines)
    if len(names) == 1:
        return names[0], (finding.dimension, finding.key)
    host, _, key = finding.key.partition(": ")
    return host, (finding.dimension, key)
