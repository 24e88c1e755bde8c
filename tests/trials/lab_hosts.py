"""Lab hosts of tests: containers with systemd, sshd and an engine of their own, reached over real SSH by their names.

>>> with Laboratory(folder) as laboratory:
...     host = laboratory.start("lab-1")
...     shop = laboratory.repository("shop", SHOP)
...     subprocess.run(["labrig", "experiment", "list"], env={**os.environ, **laboratory.environment("anna")})
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Self

from labrig.engine import networks
from labrig.engine.machines import Machine
from labrig.prove.run import Run
from trials.lab import run
from trials.lab_image import DEVELOPERS, KEYS, lab_image, spec

SERVICE_USER = "labrig"
ANSWER_SECONDS = 30.0
IDENTITY = {
    **{f"GIT_{role}_NAME": "tester" for role in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{role}_EMAIL": "tester@localhost" for role in ("AUTHOR", "COMMITTER")},
}


@dataclass(frozen=True)
class Answer:
    """What a URL answered."""

    status: int
    text: str


@dataclass(frozen=True)
class LabHost:
    """One lab host.

    Attributes:
        name: What ssh's configuration calls it.
        address: Its IPv4 address, which it keeps.
    """

    name: str
    address: str
    machine: Machine

    def root(self, script: str) -> str:
        """Run a shell script as root there, beside all that labrig does; return what it printed."""
        return run(self.machine, script)

    def ask(self, host: str, path: str = "/", *, seconds: float = 10) -> Answer:
        """Ask the edge for a page of a virtual host."""
        connection = http.client.HTTPConnection(self.address, 80, timeout=seconds)
        with contextlib.closing(connection):
            connection.request("GET", path, headers={"Host": host})
            answer = connection.getresponse()
            return Answer(answer.status, answer.read().decode(errors="replace"))

    def objects(self) -> dict[str, str]:
        """Return everything on its engine by kind and name, with what tells it from one that was made anew."""
        listed = {
            "container": "docker ps --all --no-trunc --format '{{.Names}}\t{{.ID}} {{.State}}'",
            "volume": "find /var/lib/docker/volumes -mindepth 1 -maxdepth 1 -type d -printf '%f\t%i\n'",
            "network": "docker network ls --filter type=custom --no-trunc --format '{{.Name}}\t{{.ID}}'",
            "image": "docker image ls --no-trunc --format '{{.Repository}}:{{.Tag}}\t{{.ID}}'",
        }
        found = {}
        for kind, command in listed.items():
            for line in self.root(command).splitlines():
                name, _, rest = line.partition("\t")
                found[f"{kind} {name}"] = rest
        return found

    def restart(self) -> None:
        """Restart the host, and wait until it can be reached."""
        self.machine.restart()
        self.reachable()

    def reachable(self) -> None:
        """Wait until its sshd answers."""
        answers(self.address, 22)


class Laboratory:
    """Lab hosts on a network of their own, developers with their keys, and a git server; leaves nothing behind.

    Attributes:
        folder: Where keys, configuration and repositories lie.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hosts: dict[str, LabHost] = {}
        self._exits = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with self._exits as exits:
            self._run = exits.enter_context(Run("trials-laboratory"))
            exits.callback(self._run.remove_machines)
            self._image = lab_image(self._run)
            self.network = f"labrig-{self._run.id}-lab"
            networks.create(self._run.client, self.network, self._run.labels("network"))
            config = self._run.client.api.inspect_network(self.network)["IPAM"]["Config"][0]
            self._addresses = [str(one) for one in IPv4Network(config["Subnet"]).hosts()]
            self.gateway = config.get("Gateway") or self._addresses[0]
            self._exits = exits.pop_all()
        return self

    def __exit__(self, *ended: object) -> None:
        self._exits.close()

    def start(self, name: str, *, disk: str = "") -> LabHost:
        """Start a lab host and let ssh know it; ``disk``: how large its engine's disk is."""
        address = self._addresses[10 + len(self.hosts)]
        where = {"networks": {self.network: (name,)}, "addresses": {self.network: address}}
        machine = self._run.start_machine(dataclasses.replace(spec(name, self._image, disk=disk), **where), name)
        host = LabHost(name, address, machine)
        self.hosts[name] = host
        host.reachable()
        self._know(host)
        return host

    def _know(self, host: LabHost) -> None:
        for developer in DEVELOPERS:
            own = self.folder / developer
            if not own.exists():
                own.mkdir()
                key = own / "key"
                key.touch(mode=0o600)
                key.write_text(host.root(f"cat {KEYS}/{developer}"))
            with (own / "known_hosts").open("a") as file:
                file.write(f"{host.name} {host.root('cat /etc/ssh/ssh_host_ed25519_key.pub')}")
            with (own / "config").open("a") as file:
                file.write(
                    f"Host {host.name}\n  HostName {host.address}\n  HostKeyAlias {host.name}\n  User {SERVICE_USER}\n"
                    f"  IdentityFile {own / 'key'}\n  IdentitiesOnly yes\n  IdentityAgent none\n"
                    f"  UserKnownHostsFile {own / 'known_hosts'}\n  StrictHostKeyChecking yes\n"
                )

    def environment(self, developer: str = "anna") -> dict[str, str]:
        """Return variables by which labrig's ssh knows the hosts, and has a developer's key."""
        return {"LABRIG_SSH_CONFIG": str(self.folder / developer / "config")}

    def repository(self, name: str, source: Path) -> Repository:
        """Return a git repository with a folder's content on branch ``main``, served to the lab hosts."""
        served = self.folder / "git"
        if not served.exists():
            served.mkdir()
            self._serve(served)
        url = f"git://{self.gateway}:{self._port}/{name}.git"
        return Repository(url, self.folder / name, served / f"{name}.git", source)

    def _serve(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind((self.gateway, 0))
            self._port = free.getsockname()[1]
        daemon = Path(subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True).stdout.strip())
        argv = [daemon / "git-daemon", "--export-all", "--reuseaddr", f"--base-path={folder}"]
        log = self._exits.enter_context((self.folder / "git.log").open("wb"))
        process = self._exits.enter_context(
            subprocess.Popen([*argv, f"--listen={self.gateway}", f"--port={self._port}", folder], stderr=log)
        )
        self._exits.callback(process.terminate)
        answers(self.gateway, self._port)


class Repository:
    """A git repository that lab hosts reach.

    Attributes:
        url: As the lab hosts reach it.
        folder: A work tree of it.
    """

    def __init__(self, url: str, folder: Path, bare: Path, source: Path) -> None:
        self.url = url
        self.folder = folder
        shutil.copytree(source, folder)
        subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(bare)], check=True)
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("remote", "add", "origin", str(bare))
        self.commit("main")

    def git(self, *words: str) -> str:
        """Run git in the work tree."""
        env = {**os.environ, **IDENTITY}
        done = subprocess.run(["git", *words], cwd=self.folder, env=env, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def branch(self, name: str, files: Mapping[str, str | None] | None = None) -> str:
        """Make a branch off ``main`` with some files changed, and push it; return its commit."""
        self.git("checkout", "--quiet", "-b", name, "main")
        return self.commit(name, files)

    def commit(self, branch: str, files: Mapping[str, str | None] | None = None) -> str:
        """Commit files on a branch and push it; None removes one. Return the commit."""
        if self.git("branch", "--show-current") != branch:
            self.git("checkout", "--quiet", branch)
        for name, text in (files or {}).items():
            path = self.folder / name
            if text is None:
                path.unlink()
            else:
                path.write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", f"a change of {branch}")
        self.git("push", "--quiet", "origin", branch)
        return self.git("rev-parse", "HEAD")

    def drop(self, branch: str) -> None:
        """Remove a branch from the server."""
        self.git("push", "--quiet", "origin", "--delete", branch)


def answers(address: str, port: int) -> None:
    """Wait until something takes connections."""
    until = time.monotonic() + ANSWER_SECONDS
    while True:
        try:
            with socket.create_connection((address, port), timeout=2):
                return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
