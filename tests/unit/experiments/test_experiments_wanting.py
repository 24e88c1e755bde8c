from __future__ import annotations

from typing import Any

import pytest

from labrig.experiments.settings import Settings
from labrig.experiments.standing import Wanted
from labrig.experiments.wanting import identity, wanted

LEAST = {"host": "lab", "domain": "lab.example", "app": "shop", "repository": "git@git.example:shop.git"}
SERVICE = {"service": "postgresql"}
BUILT = {"build_image": "node:20", "build_command": "make"}
# For each option: another value for it, and whether it makes another build, another version, or neither.
OPTIONS: dict[str, tuple[Any, str]] = {
    "host": ("other", "neither"),
    "domain": ("other.example", "build"),
    "app": ("store", "build"),
    "repository": ("git@git.example:other.git", "neither"),
    "build_image": ("node:22", "build"),
    "build_command": ("make all", "build"),
    "container_build_command": ("make image", "build"),
    "image": ("shop:latest", "build"),
    "before_start": ("migrate", "version"),
    "environment": ({"A": "1"}, "version"),
    "host_name": ("$BRANCH_NAME-x", "build"),
    "port": (8080, "neither"),
    "services": ({"db": SERVICE}, "version"),
    "networks": (["search"], "version"),
    "ssh_config": (False, "neither"),
    "verbose": (True, "neither"),
    "limits": ({"cpus": 2}, "version"),
    "health": ({"path": "/up"}, "neither"),
    "expires": ("1d", "neither"),
    "sleeps": ("1h", "neither"),
    "tls": ({"certificate": "/a", "key": "/b"}, "neither"),
    "users": ({"anna": "$6$x"}, "neither"),
    "secrets": ([], "neither"),
}


def made(options: dict[str, Any], *, release: str = "1" * 40) -> Wanted:
    settings = Settings.model_validate({**LEAST, **BUILT, **options})
    return wanted(settings, identity(settings, "feature/login", "login", release))


@pytest.mark.parametrize(("option", "value", "changed"), [(key, *one) for key, one in OPTIONS.items()])
def test_an_option_makes_another_build_or_version_where_image_or_container_hang_on_it(
    option: str, value: Any, changed: str
) -> None:
    before, now = made({}), made({option: value})
    assert (before.build != now.build) == (changed == "build")
    assert (before.version != now.version) == (changed in {"build", "version"})


def test_no_option_is_forgotten() -> None:
    assert set(OPTIONS) == set(Settings.model_fields)


def test_another_commit_is_another_build_and_the_same_is_the_same() -> None:
    assert made({}) == made({})
    assert made({}).build != made({}, release="2" * 40).build


def test_build_and_version_fit_into_names() -> None:
    found = made({})
    assert len(found.build) == len(found.version) == 12
    assert int(found.version, 16) >= 0


def test_what_a_service_is_made_of_is_known_with_what_its_kind_adds() -> None:
    found = made({"services": {"db": {**SERVICE, "on_create": "seed", "wait": False}}}).services["db"]
    assert found.record == {"kind": "postgresql", "image": "postgres:15"}
    assert (found.waits, found.hook) == (False, True)


def test_a_service_of_others_is_known_by_their_server() -> None:
    services = {
        "ours": {"service": "mariadb", "provision": "shared"},
        "theirs": {"service": "redis", "provision": "communal", "app": "core", "experiment": "main"},
        "hosts": {"service": "redis", "provision": "communal"},
    }
    found = made({"services": services}).services
    assert found["ours"].record == {"kind": "mariadb", "image": "labrig-lab--mariadb"}
    assert found["theirs"].record == {"kind": "redis", "image": "core--main--s-theirs"}
    assert found["hosts"].record == {"kind": "redis", "image": "labrig-lab--redis"}
    assert found["ours"].filling == {"kind": "mariadb"}
    assert found["theirs"].filling == {}


def test_a_value_of_a_service_is_in_no_record() -> None:
    services = {"db": {**SERVICE, "environment": {"POSTGRES_INITDB_ARGS": "hunter2"}}}
    assert "hunter2" not in repr(made({"services": services}))
