"""Telling apart why a playbook did not do its work."""

from __future__ import annotations

import re
from typing import Any

from labrig.ansible import requirements
from labrig.ansible.playbook import PlaybookRun
from labrig.ansible.workspace import Workspace
from labrig.engine.client import is_full_disk
from labrig.errors import EnvironmentFailed
from labrig.state.secrets import masked

_MISSING_ROLE = re.compile(r"the role '([^']+)' was not found")
_MISSING_MODULE = re.compile(
    r"couldn't resolve module/action '([^']+)'|(?:unable to locate|could not find) collection ([\w.]+)|"
    r"collection ([\w]+\.[\w]+) (?:was|is) not (?:found|installed)",
    re.IGNORECASE,
)
_ERROR_LINES = re.compile(r"(?:\[ERROR\]:?|ERROR!|fatal:)\s*(?:Task failed: )?(?:Module failed: )?(.*)")
_ORIGIN = re.compile(r"^Origin: (.+)$", re.MULTILINE)
_LOST_CONTAINER = re.compile(
    r"no such container|container .* is not running|could not find container|cannot connect to the docker",
    re.IGNORECASE,
)


def failed_tasks(run: PlaybookRun) -> list[dict[str, Any]]:
    """Return the tasks whose failure ended the playbook on a host, with task, path, host and message."""
    lost = (
        {host for host, totals in run.stats.hosts.items() if totals.get("failures") or totals.get("unreachable")}
        if run.stats
        else None
    )
    last: dict[str, dict[str, Any]] = {}
    for task in run.tasks:
        if task.failed and (lost is None or task.host in lost):
            message = masked("\n".join([task.message, *task.items]).strip())
            last[task.host] = {"task": task.task, "path": task.path, "host": task.host, "message": message}
    return list(last.values())


def headline(run: PlaybookRun, timeout: float) -> str:
    """Return one sentence on why the playbook did not do its work."""
    if run.timed_out:
        running = run.running[0] if run.running else None
        at = f"; task '{running.task}' was running on {running.host}" if running else ""
        return f"it did not finish within {timeout:.0f} s{at}"
    tasks = failed_tasks(run)
    if tasks:
        first = tasks[0]
        more = f" (and {len(tasks) - 1} more hosts)" if len(tasks) > 1 else ""
        return f"task '{first['task']}' failed on {first['host']}{more}: {_first_line(first['message'])}"
    if run.code == 0:
        return "no machine of the scenario matches a play of the playbook, so nothing was deployed"
    return _first_error(run.tail)


def environment_failure(run: PlaybookRun, workspace: Workspace) -> EnvironmentFailed | None:
    """Return why the surroundings, and not the change, made the playbook fail; None if they did not."""
    if run.timed_out:
        return None
    missing = missing_content(run, workspace)
    if missing is not None:
        return missing
    said = "\n".join([run.tail, *(str(task["message"]) for task in failed_tasks(run))])
    if is_full_disk(said):
        return EnvironmentFailed(
            f"a disk is full: {_first_error(said)}", hint="free some space: `labrig clean` and `docker system df` help"
        )
    if _LOST_CONTAINER.search(said):
        return EnvironmentFailed(
            f"a machine was lost while the playbook ran: {_first_error(said)}",
            hint="`labrig doctor` looks at the engine",
        )
    return None


def missing_content(run: PlaybookRun, workspace: Workspace) -> EnvironmentFailed | None:
    """Return the role or collection that is not installed and without which the playbook cannot run.

    A module that an installed collection does not have is no such case: then the change itself names what is not there.
    """
    role = _MISSING_ROLE.search(run.tail)
    if role:
        return EnvironmentFailed(
            f"role {role[1]}, which {run.playbook} needs, is not installed",
            hint=f"install it, for example with `ansible-galaxy role install {role[1]}`, or from requirements.yml",
        )
    module = _MISSING_MODULE.search(run.tail)
    name = next(filter(None, module.groups()), "") if module else ""
    parts = name.split(".")
    if len(parts) < 2 or parts[0] == "ansible":
        return None
    collection = ".".join(parts[:2])
    if requirements.has_collection(workspace, collection):
        return None
    what = f" ({name})" if len(parts) > 2 else ""
    return EnvironmentFailed(
        f"collection {collection}, which {run.playbook} needs{what}, is not installed",
        hint=f"install it, for example with `ansible-galaxy collection install {collection}`, or from requirements.yml",
    )


def _first_error(tail: str) -> str:
    """Return what Ansible's last lines say was wrong, secrets masked."""
    found = _ERROR_LINES.search(tail)
    origin = _ORIGIN.search(tail)
    said = (
        found[1].strip()
        if found
        else next((line.strip() for line in tail.splitlines() if line.strip()), "ansible-playbook said nothing")
    )
    return masked(f"{said} ({origin[1].strip()})" if origin else said)


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else "no message"
