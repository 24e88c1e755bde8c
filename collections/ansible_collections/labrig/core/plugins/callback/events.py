# Copyright (c) 2026, The labrig contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: events
type: notification
short_description: Writes what a playbook does to a file, as one JSON object a line
version_added: 0.1.0
description:
  - Writes one line when a task starts on a host, one when it ended, and one with the totals of each host.
  - C(labrig prove) reads them, so that it need not read the text that Ansible prints for people.
  - Does nothing where no file is named.
author: The labrig contributors (@labrig)
options:
  events_file:
    description: The file that the lines are appended to.
    type: path
    env:
      - name: LABRIG_EVENTS_FILE
    ini:
      - section: callback_events
        key: events_file
"""

import json
import time

from ansible.plugins.callback import CallbackBase

MESSAGE_LIMIT = 4000
# Keys of a result or of its arguments that name a path on the host.
PATH_KEYS = ("dest", "path", "creates", "removes", "state_file")
# Keys of the arguments that name a package, a unit, an account.
NAME_KEYS = ("name", "pkg", "package", "unit", "service")


class CallbackModule(CallbackBase):
    """Appends events to the file named by the option ``events_file``."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "labrig.core.events"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._file = None
        self._began = {}
        self._items = {}

    def set_options(self, *args, **kwargs):
        super().set_options(*args, **kwargs)
        path = self.get_option("events_file")
        if path:
            self._file = open(path, "a", encoding="utf-8", buffering=1)  # noqa: SIM115  # lives as long as the play

    def v2_runner_on_start(self, host, task):
        self._began[(host.get_name(), task._uuid)] = (time.time(), time.monotonic())
        self._write({"event": "start", "host": host.get_name(), **_task(task)})

    def v2_runner_item_on_ok(self, result):
        self._keep_item(result, "changed" if _fields(result).get("changed") else "ok")

    def v2_runner_item_on_failed(self, result):
        self._keep_item(result, "failed")

    def v2_runner_on_ok(self, result):
        self._end(result, "changed" if _fields(result).get("changed") else "ok")

    def v2_runner_on_skipped(self, result):
        self._end(result, "skipped")

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._end(result, "failed", ignored=bool(ignore_errors))

    def v2_runner_on_unreachable(self, result):
        self._end(result, "unreachable")

    def v2_playbook_on_stats(self, stats):
        hosts = {host: stats.summarize(host) for host in sorted(stats.processed)}
        self._write({"event": "stats", "hosts": hosts})

    def _keep_item(self, result, outcome):
        fields = _fields(result)
        kept = self._items.setdefault((_of(result, "host").get_name(), _of(result, "task")._uuid), [])
        if outcome != "ok":
            label = fields.get("_ansible_item_label", fields.get("item", ""))
            kept.append({"item": str(label)[:200], "result": outcome, "message": _message(fields)})

    def _end(self, result, outcome, ignored=False):
        host = _of(result, "host").get_name()
        task = _of(result, "task")
        fields = _fields(result)
        now = (time.time(), time.monotonic())
        began = self._began.pop((host, task._uuid), now)
        self._write(
            {
                "event": "end",
                "host": host,
                **_task(task),
                "result": outcome,
                "ignored": ignored,
                "began": round(began[0], 3),
                "seconds": round(now[1] - began[1], 3),
                "message": "" if outcome in ("ok", "skipped") else _message(fields),
                "items": self._items.pop((host, task._uuid), []),
                "paths": _named(fields, PATH_KEYS, absolute=True),
                "names": _named(fields, NAME_KEYS, absolute=False),
            }
        )

    def _write(self, event):
        if self._file is not None:
            self._file.write(json.dumps(event, default=str) + "\n")


def _of(result, name):
    """Return a part of a task's result: public since ansible-core 2.19, with an underscore before."""
    return getattr(result, name, None) or getattr(result, "_" + name)


def _fields(result):
    return _of(result, "result") if hasattr(result, "result") else result._result


def _task(task):
    role = getattr(task, "_role", None)
    return {
        "task": task.get_name(),
        "action": task.action,
        "role": role.get_name() if role else None,
        "path": task.get_path() or "",
    }


def _message(fields):
    if fields.get("_ansible_no_log") or "censored" in fields:
        return "(hidden by no_log)"
    parts = []
    for key in ("msg", "reason", "stderr", "module_stderr", "module_stdout", "stdout"):
        value = str(fields.get(key) or "").strip()
        if value and value not in parts:
            parts.append(value)
    return "\n".join(parts)[:MESSAGE_LIMIT]


def _named(fields, keys, absolute):
    """Return what the result and its arguments name under the keys, of a loop those of all items."""
    if fields.get("_ansible_no_log"):
        return []
    found = set()
    for one in [fields, *(fields.get("results") or [])]:
        if not isinstance(one, dict):
            continue
        arguments = (one.get("invocation") or {}).get("module_args") or {}
        for source in (one, arguments):
            for key in keys:
                value = source.get(key)
                for word in value if isinstance(value, list) else [value]:
                    if isinstance(word, str) and word and word.startswith("/") == absolute:
                        found.add(word)
    return sorted(found)
