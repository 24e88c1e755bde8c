# Copyright (c) 2026, The labrig contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: session
short_description: Runs tasks in a machine under test through the session that labrig keeps there
version_added: 0.1.0
description:
  - One process that stays in the machine starts all commands; other connections have the engine start each of them.
  - For C(labrig prove), which opens the session and names its socket, and for labrig's machines in Molecule, where the
    first task of a playbook opens it.
author: The labrig contributors (@labrig)
options:
  remote_addr:
    description: The container.
    default: inventory_hostname
    vars:
      - name: inventory_hostname
      - name: ansible_host
      - name: ansible_labrig_container
  remote_user:
    description: The user to run commands as; that of the image where there is none.
    ini:
      - section: defaults
        key: remote_user
    env:
      - name: ANSIBLE_REMOTE_USER
    vars:
      - name: ansible_user
    cli:
      - name: user
    keyword:
      - name: remote_user
  socket:
    description: Where labrig listens.
    type: path
    env:
      - name: LABRIG_SESSIONS
    vars:
      - name: ansible_labrig_sessions
  start:
    description: Whether to start the process that listens there where there is none; it ends soon after the playbook.
    type: bool
    default: false
    vars:
      - name: ansible_labrig_start
"""

import fcntl
import json
import multiprocessing
import os
import selectors
import shlex
import socket
import struct
import subprocess
import sys
import time

from ansible.errors import AnsibleConnectionFailure, AnsibleFileNotFound
from ansible.module_utils.common.text.converters import to_bytes, to_text
from ansible.plugins.connection import ConnectionBase
from ansible.utils.display import Display

HEADER = struct.Struct("!BII")
OPEN = 1
INPUT = 2
END_OF_INPUT = 3
OUTPUT = 5
ERRORS = 6
EXIT = 7
FAILED = 9
PIECE = 1 << 16
START_SECONDS = 20.0
SERVER = "labrig.session.server"

display = Display()


class Connection(ConnectionBase):
    """Speaks to labrig's broker: a connection of its own for each command."""

    transport = "labrig.core.session"
    has_pipelining = True

    def _connect(self):
        self._connected = True
        return self

    def close(self):
        self._connected = False

    def reset(self):
        """Give up the process in the machine: the next one sees a user's new groups."""
        with self._broker() as broker:
            broker.sendall(_frame(OPEN, json.dumps({**self._place(), "reset": True}).encode()))
            broker.shutdown(socket.SHUT_WR)
            broker.recv(1)

    def exec_command(self, cmd, in_data=None, sudoable=True):
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        display.vvv(f"EXEC {to_text(cmd)}", host=self.get_option("remote_addr"))
        asks = bool(self.become and sudoable and self.become.expect_prompt())
        return self._run([self._play_context.executable or "/bin/sh", "-c", to_text(cmd)], in_data, asks)

    def put_file(self, in_path, out_path):
        super().put_file(in_path, out_path)
        display.vvv(f"PUT {in_path} TO {out_path}", host=self.get_option("remote_addr"))
        try:
            with open(in_path, "rb") as stream:
                content = stream.read()
        except FileNotFoundError as error:
            raise AnsibleFileNotFound(f"{in_path} does not exist") from error
        code, _out, errors = self._run(["/bin/sh", "-c", f"cat > {shlex.quote(_absolute(out_path))}"], content)
        if code:
            raise AnsibleConnectionFailure(f"{out_path} cannot be written: {to_text(errors).strip()}")

    def fetch_file(self, in_path, out_path):
        super().fetch_file(in_path, out_path)
        display.vvv(f"FETCH {in_path} TO {out_path}", host=self.get_option("remote_addr"))
        code, content, errors = self._run(["/bin/sh", "-c", f"cat < {shlex.quote(_absolute(in_path))}"])
        if code:
            raise AnsibleConnectionFailure(f"{in_path} cannot be read: {to_text(errors).strip()}")
        with open(out_path, "wb") as stream:
            stream.write(content)

    def _place(self):
        place = {"container": self.get_option("remote_addr"), "user": self.get_option("remote_user") or ""}
        if self.get_option("start"):
            # Sessions last as long as the playbook, whose process is the parent of the one that works on a task.
            playbook = multiprocessing.parent_process()
            place["owner"] = playbook.pid if playbook else os.getpid()
        return place

    def _broker(self):
        path = self.get_option("socket")
        if not path:
            raise AnsibleConnectionFailure("labrig.core.session works for labrig alone: no session is open")
        broker, problem = _connected(path)
        if broker is None and self.get_option("start"):
            broker = _started(path)
        if broker is None:
            raise AnsibleConnectionFailure(f"labrig does not listen at {path}: {problem}")
        return broker

    def _run(self, arguments, in_data=None, asks=False):
        """Run a command; return exit code, output and errors."""
        told = {OUTPUT: bytearray(), ERRORS: bytearray()}
        wish = {**self._place(), "arguments": arguments, "input": asks or in_data is not None}
        asked = _frame(OPEN, json.dumps(wish).encode())
        with self._broker() as broker:
            line = _Line(broker, asked if asks else asked + _input(in_data))
            for kind, payload in line.frames():
                if kind == EXIT:
                    return int(payload), bytes(told[OUTPUT]), bytes(told[ERRORS])
                if kind == FAILED:
                    raise AnsibleConnectionFailure(f"no session in the machine: {to_text(payload)}")
                told[kind] += payload
                if asks and self._may_go_on(told):
                    asks = False
                    line.add(self._answer(told) + _input(in_data))
        raise AnsibleConnectionFailure("the session in the machine broke off")

    def _may_go_on(self, told):
        said = bytes(told[OUTPUT] + told[ERRORS])
        return self.become.check_success(said) or self.become.check_password_prompt(said)

    def _answer(self, told):
        if self.become.check_success(bytes(told[OUTPUT] + told[ERRORS])):
            return b""
        password = self.become.get_option("become_pass", playcontext=self._play_context)
        return _frame(INPUT, to_bytes(password or "") + b"\n")


class _Line:
    """Both directions of a connection at once: neither end waits for the other to read."""

    def __init__(self, end, to_send):
        self._end = end
        self._to_send = bytearray(to_send)
        self._selector = selectors.DefaultSelector()
        self._selector.register(end, selectors.EVENT_READ | selectors.EVENT_WRITE)

    def add(self, to_send):
        self._to_send += to_send
        self._selector.modify(self._end, selectors.EVENT_READ | selectors.EVENT_WRITE)

    def frames(self):
        """Yield kind and payload of what comes, until the other end closes."""
        received = bytearray()
        while True:
            ((_key, events),) = self._selector.select()
            if events & selectors.EVENT_WRITE:
                self._write()
            if events & selectors.EVENT_READ:
                piece = self._end.recv(PIECE)
                if not piece:
                    return
                received += piece
                while len(received) >= HEADER.size:
                    kind, _channel, length = HEADER.unpack_from(received)
                    end = HEADER.size + length
                    if len(received) < end:
                        break
                    payload = bytes(received[HEADER.size : end])
                    del received[:end]
                    yield kind, payload

    def _write(self):
        if self._to_send:
            del self._to_send[: self._end.send(self._to_send[:PIECE])]
        if not self._to_send:
            self._selector.modify(self._end, selectors.EVENT_READ)


def _connected(path):
    """Return a connection to who listens at a socket; None and the reason where nobody does."""
    broker = socket.socket(socket.AF_UNIX)
    try:
        broker.connect(path)
    except OSError as error:
        broker.close()
        return None, error
    return broker, None


def _started(path):
    """Start who listens, unless another task does so at the same time; return a connection."""
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    with open(f"{path}.lock", "w") as lock, open(f"{path}.log", "w+b") as log:
        fcntl.flock(lock, fcntl.LOCK_EX)
        broker, _problem = _connected(path)
        if broker is not None:
            return broker
        if os.path.exists(path):
            # Left by one that was killed.
            os.unlink(path)
        server = subprocess.Popen(
            [sys.executable, "-m", SERVER, path],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        limit = time.monotonic() + START_SECONDS
        while time.monotonic() < limit and server.poll() is None:
            broker, _problem = _connected(path)
            if broker is not None:
                return broker
            time.sleep(0.02)
        log.seek(0)
        said = to_text(log.read()).strip().splitlines()
    raise AnsibleConnectionFailure(
        f"{SERVER} does not start with {sys.executable}: {said[-1] if said else 'it says nothing'}"
    )


def _frame(kind, payload=b""):
    return HEADER.pack(kind, 0, len(payload)) + payload


def _input(in_data):
    data = to_bytes(in_data or b"")
    return (_frame(INPUT, data) if data else b"") + _frame(END_OF_INPUT)


def _absolute(path):
    return path if path.startswith("/") else os.path.join("/", path)
