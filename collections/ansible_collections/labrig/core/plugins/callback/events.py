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
  - Lets several playbook runs share what they make of modules, where a folder is named for it.
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
  watch_socket:
    description:
      - A Unix socket that each task's end is told to, as one JSON object a line.
      - The play goes on when a line comes back.
      - Whoever listens there can look at the host between two tasks.
    type: path
    env:
      - name: LABRIG_WATCH_SOCKET
    ini:
      - section: callback_events
        key: watch_socket
  modules:
    description:
      - A folder for the archives that Ansible makes of modules.
      - For runs in which the same name always means the same module.
      - Making one takes 0.2 s of a processor, and otherwise every run of C(ansible-playbook) makes its own.
    type: path
    env:
      - name: LABRIG_MODULES
"""

import contextlib
import json
import os
import re
import socket
import time

from ansible import constants
from ansible.plugins.callback import CallbackBase

MESSAGE_LIMIT = 4000
# Keys of a result or of its arguments that name a path on the host.
PATH_KEYS = ("dest", "path", "creates", "removes", "state_file")
# Keys of the arguments that name a package, a unit, an account.
NAME_KEYS = ("name", "pkg", "package", "unit", "service")
# Keys of the arguments that keep a task from doing its work.
GUARD_KEYS = ("creates", "removes", "force")
# Tasks that happen in Ansible alone: after them a host is what it was before.
ELSEWHERE = (
    "debug",
    "set_fact",
    "assert",
    "fail",
    "add_host",
    "group_by",
    "set_stats",
    "include_vars",
    "validate_argument_spec",
)
# Scheme and host; what stands between them is a user and his password.
URL = re.compile(r"\b((?:https?|ftps?|git|ssh|svn|s3)://)(?:[^/\s@'\"]*@)?([\w.-]+|\[[0-9a-fA-F:]+\])")
# In seconds; whoever takes longer to look is waited for no more.
WATCH_LIMIT = 120


class CallbackModule(CallbackBase):
    """Appends events to the file named by the option ``events_file``."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "labrig.core.events"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._file = None
        self._watch = None
        self._strategy = ""
        self._background = {}
        self._began = {}
        self._items = {}

    def set_options(self, *args, **kwargs):
        super().set_options(*args, **kwargs)
        path = self.get_option("events_file")
        if path:
            self._file = open(path, "a", encoding="utf-8", buffering=1)  # noqa: SIM115  # lives as long as the play
        path = self.get_option("modules")
        if path:
            # Where a run keeps them; if that is another place one day, every run makes its own again.
            with contextlib.suppress(OSError):
                os.symlink(path, os.path.join(constants.DEFAULT_LOCAL_TMP, "ansiballz_cache"))
        path = self.get_option("watch_socket")
        if path:
            self._watch = socket.socket(socket.AF_UNIX)
            self._watch.settimeout(WATCH_LIMIT)
            self._watch.connect(path)

    def v2_playbook_on_play_start(self, play):
        self._strategy = getattr(play, "strategy", "") or "linear"

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
        if self._watch is not None:
            # Whoever watches knows by this that every task was told.
            self._watch.sendall(b'{"end": true}\n')

    def _keep_item(self, result, outcome):
        fields = _fields(result)
        kept = self._items.setdefault((_of(result, "host").get_name(), _of(result, "task")._uuid), [])
        told = outcome != "ok"
        if told or self._watch is not None:
            label = fields.get("_ansible_item_label", fields.get("item", ""))
            paths = _named(fields, PATH_KEYS, absolute=True)
            names = _named(fields, NAME_KEYS, absolute=False)
            message = _message(fields) if told else ""
            item = {"item": str(label)[:200], "result": outcome, "message": message}
            kept.append({**item, "told": told, "paths": paths, "names": names})

    def _end(self, result, outcome, ignored=False):
        host = _of(result, "host").get_name()
        task = _of(result, "task")
        fields = _fields(result)
        now = (time.time(), time.monotonic())
        began = self._began.pop((host, task._uuid), now)
        items = self._items.pop((host, task._uuid), [])
        ended = {
            "event": "end",
            "host": host,
            **_task(task),
            "result": outcome,
            "ignored": ignored,
            "began": round(began[0], 3),
            "seconds": round(now[1] - began[1], 3),
            "message": "" if outcome in ("ok", "skipped") else _message(fields),
            "items": [{name: item[name] for name in ("item", "result", "message")} for item in items if item["told"]],
            "paths": _named(fields, PATH_KEYS, absolute=True),
            "names": _named(fields, NAME_KEYS, absolute=False),
            "guards": _guards(fields),
            "reached": [] if outcome == "skipped" else _reached(fields),
        }
        self._write(ended)
        # The next task of this host is not begun before this returns, whatever the strategy.
        self._show(ended, fields, items)

    def _show(self, ended, fields, items):
        """Tell whoever watches that a task ended, and wait until they have looked."""
        if self._watch is None or ended["result"] == "skipped" or ended["action"].rsplit(".", 1)[-1] in ELSEWHERE:
            return
        background = self._background.setdefault(ended["host"], {})
        # A job that has finished while this task ran did its work meanwhile as well.
        meanwhile = set(background.values())
        for job, finished in _jobs(fields):
            background.pop(job, None)
            if not finished:
                background[job] = f"{ended['task']} ({ended['path']})"
        delegated = (fields.get("_ansible_delegated_vars") or {}).get("ansible_delegated_host")
        told = {
            **{name: ended[name] for name in ("host", "task", "role", "path", "action", "result", "paths", "names")},
            "items": [{"item": item["item"], "paths": item["paths"], "names": item["names"]} for item in items],
            "delegated": delegated,
            "strategy": self._strategy,
            "background": sorted(meanwhile),
        }
        try:
            self._watch.sendall(json.dumps(told, default=str).encode() + b"\n")
            while not self._watch.recv(1).endswith(b"\n"):
                pass
        except OSError as problem:
            self._display.warning(f"nobody looks at what tasks do any more: {problem}")
            self._watch.close()
            self._watch = None

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


def _guards(fields):
    """Return what may have kept the task from its work, as it stands there: ``creates: /etc/x``, ``force: false``."""
    if fields.get("_ansible_no_log"):
        return []
    found = set()
    for one in [fields, *(fields.get("results") or [])]:
        if isinstance(one, dict):
            arguments = (one.get("invocation") or {}).get("module_args") or {}
            for key in GUARD_KEYS:
                value = arguments.get(key)
                if value is False or (isinstance(value, str) and key != "force"):
                    found.add(f"{key}: {str(value).lower() if value is False else value}")
    return sorted(found)


def _reached(fields):
    """Return whom the arguments name by a URL, such as ``https://example.com``; no more of it, which may be secret."""
    found = set()
    for one in [fields, *(fields.get("results") or [])]:
        if isinstance(one, dict):
            _find_urls((one.get("invocation") or {}).get("module_args"), found)
            _find_urls(one.get("cmd"), found)
    return sorted(found)


def _find_urls(value, found):
    if isinstance(value, str):
        found.update(scheme + host for scheme, host in URL.findall(value))
    elif isinstance(value, dict):
        for one in value.values():
            _find_urls(one, found)
    elif isinstance(value, (list, tuple)):
        for one in value:
            _find_urls(one, found)


def _jobs(fields):
    """Yield the background jobs that a result tells of, and whether each has finished."""
    for one in [fields, *(fields.get("results") or [])]:
        if isinstance(one, dict) and one.get("ansible_job_id"):
            yield one["ansible_job_id"], bool(one.get("finished"))


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
