"""Playbook labrig.core.lab on two lab hosts: one swarm, HTTPS of their own, a server that experiments share."""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from labrig.experiments.accounts import KINDS
from labrig.experiments.services import PROVIDERS, Credentials
from trials.lab_hosts import Laboratory
from trials.lab_image import DOMAIN, ROOT, VARIABLES

SETTINGS = {
    "lab_host_swarm": True,
    "edge_certificate_names": [DOMAIN, f"*.{DOMAIN}"],
    "lab_servers": ["postgresql"],
    "postgresql_image": "postgres:15",
}
SERVER = "labrig-lab--postgresql"
WHO = Credentials(user="shop_login", database="shop_login", password="of-shop-login")


def changed(said: str) -> dict[str, list[str]]:
    """Return the tasks that changed something, by host."""
    found: dict[str, list[str]] = {}
    for task in said.split("\nTASK [")[1:]:
        for host in re.findall(r"^changed: \[([^\]]+)\]", task, re.MULTILINE):
            found.setdefault(host, []).append(task.partition("]")[0].rpartition(" : ")[2])
    return found


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory):
    with Laboratory(tmp_path_factory.mktemp("laboratory")) as laboratory:
        for name in ("lab-1", "lab-2"):
            laboratory.start(name)
        yield laboratory


@pytest.fixture(scope="module")
def deploy(laboratory):
    """Run the playbook on both hosts with further settings; return what it said."""

    def deploy(*options: str, **settings) -> str:
        hosts = {
            name: {"ansible_host": host.machine.container, "lab_host_address": host.address}
            for name, host in laboratory.hosts.items()
        }
        inventory = {"lab": {"hosts": hosts, "vars": {**VARIABLES, **SETTINGS, **settings}}}
        file = laboratory.folder / "hosts.json"
        file.write_text(json.dumps(inventory))
        command = [Path(sys.executable).parent / "ansible-playbook", "-i", file, "labrig.core.lab", *options]
        env = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"), "ANSIBLE_PIPELINING": "true"}
        done = subprocess.run(
            command, env=env, cwd=laboratory.folder, capture_output=True, text=True, check=False, timeout=900
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
        return done.stdout

    deploy()
    return deploy


def test_the_hosts_are_one_swarm(laboratory, deploy):
    told = laboratory.hosts["lab-1"].root("docker node ls --format '{{.Hostname}} {{.Status}} {{.ManagerStatus}}'")
    assert sorted(told.split("\n")) == ["", "lab-1 Ready Leader", "lab-2 Ready "]


def test_strangers_do_not_get_to_the_swarm(laboratory, deploy):
    host = laboratory.hosts["lab-1"]
    assert "2377" in host.root("ss -Hltn sport = 2377")
    with pytest.raises(TimeoutError):
        socket.create_connection((host.address, 2377), timeout=2)
    with socket.create_connection((host.address, 22), timeout=10) as ssh:
        assert ssh.recv(4) == b"SSH-"


def test_who_trusts_the_hosts_authority_is_answered_by_https(laboratory, deploy):
    host = laboratory.hosts["lab-1"]
    trusting = ssl.create_default_context(cadata=host.root("cat /etc/edge/ca.crt"))
    with (
        socket.create_connection((host.address, 443), timeout=10) as connection,
        trusting.wrap_socket(connection, server_hostname=f"nobody.{DOMAIN}") as secure,
    ):
        secure.sendall(f"GET / HTTP/1.0\r\nHost: nobody.{DOMAIN}\r\n\r\n".encode())
        assert b"Nothing is deployed under this name." in secure.makefile("rb").read()
    assert host.root("stat --format '%U %a' /etc/edge/ca.key /etc/edge/lab.key").splitlines() == ["root 600"] * 2


def test_a_host_has_a_key_to_fetch_code_with(laboratory, deploy):
    file = "/var/lib/labrig/.ssh/id_ed25519"
    host = laboratory.hosts["lab-1"]
    assert host.root(f"stat --format '%U %a' {file}").strip() == "labrig 600"
    assert host.root(f"ssh-keygen -y -f {file}").split()[:2] == host.root(f"cat {file}.pub").split()[:2]


def test_a_shared_server_that_is_made_anew_keeps_its_data_and_its_experiments(laboratory, deploy):
    host = laboratory.hosts["lab-2"]
    client = f"docker exec -i {SERVER} sh -c '{PROVIDERS['postgresql'].client}'"
    login = f"psql postgresql://{WHO.user}:{WHO.password}@db/{WHO.database} --no-psqlrc -Atc"
    # As an experiment's container asks: on its own network, by its own name for the service.
    asking = f"docker run --rm --network shop--login --entrypoint psql postgres:15 {login.removeprefix('psql ')}"
    host.root(f"{client} <<'END'\n{KINDS['postgresql'].create(WHO)}END")
    host.root(f"docker network create shop--login; docker network connect --alias=db shop--login {SERVER}")
    host.root(f"{asking} 'CREATE TABLE goods AS SELECT 42 AS number'")
    before = host.root(f"docker inspect --format '{{{{.Id}}}}' {SERVER}")

    said = deploy(postgresql_memory="768m")

    # Nothing else has changed since the first deployment.
    made_anew = ["Have the container", "Start the server, now and at boot"]
    assert changed(said) == {"lab-1": made_anew, "lab-2": made_anew}
    assert host.root(f"docker inspect --format '{{{{.Id}}}}' {SERVER}") != before
    assert host.root(f"docker inspect --format '{{{{.HostConfig.Memory}}}}' {SERVER}").strip() == str(768 << 20)
    assert host.root(f"{asking} 'SELECT number FROM goods'").strip() == "42"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"lab_host_open_ports": [80]}, "Expected the port that Ansible comes in by, 22"),
        ({"lab_host_developers": [{"name": "eve", "keys": ['command="sh" ssh-ed25519 AAAA']}]}, "without options"),
        ({"lab_host_networks": "10.213.0.0/28"}, "Expected a network of /27 or larger"),
        ({"lab_servers": ["oracle"]}, "Expected mariadb, postgresql and redis in lab_servers, found oracle"),
    ],
)
def test_settings_that_cannot_be_are_told(deploy, settings, words):
    with pytest.raises(AssertionError, match=re.escape(words)):
        deploy("--tags=lab_host_developers", **settings)
