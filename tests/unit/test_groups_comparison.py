"""A container that was made of a definition is as defined; what the engine words otherwise is no difference."""

import copy
import dataclasses

import pytest

from labrig.groups import payload
from labrig.groups.comparison import Image, differences
from labrig.groups.definition import (
    Definition,
    HealthCheck,
    Limits,
    Membership,
    Mount,
    Network,
    Port,
)
from labrig.groups.naming import Identity

IMAGE = Image("shop/app:1", "sha256:aaa", {"Env": ["PATH=/bin"], "Cmd": ["serve"], "Entrypoint": None, "User": "web"})
NETWORKS = {"labrig-shop": "n1"}
ONE = Definition(
    name="app",
    image="shop/app:1",
    env={"A": "1"},
    ports=(Port(80, host=8080), Port(443)),
    mounts=(Mount("/srv", "/data", "ro"),),
    networks=(Membership(Network("default"), ("web",)),),
    healthcheck=HealthCheck(("CMD", "true"), interval=1),
    limits=Limits(memory=64, cpus=0.5, pids=9),
    host_config={"CapAdd": ["NET_ADMIN"]},
)


def container(definition=ONE):
    """Return what the engine says of a container that was made of a definition."""
    labels = Identity("shop", "/srv/shop/group.py", "ada@here").service_labels(definition, frozenset(definition.env))
    names = dict(zip((one.network.name for one in definition.networks), NETWORKS, strict=False))
    wanted = copy.deepcopy(payload.body(definition, image=definition.image, networks=names, labels=labels))
    host, endpoints = wanted.pop("HostConfig"), wanted.pop("NetworkingConfig")["EndpointsConfig"]
    # As engines answer: the image's own values filled in, variables of the image first, names of their own.
    wanted["Env"] = ["PATH=/bin", *wanted["Env"]]
    wanted.setdefault("Cmd", ["serve"])
    wanted.setdefault("User", "web")
    host["CapAdd"] = ["CAP_NET_ADMIN"]
    host["Init"] = None
    for name, one in endpoints.items():
        one["Aliases"].append("0123456789ab")
        one["NetworkID"] = NETWORKS[name]
    return {
        "Image": IMAGE.id,
        "Config": wanted,
        "HostConfig": host,
        "NetworkSettings": {"Networks": endpoints},
    }


def told(definition, found=None, image=IMAGE):
    return [str(one) for one in differences(definition, found or container(), image, NETWORKS)]


def test_a_container_is_as_the_definition_that_made_it():
    assert told(ONE) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"image": "shop/app:2"}, []),
        ({"env": {"A": "2"}}, ["env A has another value"]),
        ({"env": {}}, ["env A: set -> not set"]),
        ({"env": {"A": "1", "PATH": None}}, ["env PATH: set -> not set"]),
        ({"ports": (Port(80, host=8081), Port(443))}, ["ports 80/tcp: 8080 -> 8081"]),
        ({"ports": (Port(80, host=8080, address="127.0.0.1"), Port(443))}, ["ports 80/tcp: 8080 -> 127.0.0.1:8080"]),
        ({"mounts": ()}, ["volumes /data: /srv (ro) -> not mounted"]),
        ({"command": ("serve", "--fast")}, ["command: serve -> serve --fast"]),
        ({"entrypoint": ("run",)}, ["entrypoint: none -> run", "command: serve -> none"]),
        ({"user": "root"}, ["user: web -> root"]),
        ({"stop_signal": "SIGINT"}, ["stop_signal: SIGTERM -> SIGINT"]),
        ({"init": True}, ["init: none -> True"]),
        ({"limits": Limits(memory=64, cpus=1, pids=9)}, ["limits cpus: 0.5 -> 1"]),
        ({"healthcheck": HealthCheck(("CMD", "true"), interval=1, retries=2)}, ["healthcheck retries: none -> 2"]),
        ({"host_config": {}}, ["CapAdd: ['NET_ADMIN'] -> none"]),
        ({"config": {"WorkingDir": "/srv"}}, ["WorkingDir: none -> /srv"]),
        (
            {"networks": (Membership(Network("default"), ("web", "www")),)},
            ["networks labrig-shop: other aliases -> alias app, web, www".replace("app, web, ", "")],
        ),
    ],
)
def test_each_key_that_differs_is_told(changes, said):
    assert told(dataclasses.replace(ONE, **changes)) == said


def test_an_image_that_was_built_anew_differs_by_its_id():
    assert told(ONE, image=dataclasses.replace(IMAGE, id="sha256:bbb")) == [
        "image: shop/app:1 (aaa) -> shop/app:1 (bbb)"
    ]


def test_a_former_network_of_the_same_name_is_another_one():
    found = container()
    found["NetworkSettings"]["Networks"]["labrig-shop"]["NetworkID"] = "n0"
    assert told(ONE, found) == ["networks labrig-shop: a former network of this name -> the one that is there"]


def test_a_variable_that_a_hook_had_set_is_no_difference():
    found = container()
    found["Config"]["Env"].append("TOKEN=x")
    assert told(ONE, found) == []


def test_groups_of_other_files_and_users_have_other_names_on_the_engine():
    mine = Identity("shop", "/home/ada/shop/group.py", "ada@here")
    assert mine.container("db").startswith("db-shop-")
    for other in (
        Identity("shop", "/home/ada/copy/group.py", "ada@here"),
        Identity("shop", "/home/ada/shop/group.py", "bob@here"),
    ):
        assert other.container("db") != mine.container("db")
        assert other.network(Network("default")) != mine.network(Network("default"))
        assert other.filter != mine.filter
