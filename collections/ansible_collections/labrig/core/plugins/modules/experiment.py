#!/usr/bin/python
# Copyright (c) 2026, The labrig contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: experiment
short_description: Deploys a branch as an experiment on a lab host, or removes one
version_added: 0.1.0
description:
  - An experiment is a branch of an application deployed on a lab host, with services and a URL of its own.
  - Does from the controller what C(labrig experiment create), C(update), C(pin) and C(delete) do, by the same settings.
  - What served before serves on until the new container is healthy, and where something fails.
options:
  project:
    description: The folder of the application, which has the settings in its C(labrig.yml), or a folder in it.
    type: path
    default: .
  state:
    description:
      - With V(present) the experiment is created, or brought up to date with its branch.
      - With V(absent) all that carries its labels is removed.
    type: str
    choices: [present, absent]
    default: present
  branch:
    description:
      - The branch. It has to be pushed, since the lab host fetches it.
      - Where it is left out, the experiment stays with the branch that it has.
    type: str
  name:
    description:
      - What the experiment is called, in lower-case letters, digits and single hyphens.
      - Where it is left out, it is made of O(branch).
    type: str
  pinned:
    description: Whether it stays until it is removed by hand, however old it gets. Left as it is by default.
    type: bool
  host:
    description: The lab host, of several in the settings, without asking the others.
    type: str
    default: ""
  wait:
    description: How long to wait, for example V(10m), for somebody else who changes it. Not at all by default.
    type: str
    default: ""
  ssh_config:
    description: A file that ssh reads in place of C(~/.ssh/config).
    type: path
attributes:
  check_mode:
    support: full
    description: Asks the lab host what there is, and returns the steps that would be taken.
  diff_mode:
    support: full
    description: Shows the steps.
  platform:
    platforms: posix
    support: full
    description: The controller needs OpenSSH; the lab host is what playbook C(labrig.core.lab) makes.
notes:
  - Runs on the controller whatever host the play is for, so a play for C(localhost) is all it needs.
  - The Python package C(labrig) has to be installed there, for the Python that runs Ansible.
  - Secrets in the settings are opened on the controller, with the keys of who runs the playbook.
seealso:
  - module: labrig.core.experiment_info
author: The labrig contributors (@labrig)
"""

EXAMPLES = r"""
- name: Deploy the branch of a merge request, and say where
  labrig.core.experiment:
    project: ../shop
    branch: feature/login
  register: login

- name: Look at it
  ansible.builtin.uri:
    url: "{{ login.url }}"

- name: Keep the demo until somebody removes it
  labrig.core.experiment:
    project: ../shop
    branch: main
    name: demo
    pinned: true

- name: Remove it again
  labrig.core.experiment:
    project: ../shop
    name: feature-login
    state: absent
"""

RETURN = r"""
app:
  description: The application.
  returned: success
  type: str
  sample: shop
name:
  description: The experiment.
  returned: success
  type: str
  sample: feature-login
host:
  description: The lab host that it is on.
  returned: success
  type: str
  sample: lab.example.com
url:
  description: Where it is seen.
  returned: success
  type: str
  sample: http://shop-feature-login.lab.example.com/
branch:
  description: Its branch.
  returned: success
  type: str
  sample: feature/login
release:
  description: The branch's commit; empty where it was removed.
  returned: success
  type: str
  sample: 1c629c3a1b0f00a089f86d081884c7d659a2feaa
steps:
  description: What was done, or would be.
  returned: success
  type: list
  elements: str
  sample: ["remove its folder"]
seconds:
  description: How long it took.
  returned: success
  type: float
  sample: 12.3
"""
