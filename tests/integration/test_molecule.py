"""Molecule with labrig's driver and verifier, as somebody uses it who knows Molecule."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from labrig.engine import ownership, sweep
from labrig.engine.client import connect
from labrig.molecule.place import PREFIX, Place

IMAGE = "labrig/debian-12:latest"
BIN = Path(sys.executable).parent

CONVERGE = """
- name: Converge
  hosts: all
  gather_facts: false
  tasks:
    - name: Write the message
      ansible.builtin.copy: {dest: /etc/motd, content: "welcome\\n", mode: "0644"}
"""
TEST = """
def test_message(host):
    assert host.file("/etc/motd").content_string == "welcome\\n"
"""


class Molecule:
    """A project, and the command in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.client = connect()
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE", "MOLECULE"))}
        self.env = {
            **clean,
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "COLUMNS": "250",
            "MOLECULE_NO_LOG": "false",
        }

    def write(self, name: str, content: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)

    def scenario(self, *platforms: dict[str, Any], name: str = "default", **more: Any) -> None:
        content = {
            "dependency": {"name": "shell", "command": "true"},
            "driver": {"name": "labrig"},
            "platforms": platforms,
            "verifier": {"name": "labrig"},
            "prerun": False,
            **more,
        }
        self.write(f"molecule/{name}/molecule.yml", json.dumps(content))
        self.write(f"molecule/{name}/converge.yml", CONVERGE)
        self.write(f"molecule/{name}/tests/test_message.py", TEST)

    def run(self, *words: str, code: int = 0) -> str:
        done = subprocess.run(
            [BIN / "molecule", *words],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        said = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
        assert done.returncode == code, said
        return said

    def machines(self) -> dict[str, docker.models.containers.Container]:
        """Return the containers of this project's machines, by the machines' names."""
        mine = [
            one
            for one in sweep.find(self.client)
            if one.sort == "container"
            and one.ownership.project == self.folder.name
            and one.ownership.run.startswith(PREFIX)
        ]
        return {one.name.rpartition("-")[2]: self.client.containers.get(one.id) for one in mine}

    def owned(self) -> list[str]:
        return [one.name for one in sweep.find(self.client) if one.ownership.project == self.folder.name]


@pytest.fixture
def molecule(tmp_path: Path) -> Iterator[Molecule]:
    # The project's name is what is looked for on the engine: no other test's.
    folder = tmp_path / f"motd{os.getpid()}{abs(hash(tmp_path)) % 10000}"
    folder.mkdir()
    made = Molecule(folder)
    yield made
    sweep.remove(made.client, [one for one in sweep.find(made.client) if one.ownership.project == folder.name])
    made.client.close()


def test_machines_outlive_a_command_and_differences_fail_a_run(molecule: Molecule):
    molecule.scenario(
        {"name": "fresh", "hostname": "web", "image": IMAGE, "pre_build_image": True, "privileged": True},
        {"name": "production", "hostname": "web", "image": "not/there", "snapshot": IMAGE},
    )
    molecule.run("converge")
    machines = molecule.machines()
    assert set(machines) == {"fresh", "production"}
    for machine in machines.values():
        whose = ownership.Ownership.read(machine.labels)
        assert whose is not None
        assert whose.keep
        assert whose.expires is not None
        assert not ownership.is_orphan(whose), "the sweep of the next proof would take the machine away"
        running = machine.exec_run(["/bin/sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"]).output
        assert b"systemd" in running
        assert b"labrig agent" not in running, "something of the playbook's session is left in the machine"

    assert re.search(r"fresh +│ labrig", molecule.run("list"))

    # Without a change, all is well: tests, a second deployment, and both machines alike.
    said = molecule.run("verify")
    assert "idempotent: the second deployment reports no change, and there is none" in said
    assert re.search(r"same-state: \d{4,} things compared, none differs", said)
    assert "2 passed" in said

    machines["production"].exec_run(["/bin/sh", "-c", "echo old > /etc/left-behind"])
    quiet = "    - {name: Write the time, ansible.builtin.shell: date +%N > /etc/quiet, changed_when: false}\n"
    molecule.write("molecule/default/converge.yml", CONVERGE + quiet)
    said = molecule.run("verify", code=1)
    assert "fresh: /etc/quiet, production: /etc/quiet and no task reports it" in said
    assert "file /etc/left-behind exists only on production" in said

    molecule.run("reset")
    assert molecule.owned() == []


def test_whole_test_with_what_scenarios_of_the_docker_driver_ask_for(molecule: Molecule):
    network = {"networks": [{"name": "inner", "ipv4_address": "10.213.77.7"}]}
    pool = {"docker_networks": [{"name": "inner", "ipam_config": [{"subnet": "10.213.77.0/24"}]}]}
    molecule.scenario(
        {
            "name": "web",
            "image": "example/with-systemd",
            "command": "",
            "volumes": ["/sys/fs/cgroup:/sys/fs/cgroup:rw", "store:/srv/store"],
            "cgroupns_mode": "host",
            "privileged": True,
            "published_ports": ["127.0.0.1::80"],
            "groups": ["webservers"],
            **network,
            **pool,
        },
        verifier={"name": "testinfra"},
    )
    molecule.write("labrig.yml", f"images: {{example/*: {IMAGE}}}\n")
    molecule.write(
        "molecule/default/tests/test_network.py",
        "def test_address(host):\n    assert '10.213.77.7' in host.check_output('hostname -I')\n",
    )

    said = molecule.run("test")

    assert "2 passed" in said
    assert molecule.owned() == []


def test_scenarios_share_machines_and_workers_share_their_sessions(molecule: Molecule):
    molecule.write("galaxy.yml", "{namespace: acme, name: tools, version: 1.0.0, readme: x, authors: [x]}\n")
    machine = {"name": "web", "image": IMAGE, "pre_build_image": True}
    own = {"shared_state": True, "verifier": {"name": "testinfra"}}
    for name in ("default", "one", "two"):
        molecule.scenario(machine, name=name, **own)
    (molecule.folder / "extensions").mkdir()
    (molecule.folder / "molecule").rename(molecule.folder / "extensions" / "molecule")

    said = molecule.run("test", "--all", "--workers", "2")

    assert re.search(r"one .*failed=0", said)
    assert re.search(r"two .*failed=0", said)
    assert molecule.owned() == []


def test_killed_session_server_is_started_again_and_ends_by_itself(molecule: Molecule):
    molecule.scenario({"name": "web", "image": IMAGE, "pre_build_image": True})
    molecule.run("converge")
    place = Place(molecule.machines()["web"].labels[ownership.RUN])
    (first,) = servers(place)
    os.kill(first, 9)

    molecule.run("converge")

    (second,) = servers(place)
    assert second != first
    molecule.run("destroy")
    limit = time.monotonic() + 60
    while servers(place):
        assert time.monotonic() < limit, "the server of the sessions has not ended"
        time.sleep(0.2)
    assert not list(place.socket.parent.glob(f"{place.socket.name}*"))


def servers(place: Place) -> list[int]:
    """Return the processes that serve sessions at a place."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if "labrig.session.server" in words and str(place.socket) in words:
            found.append(int(process.name))
    return found


def test_image_is_built_as_the_scenario_says(molecule: Molecule):
    molecule.scenario({"name": "web", "image": IMAGE, "env": {"COLOUR": "red"}})
    molecule.write(
        "molecule/default/Dockerfile.j2",
        "FROM {{ item.image }}\nENV COLOUR={{ item.env.COLOUR | upper }}\nRUN touch /built\n",
    )

    molecule.run("create")

    machine = molecule.machines()["web"]
    assert machine.exec_run(["/bin/sh", "-c", "test -e /built && systemctl is-system-running"]).exit_code == 0
    assert "COLOUR=RED" in molecule.client.images.get(machine.image.id).attrs["Config"]["Env"]
    molecule.run("destroy")


def test_image_that_is_not_to_be_had_is_told_with_what_to_do(molecule: Molecule):
    molecule.scenario({"name": "web", "image": "labrig/not-there:1", "pre_build_image": True})

    said = molecule.run("create", code=2)

    assert "image labrig/not-there:1 is not on this engine and cannot be pulled" in said
    assert "labrig image build" in said
    assert molecule.machines() == {}
