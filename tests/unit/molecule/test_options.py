"""What a platform of Molecule's docker driver asks for that a proof leaves out."""

from __future__ import annotations

from typing import Any

import pytest

from labrig.ansible.scenario import platform
from labrig.errors import UsageError
from labrig.molecule import options


def machine(**asked: Any) -> Any:
    one = platform({"name": "web", "image": "x", **asked})
    return options.machine(one, "x", {"front": "own-front"}, {})


def test_ports_are_published_where_the_scenario_says():
    assert machine(published_ports=["0.0.0.0:8053:53/udp", "8080:80", 443]).extra["ports"] == {
        "53/udp": [("0.0.0.0", "8053")],
        "80": ["8080"],
        "443": [None],
    }


def test_port_that_is_none_is_told():
    with pytest.raises(UsageError, match=r"published_ports: .*http"):
        machine(published_ports=["http:80:80:80"])


def test_fixed_address_and_limits_are_taken():
    spec = machine(
        networks=[{"name": "front", "ipv4_address": "10.9.0.7"}],
        cpus=1.5,
        restart_policy="on-failure",
        restart_retries=2,
    )

    assert spec.addresses == {"own-front": "10.9.0.7"}
    assert spec.extra["nano_cpus"] == 1_500_000_000
    assert spec.extra["restart_policy"] == {"Name": "on-failure", "MaximumRetryCount": 2}


def test_networks_that_are_only_defined_are_made_with_their_subnets():
    defined = [{"name": "back", "ipam_config": [{"subnet": "10.9.0.0/24", "gateway": "10.9.0.254"}]}]
    one = platform({"name": "web", "image": "x", "networks": [{"name": "front"}], "docker_networks": defined})

    assert options.network_names((one,)) == ("front", "back")
    assert options.address_pools((one,), "back") == ({"subnet": "10.9.0.0/24", "gateway": "10.9.0.254"},)
    assert options.address_pools((one,), "front") == ()


def test_snapshot_stands_for_an_image_and_a_platform_without_both_is_told():
    assert platform({"name": "web", "snapshot": "labrig/production/web:latest"}).image == "labrig/production/web:latest"
    with pytest.raises(UsageError, match="expected a image, found none"):
        platform({"name": "web"})
