from __future__ import annotations

from typing import Any

import pytest

from labrig.ansible.scenario import Platform
from labrig.prove.platforms import image_for, machine, network_names, owners


def platform(name: str = "web", **options: Any) -> Platform:
    return Platform(name, "image", str(options.get("hostname", name)), ("ungrouped",), (), options)


@pytest.mark.parametrize(
    ("image", "pattern", "replaced"),
    [
        ("geerlingguy/docker-debian12-ansible:latest", "geerlingguy/docker-*-ansible:latest", True),
        ("geerlingguy/docker-debian12-ansible:latest", "geerlingguy/docker-*", True),
        ("debian:12", "debian:12", True),
        ("debian:12", "debian", False),
        ("debian", "debian:latest", True),
        ("debian:latest", "debian", True),
        ("quay.io/x/debian:12", "debian:*", False),
    ],
)
def test_images_are_replaced_by_name_or_pattern(image: str, pattern: str, replaced: bool) -> None:
    assert (image_for(image, {pattern: "mine"}) == "mine") is replaced


def test_the_first_pattern_that_fits_counts() -> None:
    assert image_for("debian:12", {"debian:12": "a", "debian:*": "b"}) == "a"


def test_privileged_is_read_as_the_capabilities_that_it_is_meant_for() -> None:
    spec = machine(platform(privileged=True, capabilities=["CAP_SYS_TIME", "ALL"]), "x", {})
    assert spec.capabilities == ("SYS_ADMIN", "SYS_PTRACE", "NET_ADMIN", "SYS_TIME")


def test_an_empty_command_leaves_the_images_own() -> None:
    assert machine(platform(command=""), "x", {}).command is None
    assert machine(platform(command="/sbin/init --log"), "x", {}).command == ("/sbin/init", "--log")


def test_volumes_are_taken_but_for_the_cgroup_tree_that_each_machine_gets() -> None:
    spec = machine(platform(volumes=["/sys/fs/cgroup:/sys/fs/cgroup:ro", "/var/lib/containerd"]), "x", {})
    assert spec.volumes == ("/var/lib/containerd",)


def test_ports_are_not_published_since_two_machines_would_want_them() -> None:
    assert "ports" not in machine(platform(published_ports=["80:80"]), "x", {}).extra


def test_networks_are_the_paths_own_and_machines_find_each_other_there_by_name() -> None:
    web = platform("web", networks=[{"name": "front", "aliases": ["www"]}], hostname="web.example.org")
    assert network_names((web, platform("db", networks=[{"name": "front"}, {"name": "back"}]))) == ("front", "back")
    spec = machine(web, "x", {"front": "run-front", "back": "run-back"})
    assert spec.networks == {"run-front": ("web", "web.example.org", "www")}


def test_other_options_go_to_docker_under_its_own_names() -> None:
    spec = machine(
        platform(security_opts=["seccomp=unconfined"], dns_servers=["9.9.9.9"], ulimits=["nofile:10:20"]), "x", {}
    )
    assert spec.extra["security_opt"] == ["seccomp=unconfined"]
    assert spec.extra["dns"] == ["9.9.9.9"]
    assert [(limit.name, limit.soft, limit.hard) for limit in spec.extra["ulimits"]] == [("nofile", 10, 20)]


def test_an_address_that_another_machine_has_now_is_no_longer_that_of_production() -> None:
    former = {"web": ["172.17.0.2"], "db": ["172.17.0.3"], "cache": ["172.17.0.4"]}
    now = {"web": ["172.17.0.3"], "db": ["172.17.0.2"], "cache": ["172.17.0.9"]}
    found = owners(now, former)
    assert found == {"172.17.0.2": "db", "172.17.0.3": "web", "172.17.0.9": "cache", "172.17.0.4": "cache"}
