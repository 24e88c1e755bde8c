# Copyright (c) 2026, The labrig contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import json
import os
import shlex
import tempfile

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.labrig.core.plugins.plugin_utils.controller import in_ansibles_words, needs_labrig

try:
    from labrig.state import capture
    from labrig.state.dimensions import DIMENSIONS
    from labrig.state.model import State
    from labrig.targets import files, ready
    from labrig.targets.read import describe
except ImportError as problem:
    MISSING = problem
else:
    MISSING = None

# Where machine_state_compare finds the latest state of a host, among the host's facts.
FACT = "labrig_machine_state"


class ActionModule(ActionBase):
    """Runs the probe over whatever connection the host has and keeps what it says on the controller."""

    TRANSFERS_FILES = False
    _requires_connection = True
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        del tmp
        _options, asked = self.validate_argument_spec(
            {
                "dest": {"type": "path"},
                "dimensions": {"type": "list", "elements": "str"},
                "only": {"type": "list", "elements": "path", "default": []},
                "return_state": {"type": "bool", "default": False},
            }
        )
        needs_labrig("labrig.core.machine_state", MISSING)
        self._check(asked)
        with in_ansibles_words():
            return {**result, **self._captured(asked, task_vars or {})}

    def _check(self, asked):
        unknown = [name for name in asked["dimensions"] or () if name not in DIMENSIONS]
        if unknown:
            raise AnsibleActionFail(f"dimensions: there is no {unknown[0]}; there are {', '.join(DIMENSIONS)}")
        relative = [path for path in asked["only"] if not path.startswith("/")]
        if relative:
            raise AnsibleActionFail(f"only: expected absolute paths, found {relative[0]}")

    def _captured(self, asked, task_vars):
        name = task_vars.get("inventory_hostname", "")
        dest = asked["dest"] and self._loader.path_dwim(asked["dest"])
        if dest:
            files.check_name(dest)
        python = self._python(task_vars, name)
        header = describe({"kind": "ansible", "name": name}, tuple(asked["only"]))
        lines = capture.stream(
            self._execute,
            asked=capture.request(only=asked["only"], dimensions=asked["dimensions"]),
            python=python,
            packed=not self._connection.is_pipelining_enabled(False),
            about=header,
            source=f"the state of {name}",
        )
        path = dest if dest and not self._task.check_mode else _passing_file()
        digest = hashlib.sha256()
        files.write(path, _hashed(lines, digest))
        state = State.parse(files.read(path), source=path)
        found = {
            "changed": False,
            "path": path,
            "entries": len(state.entries),
            "sha256": digest.hexdigest(),
            "header": dict(state.header),
            "unreadable": dict(state.unreadable),
            "ansible_facts": {FACT: {"path": path, "sha256": digest.hexdigest()}},
        }
        if not state.header.get("root"):
            found["warnings"] = [f"{name} was not read as root: what its user may not read is missing; use become"]
        if asked["return_state"]:
            found["state"] = [
                {"dimension": dimension, "key": key, "value": dict(value)}
                for (dimension, key), value in state.entries.items()
            ]
        return found

    def _python(self, task_vars, name):
        chosen = str(task_vars.get("ansible_python_interpreter") or "")
        found = ready.look(self._execute, name)
        if chosen.startswith("/"):
            return self._templar.template(chosen)
        if not found.python:
            raise ready.no_python(name)
        return found.python

    def _execute(self, argv, stdin):
        # Without input where there is none: some connections then need a terminal instead.
        done = self._low_level_execute_command(shlex.join(argv), in_data=stdin or None, sudoable=True)
        if done["rc"] != 0:
            said = (done["stderr"] or done["stdout"] or "nothing").strip().splitlines()
            raise AnsibleActionFail(f"{argv[0]} ended with exit code {done['rc']}: {said[-1] if said else ''}")
        yield done["stdout"]


def _passing_file():
    """Return a new file in the folder that Ansible removes when the playbook ends."""
    descriptor, path = tempfile.mkstemp(prefix="machine-state-", suffix=".jsonl", dir=constants.DEFAULT_LOCAL_TMP)
    os.close(descriptor)
    return path


def _hashed(lines, digest):
    """Pass the lines on; hash all but the header, which holds the time and the machine's addresses."""
    for place, line in enumerate(lines):
        if place:
            # In one form, whatever the other end makes of it.
            digest.update(json.dumps(json.loads(line), sort_keys=True).encode())
        yield line
