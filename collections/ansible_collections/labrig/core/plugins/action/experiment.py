# Copyright (c) 2026, The labrig contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.labrig.core.plugins.plugin_utils.controller import in_ansibles_words, needs_labrig, plain

try:
    from labrig.errors import UsageError
    from labrig.experiments import deploying, naming, ordering
    from labrig.experiments.carrying import Silent
    from labrig.project_file import duration
except ImportError as problem:
    MISSING = problem
    Silent = object
else:
    MISSING = None


class ActionModule(ActionBase):
    """Deploys or removes an experiment from the controller, over the connection to its lab host that labrig makes."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        del tmp
        _options, asked = self.validate_argument_spec(
            {
                "project": {"type": "path", "default": "."},
                "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
                "branch": {"type": "str"},
                "name": {"type": "str"},
                "pinned": {"type": "bool"},
                "host": {"type": "str", "default": ""},
                "wait": {"type": "str", "default": ""},
                "ssh_config": {"type": "path"},
            },
            required_one_of=[["branch", "name"]],
        )
        needs_labrig("labrig.core.experiment", MISSING)
        with in_ansibles_words():
            return {**result, **self._done(asked)}

    def _done(self, asked):
        order = self._order(asked)
        if asked["state"] == "absent":
            try:
                reports = [deploying.delete(order)]
            except deploying.Unknown:
                return {"changed": False, "app": order.settings.app, "name": order.name}
        else:
            reports = [deploying.deploy(order)]
            if asked["pinned"] is not None and not (self._task.check_mode and reports[0].changed):
                reports.append(deploying.pin(order, pinned=asked["pinned"]))
        found = {**reports[0].content(), "changed": any(one.changed for one in reports)}
        return {
            **found,
            "diff": {"prepared": "".join(f"+ {one}\n" for one in found["steps"])} if found["changed"] else {},
        }

    def _order(self, asked):
        name = asked["name"] or naming.label(naming.checked_branch(asked["branch"]))
        try:
            wait = duration(asked["wait"]).total_seconds() if asked["wait"] else 0
        except ValueError as error:
            raise UsageError(f"wait: {error}") from error
        config = asked["ssh_config"]
        return ordering.order(
            Path(self._loader.path_dwim(asked["project"])),
            name,
            branch=asked["branch"] or "",
            host=asked["host"],
            dry_run=self._task.check_mode,
            wait=wait,
            ssh_config=Path(self._loader.path_dwim(config)) if config else None,
        ).watched(Told(Display()))


class Told(Silent):
    """Tells with -v which step is done; that one failed, the module's own error tells."""

    def __init__(self, display):
        self._display = display

    def began(self, step):
        self._display.v(f"labrig: {step}")

    def said(self, text, *, is_error):
        del is_error
        self._display.vvv(plain(text))

    def ended(self, step, seconds):
        self._display.vv(f"labrig: {step}: {seconds:.1f} s")
