# Copyright (c) 2026, The labrig contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: lab
short_description: Lab hosts, and the experiments on them
version_added: 0.1.0
description:
  - Lists lab hosts as group C(lab), which playbook C(labrig.core.lab) makes lab hosts of, and the experiments
    on them as group C(experiments).
  - An experiment is called as its host name, and has variables that begin with C(experiment_). It is in group
    C(app_APP) of its application, with underscores in place of hyphens, and in group C(on_HOST) of its lab host.
  - Nothing is run on an experiment itself, since its host name leads to the edge. Plays for experiments ask their URLs
    from the controller.
  - A lab host that is not set up yet has no experiments, and one that cannot be reached is told with a warning; both
    are listed.
extends_documentation_fragment:
  - constructed
options:
  plugin:
    description: Says that the file is one of this plugin. Its name has to end with C(lab.yml) or C(lab.yaml).
    type: str
    required: true
    choices: [labrig.core.lab]
  hosts:
    description:
      - The lab hosts, as ssh knows them. A user before C(@) is the one that experiments are listed as.
      - Where there are none, those of O(project).
    type: list
    elements: str
    default: []
  project:
    description: The folder of an application whose C(labrig.yml) names lab hosts, relative to this file.
    type: path
    default: .
  experiments:
    description: Whether lab hosts are asked for their experiments.
    type: bool
    default: true
  ssh_config:
    description: A file that ssh reads in place of C(~/.ssh/config), relative to this file.
    type: path
    env:
      - name: LABRIG_SSH_CONFIG
requirements:
  - The Python package C(labrig), for the Python that runs Ansible.
author: The labrig contributors (@labrig)
"""

EXAMPLES = r"""
# lab.yml, also for: ansible-playbook -i lab.yml labrig.core.lab
plugin: labrig.core.lab
hosts: [lab1.example.com, lab2.example.com]
keyed_groups:
  - key: experiment_state
    prefix: state

# In place of `hosts`, an application whose labrig.yml names its lab hosts: then only its own experiments are listed.
# project: ../shop
"""

from pathlib import Path
from urllib.parse import urlsplit

from ansible.errors import AnsibleParserError
from ansible.inventory.group import to_safe_group_name
from ansible.plugins.inventory import BaseInventoryPlugin, Constructable
from ansible_collections.labrig.core.plugins.plugin_utils.controller import in_ansibles_words, needs_labrig, plain

try:
    from labrig.experiments import configuration, overview
    from labrig.experiments import hosts as lab_hosts
except ImportError as problem:
    MISSING = problem
else:
    MISSING = None

LAB = "lab"
EXPERIMENTS = "experiments"


class InventoryModule(BaseInventoryPlugin, Constructable):
    """Asks all lab hosts at once, over the connections that labrig makes."""

    NAME = "labrig.core.lab"

    def verify_file(self, path):
        return super().verify_file(path) and path.endswith(("lab.yml", "lab.yaml"))

    def parse(self, inventory, loader, path, cache=True):
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        needs_labrig("inventory plugin labrig.core.lab", MISSING, AnsibleParserError)
        folder = Path(path).resolve().parent
        config = self.get_option("ssh_config")
        with in_ansibles_words(AnsibleParserError):
            self._add(folder, folder / Path(config).expanduser() if config else None)

    def _add(self, folder, config):
        hosts, app = self.get_option("hosts"), ""
        if not hosts:
            settings = configuration.read(folder / Path(self.get_option("project")).expanduser())[1]
            hosts, app = settings.host, settings.app
            config = lab_hosts.configuration(settings, config)
        for group in (LAB, EXPERIMENTS):
            self.inventory.add_group(group)
        for host in hosts:
            self.inventory.add_host(_name(host), group=LAB)
            self._construct(_name(host), {})
        if self.get_option("experiments"):
            for host, seen in overview.of_hosts(hosts, config=config).items():
                if seen.trouble:
                    self.display.warning(plain(f"{_name(host)}: {seen.trouble}"))
                for one in seen.experiments:
                    if not app or one.app == app:
                        self._add_experiment(_name(host), one)

    def _add_experiment(self, host, one):
        # One that has never served has no host name yet.
        name = urlsplit(one.url).hostname or f"{one.app}-{one.name}"
        told = {f"experiment_{key}": value for key, value in one.object().items()}
        told["experiment_lab_host"] = host
        self.inventory.add_host(name, group=EXPERIMENTS)
        for variable, value in told.items():
            self.inventory.set_variable(name, variable, value)
        for group in (f"app_{one.app}", f"on_{host}"):
            self.inventory.add_child(self.inventory.add_group(to_safe_group_name(group, force=True, silent=True)), name)
        self._construct(name, told)

    def _construct(self, name, told):
        strict = self.get_option("strict")
        self._set_composite_vars(self.get_option("compose"), told, name, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), told, name, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), told, name, strict=strict)


def _name(host):
    """Return what the inventory calls a lab host: without the user that experiments are listed as."""
    return host.rpartition("@")[2]
