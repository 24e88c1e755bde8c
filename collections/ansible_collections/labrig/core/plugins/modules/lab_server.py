#!/usr/bin/python
# Copyright (c) 2026, The labrig contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: lab_server
short_description: Has the container of a server that experiments share
version_added: 0.1.0
description:
  - Makes the container of a server on a lab host.
  - It is made anew when its image, its variables or what it may use have changed, and only then. Its volume stays,
    and so do the networks of experiments that it is on, with the names that they know it by.
  - The container is not started; a unit of systemd does that, which is stopped first.
  - Role P(labrig.core.shared_server#role) uses this.
options:
  name:
    description: What the container and its volume are called.
    type: str
    required: true
  image:
    description: The image, which has to be there.
    type: str
    required: true
  folder:
    description: The folder in the container that its volume is mounted at.
    type: path
    required: true
  variables:
    description: A file on the host with its variables, one C(NAME=VALUE) a line.
    type: path
    required: true
  command:
    description: Its command, where the image's own will not do.
    type: list
    elements: str
    default: []
  memory:
    description: How much memory it may use, as Docker writes sizes. It gets no swap.
    type: str
    required: true
  cpus:
    description: How many processors it may use.
    type: str
    required: true
  processes:
    description: How many processes it may have.
    type: int
    required: true
attributes:
  check_mode:
    support: full
    description: Can run in check_mode and return changed status prediction without modifying the host.
  diff_mode:
    support: none
    description: What is remembered of a container is a hash, since its variables hold a password.
  platform:
    platforms: posix
    support: full
    description: Linux.
requirements:
  - Docker's client and engine on the host
author: The labrig contributors (@labrig)
"""

EXAMPLES = r"""
- name: Have the container of a server
  labrig.core.lab_server:
    name: labrig-lab--mariadb
    image: mariadb:10.11
    folder: /var/lib/mysql
    variables: /etc/labrig/servers/mariadb.env
    memory: 1g
    cpus: "1"
    processes: 512
"""

RETURN = r"""
networks:
  description: The networks of experiments that the container is on.
  type: list
  elements: str
  returned: always
  sample: [shop--login]
"""

import hashlib
import json

from ansible.module_utils.basic import AnsibleModule

# Tells what a container was made of.
MARK = "org.labrig.server"
LABEL = "--label=org.labrig.kind=lab"


class Server:
    """The container of a server: what there is of it, and what is wanted."""

    def __init__(self, module):
        self._module = module
        self._wanted = module.params
        self._name = module.params["name"]
        self._stands = self._inspected("container", self._name)
        self._networks = dict(self._stands["NetworkSettings"]["Networks"]) if self._stands else {}
        self._networks.pop("bridge", None)

    @property
    def networks(self):
        """The networks of experiments that it is on."""
        return sorted(self._networks)

    def is_as_wanted(self):
        return self._stands is not None and self._stands["Config"]["Labels"].get(MARK) == self._mark()

    def make(self):
        # Also where there is no container: then the unit, if it is enabled, tries in vain again and again, and systemd
        # counts that until it is told to forget it.
        unit = f"labrig-container@{self._name}.service"
        self._module.run_command(["systemctl", "reset-failed", unit])
        self._run("systemctl", "stop", unit)
        if self._stands:
            self._docker("container", "rm", "--force", self._name)
        self._docker("container", "create", f"--name={self._name}", f"--label={MARK}={self._mark()}", *self._options())
        for network, end in self._networks.items():
            # The engine adds the container's number to its names by itself.
            aliases = [one for one in end["Aliases"] or () if not self._stands["Id"].startswith(one)]
            self._docker("network", "connect", *(f"--alias={one}" for one in aliases), network, self._name)

    def _options(self):
        wanted = self._wanted
        return (
            LABEL,
            f"--mount=type=volume,source={self._name},target={wanted['folder']}",
            f"--env-file={wanted['variables']}",
            # As much memory with swap as without is no swap.
            f"--memory={wanted['memory']}",
            f"--memory-swap={wanted['memory']}",
            f"--cpus={wanted['cpus']}",
            f"--pids-limit={wanted['processes']}",
            "--security-opt=no-new-privileges",
            wanted["image"],
            *wanted["command"],
        )

    def _mark(self):
        image = self._inspected("image", self._wanted["image"])
        content = [self._options(), image and image["Id"], self._variables()]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def _variables(self):
        try:
            with open(self._wanted["variables"], encoding="utf-8") as file:
                return file.read()
        except FileNotFoundError:
            # In check mode nobody has written it yet.
            return ""

    def _inspected(self, kind, name):
        try:
            code, out, _err = self._module.run_command(["docker", kind, "inspect", name], handle_exceptions=False)
        except OSError:
            # In check mode nobody has installed it yet.
            return None
        return json.loads(out)[0] if code == 0 else None

    def _docker(self, *words):
        self._run("docker", *words)

    def _run(self, *command):
        code, _out, err = self._module.run_command(list(command))
        if code != 0:
            self._module.fail_json(msg=f"{' '.join(command[:3])} failed for {self._name}: {err.strip()}")


def main():
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "image": {"type": "str", "required": True},
            "folder": {"type": "path", "required": True},
            "variables": {"type": "path", "required": True},
            "command": {"type": "list", "elements": "str", "default": []},
            "memory": {"type": "str", "required": True},
            "cpus": {"type": "str", "required": True},
            "processes": {"type": "int", "required": True},
        },
        supports_check_mode=True,
    )
    server = Server(module)
    changed = not server.is_as_wanted()
    if changed and not module.check_mode:
        server.make()
    module.exit_json(changed=changed, networks=server.networks)


if __name__ == "__main__":
    main()
