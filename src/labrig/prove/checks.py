"""From what happened to answers: pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from labrig.ansible.events import Ended
from labrig.ansible.playbook import PlaybookRun
from labrig.prove import allowed, classes
from labrig.prove.allowed import Allowed
from labrig.prove.attribution import LEFT_AS_IT_WAS
from labrig.prove.failures import failed_tasks, headline
from labrig.prove.verdict import PATH_CHECKS, PATHS, Check, CheckName, Compared, Finding, Ignored, PathName, Result
from labrig.state.compare import Comparison, Difference, compare
from labrig.state.explain import sentence
from labrig.state.model import State
from labrig.state.rule import Rule
from labrig.state.rules import DEFAULT_RULES, ONE_MACHINE_RULES
from labrig.state.secrets import Mask, masked

# Reasons are read by people: they name a few, the details have all.
NAMED = 3


def deploys(path: PathName, run: PlaybookRun, timeout: float, step: str) -> Check:
    """Answer whether the playbook did its work."""
    if run.ok:
        return Check("deploys", path, "pass", f"{len(run.tasks)} tasks", run.seconds)
    prefix = "" if step == "deploy" else f"{step}: "
    details = failed_tasks(run) or [{"task": "", "path": "", "host": "", "message": masked(run.tail)}]
    return Check("deploys", path, "fail", prefix + headline(run, timeout), run.seconds, details=tuple(details))


def skipped(path: PathName, answered: Collection[CheckName], reason: str) -> tuple[Check, ...]:
    """Return the checks of a path that could not be asked."""
    return tuple(Check(name, path, "skip", reason) for name in PATH_CHECKS if name not in answered)


def idempotent(
    path: PathName,
    run: PlaybookRun,
    before: Mapping[str, State],
    after: Mapping[str, State],
    timeout: float,
    *,
    allowances: Sequence[Allowed] = (),
) -> tuple[Check, tuple[Finding, ...], tuple[Ignored, ...]]:
    """Answer whether a second deployment changes nothing, by what Ansible reports AND by what is on the machines.

    A task that reports a change is told apart from a change that no task reports.
    """
    if not run.ok:
        details = tuple(failed_tasks(run))
        reason = f"the second deployment fails: {headline(run, timeout)}"
        return Check("idempotent", path, "fail", reason, run.seconds, details=details), (), ()
    differences, ignored, _ = across(
        before, after, rules=ONE_MACHINE_RULES, allowances=allowed.of("idempotent", allowances)
    )
    named = [tasks_on(one, run.tasks, _host(key)) for key, one in differences]
    findings = tuple(
        dataclasses.replace(
            found, tasks=tasks, kind="created differently" if _changed(tasks) else "changed at run time"
        )
        for found, tasks in zip(_in_time("idempotent", path, differences), named, strict=True)
    )
    changed = tuple(
        {
            "task": task.task,
            "path": task.path,
            "host": task.host,
            "message": masked("\n".join([task.message, *task.items]).strip()),
        }
        for task in run.tasks
        if task.result == "changed"
    )
    result: Result = "fail" if changed or findings else "pass"
    return (
        Check("idempotent", path, result, _idempotence(changed, findings), run.seconds, details=changed),
        findings,
        ignored,
    )


def _idempotence(changed: Sequence[Mapping[str, Any]], findings: Sequence[Finding]) -> str:
    if not changed and not findings:
        return "the second deployment reports no change, and there is none"
    tasks = _listed(f"'{one['task']}'" for one in changed)
    things = _listed(one.key for one in findings)
    if changed and findings:
        return f"the second deployment changes {things}; tasks that report a change: {tasks}"
    if changed:
        return f"the second deployment reports a change although nothing differs: {tasks}"
    return f"the second deployment changes {things} and no task reports it"


def survives_restart(
    path: PathName,
    before: Mapping[str, State],
    after: Mapping[str, State],
    seconds: float,
    *,
    allowances: Sequence[Allowed] = (),
) -> tuple[Check, tuple[Finding, ...], tuple[Ignored, ...]]:
    """Answer whether a machine is after a restart what it was before; also what differs, and what was set aside."""
    differences, ignored, _ = across(
        before, after, rules=ONE_MACHINE_RULES, allowances=allowed.of("survives-restart", allowances)
    )
    findings = tuple(
        dataclasses.replace(one, kind="only after a restart") for one in _in_time("survives-restart", path, differences)
    )
    if not findings:
        return Check("survives-restart", path, "pass", "the same after a restart", seconds), (), ignored
    reason = f"after a restart {_count(findings)}: {_first([{'text': one.text} for one in findings])}"
    return Check("survives-restart", path, "fail", reason, seconds), findings, ignored


def _in_time(check: Compared, path: PathName, differences: Iterable[tuple[str, Difference]]) -> Iterator[Finding]:
    for key, one in differences:
        shown = masked_difference(one)
        text = sentence(shown, left="before", right="after")
        yield Finding(check, path, one.dimension, key, shown.left, shown.right, text, one.package)


def masked_difference(one: Difference) -> Difference:
    """Return a difference with what looks like a secret replaced, the same one alike on both sides."""
    mask = Mask()
    left, right = (
        None if side is None else {name: mask.value(value) for name, value in side.items()}
        for side in (one.left, one.right)
    )
    return dataclasses.replace(one, left=left, right=right)


def same_state(
    fresh: Mapping[str, State],
    upgrade: Mapping[str, State],
    tasks: Mapping[PathName, Sequence[Ended]],
    elapsed: Callable[[], float],
    look_at_production: Callable[[], Mapping[str, State] | None] = lambda: None,
    *,
    allowances: Sequence[Allowed] = (),
) -> tuple[Check, tuple[Finding, ...], tuple[Ignored, ...], int]:
    """Answer whether both paths led to the same state; also what differs, what rules hid, how much was compared.

    ``look_at_production`` is called only where something differs: it returns production's states before the upgrade,
    which tell what was left behind from what the upgrade made.
    """
    differences, ignored, compared = across(fresh, upgrade, allowances=allowed.of("same-state", allowances))
    production = look_at_production() if differences else None
    findings = tuple(_of_paths(key, one, tasks, production) for key, one in differences)
    seconds = elapsed()
    if not findings:
        check = Check("same-state", None, "pass", f"{compared} things compared, none differs", seconds)
    else:
        texts = [{"text": finding.text} for finding in findings]
        check = Check("same-state", None, "fail", f"{_count(findings)}: {_first(texts)}", seconds)
    return check, findings, ignored, compared


def _of_paths(
    key: str, one: Difference, tasks: Mapping[PathName, Sequence[Ended]], production: Mapping[str, State] | None
) -> Finding:
    before = None if production is None else _before(one, key, production)
    shown = masked_difference(one)
    return Finding(
        "same-state",
        None,
        one.dimension,
        key,
        shown.left,
        shown.right,
        sentence(shown, in_production=None if production is None else before is not None),
        one.package,
        tuple({"on": path, **task} for path in PATHS for task in tasks_on(one, tasks.get(path, ()), _host(key))),
        None if production is None else classes.of_paths(one, before),
    )


def across(
    left: Mapping[str, State],
    right: Mapping[str, State],
    *,
    rules: Sequence[Rule] = DEFAULT_RULES,
    allowances: Sequence[Allowed] = (),
) -> tuple[list[tuple[str, Difference]], tuple[Ignored, ...], int]:
    """Compare the machines of two sets, each with its namesake.

    Returns:
        Each difference with its key, which names the machine where there are several; what rules and the project's
        allowances set aside; how many things were compared.
    """
    differences: list[tuple[str, Difference]] = []
    counts: dict[tuple[str, str], int] = {}
    compared = 0
    for name, state in left.items():
        found: Comparison = compare(state, right[name], rules=rules)
        compared += found.compared
        prefix = f"{name}: " if len(left) > 1 else ""
        for one in found.differences:
            left_over, applied_here = allowed.remaining(one, name, allowances)
            for allowance in applied_here:
                counts[allowed.RULE, allowance.words] = counts.get((allowed.RULE, allowance.words), 0) + 1
            if left_over is not None:
                differences.append((f"{prefix}{one.key or one.dimension}", left_over))
        for applied in found.ignored:
            counts[applied.rule, applied.reason] = counts.get((applied.rule, applied.reason), 0) + applied.count
        for note in found.notes:
            # Nothing is known of it on either side: that is said, and not passed over.
            counts["not readable", f"{prefix}{note}"] = 1
    ignored = tuple(Ignored(rule, reason, count) for (rule, reason), count in sorted(counts.items()))
    return differences, ignored, compared


def alike(one: Mapping[str, State], other: Mapping[str, State]) -> bool:
    """Return whether machines at one moment are what they were at another, but for what rules set aside."""
    return one.keys() == other.keys() and not across(one, other, rules=ONE_MACHINE_RULES)[0]


def tasks_on(difference: Difference, tasks: Iterable[Ended], host: str | None = None) -> tuple[dict[str, Any], ...]:
    """Return the tasks that name what differs: its path, its package, its unit or its account.

    Names are those of a task's own arguments and results, so what a command does besides them is not found.
    """
    return tuple(
        {
            "task": task.task,
            "role": task.role,
            "path": task.path,
            "result": task.result,
            "did": "names it, and reports a change" if task.result == "changed" else LEFT_AS_IT_WAS,
        }
        for task in tasks
        if task.result in ("ok", "changed") and host in (None, task.host) and _names(task, difference)
    )


def _before(difference: Difference, key: str, production: Mapping[str, State]) -> Mapping[str, Any] | None:
    machine = _host(key) if len(production) > 1 else next(iter(production))
    return production[machine or ""].entries.get((difference.dimension, difference.key))


def _changed(tasks: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a task that names what differs reports a change."""
    return any(task["result"] == "changed" for task in tasks)


def _host(key: str) -> str | None:
    """Return the machine that a key names, where there are several."""
    host, separator, _ = key.partition(": ")
    return host if separator and not host.startswith("/") else None


def _names(task: Ended, difference: Difference) -> bool:
    if difference.dimension == "file":
        return difference.key in task.paths
    action = task.action.rsplit(".", 1)[-1]
    short = difference.key.removesuffix(".service")
    wanted = {
        "package": ("apt", "package", "dnf", "yum", "pip", "apt_key"),
        "unit": ("service", "systemd", "systemd_service", "sysvinit"),
        "user": ("user",),
        "group": ("group",),
    }.get(difference.dimension, ())
    return action in wanted and bool({difference.key, short} & {name.split("=")[0] for name in task.names})


def _count(found: Sequence[Any]) -> str:
    return "1 thing differs" if len(found) == 1 else f"{len(found)} things differ"


def _first(details: Sequence[Mapping[str, Any]]) -> str:
    return "; ".join(str(one["text"]) for one in details[:NAMED]) + (" ..." if len(details) > NAMED else "")


def _listed(names: Iterable[str]) -> str:
    all_names = list(dict.fromkeys(names))
    more = f" and {len(all_names) - NAMED} more" if len(all_names) > NAMED else ""
    return ", ".join(all_names[:NAMED]) + more
