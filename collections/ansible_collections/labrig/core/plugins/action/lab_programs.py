# Copyright (c) 2026, The labrig contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import shlex
import tempfile

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.labrig.core.plugins.plugin_utils.controller import needs_labrig

try:
    from labrig import __version__
    from labrig.experiments import programs
except ImportError as problem:
    MISSING = problem
else:
    MISSING = None

# What starts the programs, and the subcommand that each stands for.
SCRIPTS = {"/usr/local/bin/labrig-lab": "", "/usr/local/sbin/labrig-edge": " edge"}
SCRIPT = """\
#!/bin/sh
# Written by labrig.core.lab_programs
exec {interpreter} -I {archive}{subcommand} "$@"
"""


class ActionModule(ActionBase):
    """Builds the programs on the controller and copies them to the host, as ansible.builtin.copy does."""

    TRANSFERS_FILES = True
    _requires_connection = True
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        del tmp
        _options, asked = self.validate_argument_spec(
            {
                "archive": {"type": "path", "default": "/usr/local/lib/labrig/labrig-lab.pyz"},
                "interpreter": {"type": "path", "default": "/usr/bin/python3"},
            }
        )
        needs_labrig("labrig.core.lab_programs", MISSING)
        archive = asked["archive"]
        words = {name: shlex.quote(asked[name]) for name in ("interpreter", "archive")}
        files = {archive: (programs.build(), "0644")}
        for path, subcommand in SCRIPTS.items():
            files[path] = (SCRIPT.format(**words, subcommand=subcommand).encode(), "0755")
        result |= {"changed": False, "files": list(files), "version": __version__, "diff": []}
        folder = {
            "path": os.path.dirname(archive),
            "state": "directory",
            "owner": "root",
            "group": "root",
            "mode": "0755",
        }
        made = self._done(result, self._execute_module("ansible.builtin.file", folder, task_vars=task_vars))
        if made["changed"] and self._task.check_mode:
            # There is no folder to look into, and so none of the files.
            return result
        for path, (content, mode) in files.items():
            self._done(result, self._copied(path, content, mode, task_vars))
        return result

    def _copied(self, path, content, mode, task_vars):
        descriptor, source = tempfile.mkstemp(prefix="lab-programs-", dir=constants.DEFAULT_LOCAL_TMP)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        task = self._task.copy()
        task.args = {"src": source, "dest": path, "owner": "root", "group": "root", "mode": mode}
        copy = self._shared_loader_obj.action_loader.get(
            "ansible.builtin.copy",
            task=task,
            connection=self._connection,
            play_context=self._play_context,
            loader=self._loader,
            templar=self._templar,
            shared_loader_obj=self._shared_loader_obj,
        )
        return copy.run(task_vars=task_vars)

    def _done(self, result, told):
        if told.get("failed"):
            raise AnsibleActionFail(told.get("msg") or "a file cannot be written")
        result["changed"] = result["changed"] or told["changed"]
        diff = told.get("diff") or []
        result["diff"] += diff if isinstance(diff, list) else [diff]
        return told
