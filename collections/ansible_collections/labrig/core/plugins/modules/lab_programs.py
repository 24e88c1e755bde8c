#!/usr/bin/python
# Copyright (c) 2026, The labrig contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: lab_programs
short_description: Installs the programs of a lab host
version_added: 0.1.0
description:
  - Writes the programs by which experiments are deployed, listed, swept, put to sleep and woken on a lab host.
  - They are one file that Python starts, made of the Python package C(labrig) on the controller. Two short scripts
    start it, C(labrig-lab) for all users and C(labrig-edge) for root. They use Python's standard library alone.
  - Role P(labrig.core.lab_host#role) uses this.
options:
  archive:
    description: The file with the programs.
    type: path
    default: /usr/local/lib/labrig/labrig-lab.pyz
  interpreter:
    description: The Python that starts them, 3.11 or newer.
    type: path
    default: /usr/bin/python3
attributes:
  check_mode:
    support: full
    description: Can run in check_mode and return changed status prediction without modifying the host.
  diff_mode:
    support: partial
    description: The scripts are shown; of the archive, that it changes.
  platform:
    platforms: posix
    support: full
    description: Linux.
notes:
  - The Python package C(labrig) has to be installed on the controller, for the Python that runs Ansible.
  - The same version of it always writes the same bytes.
seealso:
  - module: ansible.builtin.copy
author: The labrig contributors (@labrig)
"""

EXAMPLES = r"""
- name: Install the programs of a lab host
  become: true
  labrig.core.lab_programs:
"""

RETURN = r"""
files:
  description: What is installed.
  type: list
  elements: str
  returned: always
  sample: [/usr/local/lib/labrig/labrig-lab.pyz, /usr/local/bin/labrig-lab, /usr/local/sbin/labrig-edge]
version:
  description: The version of labrig that the programs are of.
  type: str
  returned: always
  sample: 0.1.0
"""
