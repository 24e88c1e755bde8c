from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from labrig.ansible import requirements, scenario, workspace
from labrig.errors import EnvironmentFailed, UsageError


def laid_out(root: Path, text: str, environment: dict[str, str] | None = None) -> workspace.Workspace:
    directory = root / "role" / "molecule" / "default"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "molecule.yml").write_text(text)
    (directory / "converge.yml").write_text("[{hosts: all, roles: [acme.web]}]")
    (root / "role" / "tasks").mkdir(exist_ok=True)
    found = scenario.load(root / "role", directory / "molecule.yml", {})
    containers = {platform.name: f"run-{platform.name}" for platform in found.platforms}
    return workspace.lay_out(found, root / "space", containers, root / "role", environment or {})


TWO = "platforms: [{name: web, image: x, groups: [front]}, {name: db, image: x, groups: [back], children: [sql]}]\n"


def test_hosts_bear_the_names_of_their_platforms_in_their_groups(tmp_path: Path) -> None:
    space = laid_out(tmp_path, TWO)
    inventory = yaml.safe_load((space.inventory / "ansible_inventory.yml").read_text())
    assert inventory["all"]["hosts"]["web"]["ansible_host"] == "run-web"
    assert list(inventory["front"]["hosts"]) == ["web"]
    assert list(inventory["back"]["children"]["sql"]["hosts"]) == ["db"]


def test_tests_reach_the_machines_by_a_connection_that_testinfra_knows(tmp_path: Path) -> None:
    space = laid_out(tmp_path, TWO)
    assert "ansible_connection: session\n" in (space.inventory / "ansible_inventory.yml").read_text()
    assert "community.docker.docker\n" in space.test_inventory.read_text()


def test_where_no_socket_can_be_tasks_go_through_the_engine(tmp_path: Path) -> None:
    space = laid_out(tmp_path / ("long" * 20), TWO)
    assert space.sessions is None
    assert "community.docker.docker_api" in (space.inventory / "ansible_inventory.yml").read_text()


def test_a_remote_engine_is_reached_by_its_own_client(tmp_path: Path) -> None:
    space = laid_out(tmp_path, TWO, {"DOCKER_HOST": "ssh://lab"})
    assert "docker_api" not in (space.inventory / "ansible_inventory.yml").read_text()


def test_the_role_is_found_by_the_name_that_its_playbook_uses(tmp_path: Path) -> None:
    (tmp_path / "role" / "meta").mkdir(parents=True)
    (tmp_path / "role" / "meta" / "main.yml").write_text("galaxy_info: {role_name: web}")
    space = laid_out(tmp_path, TWO)
    assert (space.folder / "roles" / "acme.web").resolve() == tmp_path / "role"
    assert (space.folder / "roles" / "role").resolve() == tmp_path / "role"


def test_inventory_variables_are_written(tmp_path: Path) -> None:
    space = laid_out(tmp_path, TWO + "provisioner: {inventory: {group_vars: {front: {port: 80}}}}")
    assert yaml.safe_load((space.inventory / "group_vars" / "front").read_text()) == {"port": 80}


def test_inventory_links_are_linked(tmp_path: Path) -> None:
    (tmp_path / "role" / "group_vars").mkdir(parents=True)
    space = laid_out(tmp_path, TWO + "provisioner: {inventory: {links: {group_vars: ../../group_vars}}}")
    assert (space.inventory / "group_vars").resolve() == tmp_path / "role" / "group_vars"


def test_a_link_to_nothing_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"links.group_vars: .*nowhere does not exist"):
        laid_out(tmp_path, TWO + "provisioner: {inventory: {links: {group_vars: ../../nowhere}}}")


def test_settings_of_the_scenario_go_into_the_configuration(tmp_path: Path) -> None:
    space = laid_out(
        tmp_path, TWO + "provisioner: {config_options: {defaults: {timeout: 7}, privilege_escalation: {become: true}}}"
    )
    text = (space.folder / "ansible.cfg").read_text()
    assert "timeout = 7" in text
    assert "[privilege_escalation]\nbecome = True" in text


def test_search_paths_of_the_scenario_are_relative_to_it(tmp_path: Path) -> None:
    space = laid_out(tmp_path, TWO + "provisioner: {env: {ANSIBLE_ROLES_PATH: '../../common:/opt/roles'}}")
    assert tmp_path / "role" / "common" in space.roles
    assert Path("/opt/roles") in space.roles
    assert space.roles[0] == space.folder / "roles"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            "collections: [{name: acme.absent}]",
            "collection acme.absent, which .*requirements.yml requires, is not installed",
        ),
        ("roles: [{name: acme.gone, src: x}]", "role acme.gone"),
        ("[{src: 'https://git.example.com/acme/gone.git'}]", "role gone"),
    ],
)
def test_what_is_required_and_not_installed_is_named(tmp_path: Path, content: str, said: str) -> None:
    space = laid_out(tmp_path, TWO)
    (tmp_path / "role" / "requirements.yml").write_text(content)
    with pytest.raises(EnvironmentFailed, match=said):
        requirements.check(space)


def test_what_is_required_and_installed_is_no_concern(tmp_path: Path) -> None:
    space = laid_out(tmp_path, TWO)
    (tmp_path / "role" / "requirements.yml").write_text("roles: [acme.there]\ncollections: [community.docker]")
    (tmp_path / "role" / "roles" / "acme.there").mkdir(parents=True)
    requirements.check(space)
    assert requirements.has_role(space, "acme.there")
