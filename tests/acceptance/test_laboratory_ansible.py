"""Experiments from playbooks: modules, inventory, defaults of a lab host's state, and two lab hosts to choose from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from labrig.experiments import deploying, ordering, steps
from labrig.experiments.carrying import Silent
from labrig.experiments.steps import Step
from trials.lab_hosts import LabHost, Laboratory, Repository
from trials.lab_image import DOMAIN

ROOT = Path(__file__).parents[2]
DOCKERFILE = """\
FROM labrig/debian-12:latest
COPY index.html /srv/www/
CMD ["python3", "-m", "http.server", "--directory", "/srv/www", "80"]
"""
STATE = {"provider": "local", "service": "tree", "options": {"path": "/srv/labrig/state"}}
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Controller:
    """Where playbooks run: a folder with an application's settings, and an inventory.

    Attributes:
        folder: The folder, which is the application's work tree too.
    """

    laboratory: Laboratory
    repository: Repository

    @property
    def folder(self) -> Path:
        return self.repository.folder

    def settings(self, **options: Any) -> None:
        """Write the settings of experiments."""
        least = {"host": [*self.laboratory.hosts], "domain": DOMAIN, "repository": self.repository.url}
        self.folder.joinpath("labrig.yml").write_text(yaml.safe_dump({"experiment": {**least, **options}}))

    def run(self, *words: str, code: int = 0, stdin: str = "") -> str:
        """Run a command that is installed beside Python; return what it printed."""
        env = {
            **{key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE")},
            **self.laboratory.environment(),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
            "ANSIBLE_LOCALHOST_WARNING": "false",
        }
        argv = [str(BIN / words[0]), *words[1:]]
        done = subprocess.run(
            argv, cwd=self.folder, env=env, input=stdin, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def module(self, called: str, /, *options: str, fails: bool = False, **arguments: Any) -> dict[str, Any]:
        """Run a module on the controller; return its result, and as ``shown`` what stands before it."""
        config = self.laboratory.environment()["LABRIG_SSH_CONFIG"]
        given = json.dumps({"ssh_config": config, **arguments})
        words = ("ansible", "localhost", "-m", f"labrig.core.{called}", "-a", given, *options)
        before, _, result = self.run(*words, code=2 if fails else 0).partition("=> ")
        return {**json.loads(result), "shown": before}

    def inventory(self) -> dict[str, Any]:
        """Return what the inventory plugin lists."""
        return json.loads(self.run("ansible-inventory", "-i", "lab.yml", "--list"))


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    with Laboratory(tmp_path_factory.mktemp("laboratory")) as made:
        yield made


@pytest.fixture(scope="module")
def hosts(laboratory: Laboratory) -> tuple[LabHost, LabHost]:
    return laboratory.start("lab-1"), laboratory.start("lab-2")


@pytest.fixture(scope="module")
def controller(
    laboratory: Laboratory, hosts: tuple[LabHost, LabHost], tmp_path_factory: pytest.TempPathFactory
) -> Controller:
    source = tmp_path_factory.mktemp("tiny")
    (source / "Dockerfile").write_text(DOCKERFILE)
    (source / "index.html").write_text("main\n")
    (source / "lab.yml").write_text("plugin: labrig.core.lab\nkeyed_groups: [{key: experiment_state, prefix: state}]\n")
    made = Controller(laboratory, laboratory.repository("tiny", source))
    made.repository.branch("feature/login", {"index.html": "login\n"})
    made.settings()
    return made


def where(hosts: tuple[LabHost, LabHost], network: str) -> list[LabHost]:
    """Return the hosts that have a network."""
    return [one for one in hosts if f"network {network}" in one.objects()]


@pytest.fixture(scope="module")
def login(controller: Controller, hosts: tuple[LabHost, LabHost]) -> LabHost:
    """Deploy a branch by the module, on whichever host has most memory free; return that host."""
    first = controller.module("experiment", "--check", "--diff", branch="feature/login")
    assert first["changed"]
    assert "+ make the network\n" in first["shown"]
    assert not where(hosts, "tiny--feature-login"), "check mode has made something"
    made = controller.module("experiment", branch="feature/login")
    assert made["changed"]
    assert made["release"] == controller.repository.git("rev-parse", "feature/login")
    (there,) = where(hosts, "tiny--feature-login")
    assert made["host"] == there.name
    assert there.ask(made["url"].split("/")[2]).text == "login\n"
    return there


def test_what_is_deployed_already_is_not_changed(controller: Controller, login: LabHost) -> None:
    again = controller.module("experiment", name="feature-login")
    assert not again["changed"]
    assert again["branch"] == "feature/login"
    assert controller.module("experiment", name="feature-login", pinned=True)["changed"]
    assert not controller.module("experiment", name="feature-login", pinned=True)["changed"]


def test_what_there_is_is_told_by_module_and_inventory(controller: Controller, login: LabHost) -> None:
    (found,) = controller.module("experiment_info")["experiments"]
    assert (found["app"], found["name"], found["state"]) == ("tiny", "feature-login", "serves")
    assert found["host"] == login.name
    assert controller.module("experiment_info", name="other")["experiments"] == []
    listed = controller.inventory()
    name = f"tiny-feature-login.{DOMAIN}"
    assert sorted(listed["lab"]["hosts"]) == ["lab-1", "lab-2"]
    for group in ("experiments", "app_tiny", f"on_{login.name.replace('-', '_')}", "state_serves"):
        assert listed[group]["hosts"] == [name], group
    words = "msg='{{ experiment_branch }} {{ experiment_lab_host }} {{ experiment_url }}'"
    said = controller.run("ansible", "experiments", "-i", "lab.yml", "-m", "ansible.builtin.debug", "-a", words)
    assert f'"msg": "feature/login {login.name} http://{name}/"' in said


class Breaking(Silent):
    """Somebody's own watcher, with a fault in it."""

    def began(self, step: Step) -> None:
        if isinstance(step, steps.AwaitHealthy):
            raise ZeroDivisionError


def test_an_update_that_fails_is_told_and_what_served_before_serves_on(controller: Controller, login: LabHost) -> None:
    def served() -> dict[str, str]:
        assert login.ask(f"tiny-feature-login.{DOMAIN}").text == "login\n"
        return {key: one for key, one in login.objects().items() if key.startswith("container tiny--feature-login")}

    before = served()
    controller.settings(health={"timeout": "2s"})
    try:
        controller.repository.commit("feature/login", {"Dockerfile": DOCKERFILE.replace('"80"', '"81"')})
        told = controller.module("experiment", name="feature-login", fails=True)
        assert "does not become healthy" in told["msg"]
        assert "Traceback" not in json.dumps(told)
        assert served() == before
        controller.repository.commit("feature/login", {"Dockerfile": DOCKERFILE, "index.html": "new\n"})
        config = Path(controller.laboratory.environment()["LABRIG_SSH_CONFIG"])
        order = ordering.order(controller.folder, "feature-login", ssh_config=config)
        with pytest.raises(ZeroDivisionError):
            deploying.deploy(order.watched(Breaking()))
        assert served() == before
    finally:
        controller.settings()
        controller.repository.commit("feature/login", {"Dockerfile": DOCKERFILE, "index.html": "login\n"})


def test_the_lab_hosts_state_gives_what_the_file_does_not(
    controller: Controller, hosts: tuple[LabHost, LabHost], login: LabHost
) -> None:
    for host in hosts:
        lab = json.loads(host.root("cat /etc/labrig/lab.json"))
        text = json.dumps({**lab, "state": STATE})
        host.root(
            f"cp -p /etc/labrig/lab.json /root/lab.json; echo '{text}' > /etc/labrig/lab.json; "
            "install -d /srv/labrig/state/experiment/tiny; "
            "echo 'limits: {memory: 128MiB, processes: 99}' > /srv/labrig/state/experiment/default"
        )
    try:
        (controller.folder / "password").write_text("open sesame\n")
        login.root("echo '{provider: ansible-vault, password_file: password}' > /srv/labrig/state/secrets")
        said = controller.module("experiment", name="feature-login", fails=True)["msg"]
        assert f"state of {login.name}:/secrets:1: password_file: not for a lab host's state" in said
        login.root("echo 'provider: ansible-vault' > /srv/labrig/state/secrets")
        (controller.folder / "ansible.cfg").write_text("[defaults]\nvault_password_file = password\n")
        options = ("--host", login.name)
        sealed = controller.run("labrig", "experiment", "encrypt", *options, stdin="hunter2\n").strip()
        controller.settings(limits={"processes": 77}, environment={"TOKEN": f"a{sealed}b"})
        assert controller.module("experiment", name="feature-login")["changed"]
        limits = "docker ps -q --filter label=org.labrig.experiment=feature-login | xargs docker inspect -f"
        assert login.root(f"{limits} '{{{{.HostConfig.Memory}}}} {{{{.HostConfig.PidsLimit}}}}'").split() == [
            str(128 * 2**20),
            "77",
        ]
        token = "docker ps -q --filter label=org.labrig.experiment=feature-login | xargs -I ID docker exec ID"
        assert login.root(f"{token} printenv TOKEN").strip() == "ahunter2b"
        login.root("echo 'limts: {}' > /srv/labrig/state/experiment/tiny/default")
        said = controller.module("experiment", name="feature-login", fails=True)["msg"]
        where_it_is = f"state of {login.name}:/experiment/tiny/default:1: limts: unknown option"
        assert where_it_is in said
    finally:
        controller.settings()
        for host in hosts:
            host.root("mv /root/lab.json /etc/labrig/lab.json; rm -r /srv/labrig/state")


def test_while_a_host_is_away_nothing_new_is_placed_and_what_is_there_is_updated(
    controller: Controller, hosts: tuple[LabHost, LabHost], login: LabHost
) -> None:
    (other,) = {*hosts} - {login}
    # Its sshd no longer answers; what runs there runs on.
    other.root("systemctl stop ssh.socket ssh.service")
    try:
        assert controller.module("experiment", name="feature-login")["host"] == login.name
        said = controller.module("experiment", branch="main", fails=True)["msg"]
        assert f"tiny/main may be on {other.name}" in said
        assert f"--host {login.name}" in said
        assert controller.module("experiment", "--check", branch="main", host=login.name)["changed"]
        assert "Connection refused" in controller.module("experiment_info", fails=True)["msg"]
        assert controller.inventory()["experiments"]["hosts"] == [f"tiny-feature-login.{DOMAIN}"]
    finally:
        other.root("systemctl start ssh.service")
        other.reachable()


def test_what_is_absent_already_is_not_changed(
    controller: Controller, hosts: tuple[LabHost, LabHost], login: LabHost
) -> None:
    gone = controller.module("experiment", name="feature-login", state="absent")
    assert gone["changed"]
    assert "remove" in " ".join(gone["steps"])
    assert not where(hosts, "tiny--feature-login")
    assert not controller.module("experiment", name="feature-login", state="absent")["changed"]


def test_a_branch_that_is_not_there_is_told_with_what_may_be_meant(controller: Controller) -> None:
    said = controller.module("experiment", branch="feature/lgoin", fails=True)["msg"]
    assert "there is no branch 'feature/lgoin'" in said
    assert "did you mean feature/login?" in said
