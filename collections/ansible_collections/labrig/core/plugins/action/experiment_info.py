# Copyright (c) 2026, The labrig contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.labrig.core.plugins.plugin_utils.controller import in_ansibles_words, needs_labrig

try:
    from labrig.experiments import configuration, hosts, overview
except ImportError as problem:
    MISSING = problem
else:
    MISSING = None


class ActionModule(ActionBase):
    """Asks lab hosts from the controller, over the connections that labrig makes."""

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
                "name": {"type": "str"},
                "all_apps": {"type": "bool", "default": False},
                "host": {"type": "str", "default": ""},
                "ssh_config": {"type": "path"},
            }
        )
        needs_labrig("labrig.core.experiment_info", MISSING)
        with in_ansibles_words():
            return {**result, "changed": False, "experiments": self._found(asked)}

    def _found(self, asked):
        settings = configuration.read(Path(self._loader.path_dwim(asked["project"])))[1]
        config = asked["ssh_config"] and Path(self._loader.path_dwim(asked["ssh_config"]))
        seen = overview.of_hosts(
            hosts.chosen(settings, asked["host"]), config=hosts.configuration(settings, config or None)
        )
        for host, one in seen.items():
            # What is not there must be told from what was not asked.
            if one.trouble:
                raise AnsibleActionFail(f"{host} does not tell its experiments: {one.trouble}")
        return [
            {**one.object(), "host": host}
            for host, there in seen.items()
            for one in there.experiments
            if (asked["all_apps"] or one.app == settings.app) and asked["name"] in {None, one.name}
        ]
