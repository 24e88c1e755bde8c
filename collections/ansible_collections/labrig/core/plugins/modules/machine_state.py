#!/usr/bin/python
# Copyright (c) 2026, The labrig contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: machine_state
short_description: Captures the state of a machine
version_added: 0.1.0
description:
  - Reads what a deployment can leave behind on the machine, such as files, packages, units, accounts and sockets.
  - The state is kept in a file on the controller, for M(labrig.core.machine_state_compare).
  - Works over every connection that runs commands, with and without pipelining. Nothing is written on the machine.
  - Reads as the user that the task runs as; use C(become) to read what only root may read.
options:
  dest:
    description:
      - File on the controller that the state is written to, as JSON lines; compressed where its name ends in C(.gz).
      - Written whole or not at all, readable to its owner alone. In check mode it is left as it is.
      - Without it the state is kept until the playbook ends.
    type: path
  dimensions:
    description:
      - What to read. C(labrig state dimensions) lists the names.
      - Without it everything is read.
    type: list
    elements: str
  only:
    description: Absolute paths. Of the files only these and what is below them are read.
    type: list
    elements: path
    default: []
  return_state:
    description: Whether to return every entry. There are some ten thousand of them.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: The machine is only looked at.
  diff_mode:
    support: none
    description: What differs is told by M(labrig.core.machine_state_compare).
  platform:
    platforms: linux
    support: full
    description: The machine needs Python 3.8 or newer.
notes:
  - The Python package C(labrig) has to be installed on the controller, for the Python that runs Ansible.
  - Waits until systemd has no job left, at most 20 seconds.
  - The machine is never changed, so the task never reports a change.
seealso:
  - module: labrig.core.machine_state_compare
author: The labrig contributors (@labrig)
"""

EXAMPLES = r"""
- name: Keep what the machine is before the deployment
  labrig.core.machine_state:
  become: true
  register: before

- name: Keep the state of every server, to be compared next month
  labrig.core.machine_state:
    dest: "states/{{ inventory_hostname }}.jsonl.gz"
  become: true

- name: Look at packages and at the files of one folder
  labrig.core.machine_state:
    dimensions: [package, file]
    only: [/etc/nginx]
    return_state: true
  register: nginx
"""

RETURN = r"""
path:
  description: File on the controller that holds the state.
  returned: success
  type: str
  sample: states/web1.jsonl.gz
entries:
  description: How many things were found.
  returned: success
  type: int
  sample: 11203
sha256:
  description: Hash of all that was found. It is the same where nothing differs, without any rule applied.
  returned: success
  type: str
  sample: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
header:
  description: What the state says of the machine and of its capture.
  returned: success
  type: dict
  sample: {"hostname": "web1", "system": "Debian GNU/Linux 12 (bookworm)", "root": true}
unreadable:
  description: Names of what could not be read completely, with the reason.
  returned: success
  type: dict
  sample: {}
state:
  description: Every entry.
  returned: when O(return_state=true)
  type: list
  elements: dict
  contains:
    dimension:
      description: What kind of thing it is.
      type: str
      sample: package
    key:
      description: Which one it is.
      type: str
      sample: nginx
    value:
      description: What was found.
      type: dict
      sample: {"version": "1.22.1-9"}
"""
