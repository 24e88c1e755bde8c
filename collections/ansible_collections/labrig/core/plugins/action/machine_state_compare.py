# Copyright (c) 2026, The labrig contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.labrig.core.plugins.plugin_utils.controller import in_ansibles_words, needs_labrig

try:
    from labrig.state import comparison
    from labrig.state.model import State
    from labrig.targets import files
except ImportError as problem:
    MISSING = problem
else:
    MISSING = None

# Where machine_state leaves the path of the latest state, among a host's facts.
FACT = "labrig_machine_state"
SHOWN = 50


class ActionModule(ActionBase):
    """Compares two states on the controller."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        del tmp
        _options, asked = self.validate_argument_spec(
            {
                "left": {"type": "str", "required": True},
                "right": {"type": "str", "required": True},
                "rules": {
                    "type": "str",
                    "choices": ["auto", "one-machine", "two-machines", "none"],
                    "default": "auto",
                },
                "allowed": {
                    "type": "list",
                    "elements": "dict",
                    "default": [],
                    "options": {
                        "dimension": {"type": "str", "required": True},
                        "key": {"type": "str", "required": True},
                        "reason": {"type": "str", "required": True},
                    },
                },
                "fail_on_difference": {"type": "bool", "default": True},
            }
        )
        needs_labrig("labrig.core.machine_state_compare", MISSING)
        with in_ansibles_words():
            pair = [self._state(asked[side], task_vars or {}) for side in ("left", "right")]
        told = comparison.tell(
            *pair,
            rules="" if asked["rules"] == "auto" else asked["rules"],
            allowed={(one["dimension"], one["key"]): one["reason"] for one in asked["allowed"]},
        )
        sentences = [said for dimension in told.sentences().values() for said in dimension]
        more = [f"... and {len(sentences) - SHOWN} more"] if len(sentences) > SHOWN else []
        failed = not told.same and asked["fail_on_difference"]
        return {
            **result,
            "changed": False,
            "failed": failed,
            "same": told.same,
            "sentences": sentences,
            "unused": list(told.unused),
            "comparison": told.as_json(),
            "msg": "\n".join([told.answer(), *sentences[:SHOWN], *more]),
        }

    def _state(self, named, task_vars):
        path = _captured(named, task_vars) or self._loader.path_dwim(named)
        if not os.path.exists(path):
            raise AnsibleActionFail(
                f"{named} is neither a file nor a host whose state was captured in this run; "
                "labrig.core.machine_state captures one"
            )
        return State.parse(files.read(path), source=path)


def _captured(host, task_vars):
    """Return the file with the latest state of a host, None where none was captured."""
    if host == task_vars.get("inventory_hostname"):
        facts = task_vars.get("ansible_facts")
    else:
        known = task_vars["hostvars"] if host in (task_vars.get("hostvars") or {}) else {}
        facts = known[host].get("ansible_facts") if known else None
    return ((facts or {}).get(FACT) or {}).get("path")
