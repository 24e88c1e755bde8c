#!/usr/bin/python
# Copyright (c) 2026, The labrig contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: experiment_info
short_description: Tells which experiments there are
version_added: 0.1.0
description:
  - Asks the lab hosts of an application's settings for the experiments on them, as C(labrig experiment list) does.
  - A lab host that cannot be asked is an error, since what was not asked for is not absent.
options:
  project:
    description: The folder of the application, which has the settings in its C(labrig.yml), or a folder in it.
    type: path
    default: .
  name:
    description: Only the experiment of this name.
    type: str
  all_apps:
    description: Also the experiments of other applications.
    type: bool
    default: false
  host:
    description: The lab host, of several in the settings, without asking the others.
    type: str
    default: ""
  ssh_config:
    description: A file that ssh reads in place of C(~/.ssh/config).
    type: path
attributes:
  check_mode:
    support: full
    description: Nothing is ever changed.
  diff_mode:
    support: none
    description: Nothing is ever changed.
  platform:
    platforms: posix
    support: full
    description: The controller needs OpenSSH; the lab host is what playbook C(labrig.core.lab) makes.
notes:
  - Runs on the controller whatever host the play is for.
  - The Python package C(labrig) has to be installed there, for the Python that runs Ansible.
seealso:
  - module: labrig.core.experiment
author: The labrig contributors (@labrig)
"""

EXAMPLES = r"""
- name: Look which experiments there are
  labrig.core.experiment_info:
    project: ../shop
  register: shop

- name: Remove those that nobody will look at again
  labrig.core.experiment:
    project: ../shop
    name: "{{ item.name }}"
    state: absent
  loop: "{{ shop.experiments | selectattr('state', 'equalto', 'sleeps') }}"
"""

RETURN = r"""
experiments:
  description: The experiments, by lab host, application and name.
  returned: success
  type: list
  elements: dict
  contains:
    host:
      description: The lab host, as the settings name it.
      type: str
      sample: lab.example.com
    app:
      description: The application.
      type: str
      sample: shop
    name:
      description: The experiment.
      type: str
      sample: feature-login
    state:
      description:
        - V(serves) where requests go to its container, V(sleeps) where the next request wakes it, V(does not answer)
          where its container does not run, V(was never ready) where requests go nowhere yet.
      type: str
      sample: serves
    url:
      description: Where it is seen; empty where it has never served.
      type: str
      sample: http://shop-feature-login.lab.example.com/
    branch:
      description: Its branch.
      type: str
      sample: feature/login
    release:
      description: The commit that serves.
      type: str
      sample: 1c629c3a1b0f00a089f86d081884c7d659a2feaa
    repository:
      description: Where its branch is.
      type: str
      sample: git@git.example.com:team/shop.git
    creator:
      description: Who made it.
      type: str
      sample: anna@desk
    created:
      description: When.
      type: str
      sample: "2026-01-05T09:30:00+00:00"
    deployed:
      description: When it was last deployed.
      type: str
      sample: "2026-01-06T11:00:00+00:00"
    expires:
      description: When its time is over; empty is never.
      type: str
      sample: "2026-01-13T11:00:00+00:00"
    pinned:
      description: Whether it stays until it is removed by hand.
      type: bool
      sample: false
    sleeps:
      description: Seconds without a request after which it sleeps; 0 is never.
      type: float
      sample: 0.0
    services:
      description: Whether each of its own services runs, by name.
      type: dict
      sample: {"db": true}
    busy:
      description: Who deploys or removes it right now; empty for nobody.
      type: str
      sample: ""
    version:
      description: The version that requests go to.
      type: str
      sample: 4be1c02d9f61
"""
