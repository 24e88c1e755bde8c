#!/usr/bin/python
# Copyright (c) 2026, The labrig contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: machine_state_compare
short_description: Asserts that two states of machines are the same
version_added: 0.1.0
description:
  - Compares two states by meaning and fails where they differ, with one sentence for each difference.
  - Runs on the controller; no machine is asked.
options:
  left:
    description:
      - A file of M(labrig.core.machine_state) or of C(labrig state capture).
      - Or the name of a host whose state M(labrig.core.machine_state) captured in the same run, of several the latest.
    type: str
    required: true
  right:
    description: The other one, like O(left).
    type: str
    required: true
  rules:
    description:
      - Which rules set differences aside. C(labrig state rules) lists them.
      - V(two-machines) are for two servers that are to be alike. Each has host keys of its own, for example.
      - V(one-machine) are for one server before and after something.
      - With V(auto) it is V(one-machine) where both states are of one host, else V(two-machines).
    type: str
    choices: [auto, one-machine, two-machines, none]
    default: auto
  allowed:
    description: What may differ. One that does not differ is returned in RV(unused).
    type: list
    elements: dict
    default: []
    suboptions:
      dimension:
        description: What kind of thing it is.
        type: str
        required: true
      key:
        description: Which one it is, exactly.
        type: str
        required: true
      reason:
        description: Why it may differ.
        type: str
        required: true
  fail_on_difference:
    description: Whether the task fails where the states differ.
    type: bool
    default: true
attributes:
  check_mode:
    support: full
    description: Files are only read.
  diff_mode:
    support: none
    description: The differences are the result itself.
  platform:
    platforms: posix
    support: full
    description: The controller.
notes:
  - The Python package C(labrig) has to be installed on the controller, for the Python that runs Ansible.
  - Use C(run_once) where the hosts are named, so that the same comparison is not made for each host.
seealso:
  - module: labrig.core.machine_state
author: The labrig contributors (@labrig)
"""

EXAMPLES = r"""
- name: Look at both servers
  hosts: web1, web2
  become: true
  tasks:
    - name: Capture the state
      labrig.core.machine_state:

    - name: Assert that both are alike
      labrig.core.machine_state_compare:
        left: web1
        right: web2
        allowed:
          - dimension: file
            key: /etc/motd
            reason: it names the server
      run_once: true

- name: See whether a server is still what it was
  hosts: web1
  become: true
  tasks:
    - name: Capture the state
      labrig.core.machine_state:

    - name: Compare it with last month's
      labrig.core.machine_state_compare:
        left: states/web1.jsonl.gz
        right: web1
        fail_on_difference: false
      register: drift
"""

RETURN = r"""
same:
  description: Whether nothing differs.
  returned: success or failure by a difference
  type: bool
sentences:
  description: One sentence for each difference.
  returned: success or failure by a difference
  type: list
  elements: str
  sample: ["file /etc/motd: mode is 0644 on web1 and 0600 on web2"]
comparison:
  description: The whole comparison, as C(labrig state compare --json) writes it.
  returned: success or failure by a difference
  type: dict
  sample: {"schema": "labrig.comparison/1", "same": true}
unused:
  description: What may differ by O(allowed) and does not.
  returned: success or failure by a difference
  type: list
  elements: str
  sample: []
"""
