from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from labrig.errors import EnvironmentFailed, UsageError
from labrig.experiments import assembling, secrets, wanting
from labrig.experiments.assembling import Opened, assembled, free_subnet, opened, password
from labrig.experiments.deployment import Deployment
from labrig.experiments.naming import Names
from labrig.experiments.protocol import Hello
from labrig.experiments.secrets import Age, PublicKey
from labrig.experiments.settings import Settings
from labrig.experiments.standing import Service, Standing
from labrig.experiments.survey import Server, Survey

NOW = datetime(2027, 1, 1, tzinfo=UTC)
HELLO = Hello(
    version="0.1.0", who="anna", user="990:990", host="lab", domain="", range="10.213.0.0/16", subnets=(),
    engine="20.10", trouble="", memory=0, disk=0, time="2027-01-01T00:00:00+00:00",
)  # fmt: skip
NOTHING = Survey(Standing())
NAMES = Names("shop", "login")


def settings(**options: Any) -> Settings:
    needed = {"host": "lab", "domain": "lab.example", "app": "shop", "repository": "git@git.example:shop.git"}
    return Settings.model_validate({**needed, **options})


def deployment(found: Survey = NOTHING, values: Opened | None = None, **options: Any) -> Deployment:
    chosen = settings(**options)
    what = wanting.identity(chosen, "feature/login", "login", "1" * 40)
    given = values or Opened(chosen.environment, {name: one.environment for name, one in chosen.services.items()})
    return assembled(chosen, what, wanting.wanted(chosen, what), found, HELLO, given, who="anna@desk", now=NOW)


def test_a_subnet_is_one_of_the_range_that_nothing_touches() -> None:
    first = free_subnet(NAMES, "10.213.0.0/16", ())
    assert first.prefixlen == 27
    assert first.subnet_of(IPv4Network("10.213.0.0/16"))
    second = free_subnet(NAMES, "10.213.0.0/16", (str(first), "fd00::/64", "172.17.0.0/16"))
    assert not second.overlaps(first)
    # A network that is larger, or smaller, is touched as well.
    for used in (f"{first.network_address}/24", f"{first.network_address + 8}/29"):
        taken = IPv4Network(used, strict=False)
        assert not free_subnet(NAMES, "10.213.0.0/16", (str(taken),)).overlaps(taken)


def test_experiments_that_are_made_at_the_same_time_begin_to_look_at_different_places() -> None:
    found = {free_subnet(Names("shop", f"b{number}"), "10.213.0.0/16", ()) for number in range(50)}
    assert len(found) > 45


def test_every_subnet_of_a_range_is_found_and_then_none_is_left() -> None:
    used: list[str] = []
    for _ in range(4):
        used.append(str(free_subnet(NAMES, "10.9.0.0/25", tuple(used))))
    assert len(set(used)) == 4
    with pytest.raises(EnvironmentFailed, match=r"no subnet of 10\.9\.0\.0/25 is free") as caught:
        free_subnet(NAMES, "10.9.0.0/25", tuple(used))
    assert "delete experiments" in caught.value.hint


def test_a_subnet_that_is_written_with_a_hosts_address_is_touched_as_well() -> None:
    first = free_subnet(NAMES, "10.213.0.0/16", ())
    assert not free_subnet(NAMES, "10.213.0.0/16", (f"{first[5]}/27",)).overlaps(first)


@pytest.mark.parametrize("small", ["10.9.0.0/28", "10.9.0.0/32", "10.9", ""])
def test_a_range_that_no_experiment_fits_into_is_the_hosts_fault(small: str) -> None:
    with pytest.raises(EnvironmentFailed, match="lab host's range of networks") as caught:
        free_subnet(NAMES, small, ())
    assert "lab_host_networks" in caught.value.hint


def test_a_network_that_is_there_keeps_its_subnet() -> None:
    at = deployment(replace(NOTHING, subnet=IPv4Network("10.213.7.32/27")))
    assert str(at.addresses.subnet) == "10.213.7.32/27"


def test_a_password_is_the_same_each_time_and_another_for_each_service_and_experiment() -> None:
    found = [password("key", "db"), password("key", "db"), password("key", "cache"), password("other", "db")]
    assert found[0] == found[1]
    assert len(set(found)) == 3
    assert found[0].isalnum()


def test_the_key_of_an_experiment_stays_and_a_new_one_has_its_own() -> None:
    assert deployment(replace(NOTHING, key="geheim")).key == "geheim"
    first, second = deployment(), deployment()
    assert first.key != second.key
    assert len(first.key) == 64
    assert first.key not in repr(first)


def test_an_application_is_told_of_its_own_database_by_its_name() -> None:
    at = deployment(replace(NOTHING, key="k"), services={"db": {"service": "postgresql"}})
    secret = password("k", "db")
    assert at.variables["DB_URL"] == f"postgresql://shop__login__db:{secret}@db:5432/shop__login__db"
    assert at.services["db"].credentials.password == secret
    assert secret not in repr(at)


def test_what_is_sealed_is_remembered_with_what_was_since_the_old_version_may_serve_on() -> None:
    values = Opened(secrets=("new", "same"))
    assert deployment(replace(NOTHING, sealed=("old", "same")), values).sealed == ("old", "same", "new")


def test_a_password_of_the_settings_is_what_the_application_is_told() -> None:
    given = {"service": "postgresql", "environment": {"POSTGRES_PASSWORD": "own", "POSTGRES_DB": "goods"}}
    at = deployment(services={"db": given})
    assert at.variables["DB_URL"] == "postgresql://shop__login__db:own@db:5432/goods"


def test_of_a_communal_service_an_application_is_told_what_its_server_was_made_with() -> None:
    environment = {"POSTGRES_USER": "core_main", "POSTGRES_PASSWORD": "theirs", "POSTGRES_DB": "core_main", "PATH": "/"}
    found = replace(NOTHING, servers={"db": Server("core--main--s-db", running=True, environment=environment)})
    communal = {"service": "postgresql", "provision": "communal", "app": "core", "experiment": "main"}
    at = deployment(found, services={"db": communal})
    assert at.variables["DB_URL"] == "postgresql://core_main:theirs@db:5432/core_main"


def test_a_shared_server_that_is_not_there_is_the_hosts_fault_and_its_role_is_named() -> None:
    found = replace(NOTHING, servers={"db": Server("labrig-lab--mariadb")})
    with pytest.raises(EnvironmentFailed, match=r"services\.db: the lab host's own mariadb .* is not there") as caught:
        deployment(found, services={"db": {"service": "mariadb", "provision": "shared"}})
    assert "labrig.core.mariadb" in caught.value.hint


def test_a_communal_service_that_does_not_run_is_named_with_whose_it_is() -> None:
    found = replace(NOTHING, servers={"db": Server("core--main--s-db", environment={"PATH": "/"})})
    communal = {"service": "redis", "provision": "communal", "app": "core", "experiment": "main"}
    with pytest.raises(UsageError, match=r"services\.db: the service of core's experiment main .* does not run"):
        deployment(found, services={"db": communal})


DUMPS = {"/srv/dumps/a.sql": 1.0, "/srv/dumps/b.sql.gz": 3.0, "/srv/dumps/README": 9.0, "/srv/dumps/c.sql": 2.0}
FILLED = {"db": {"service": "postgresql", "initial_data": "/srv/dumps"}}


def test_an_empty_database_is_filled_with_the_newest_dump() -> None:
    assert (
        deployment(replace(NOTHING, dumps={"db": DUMPS}), services=FILLED).services["db"].dump == "/srv/dumps/b.sql.gz"
    )


@pytest.mark.parametrize("dumps", [{}, {"/srv/dumps/README": 9.0}])
def test_initial_data_that_are_not_there_are_an_error_before_anything_is_made(dumps: dict[str, float]) -> None:
    with pytest.raises(
        UsageError, match=r"services\.db\.initial_data: /srv/dumps on the lab host is no dump"
    ) as caught:
        deployment(replace(NOTHING, dumps={"db": dumps}), services=FILLED)
    assert ".sql.gz" in caught.value.hint


def test_a_database_that_is_filled_already_needs_no_dump_any_more() -> None:
    filled = Service(has_server=True, filled_with={"kind": "postgresql", "initial_data": "/srv/dumps"})
    found = Survey(Standing(services={"db": filled}), dumps={"db": {}})
    assert deployment(found, services=FILLED).services["db"].dump == ""
    # Killed between volume and container: the volume may be empty.
    begun = Survey(Standing(services={"db": replace(filled, has_server=False)}), dumps={"db": DUMPS})
    assert deployment(begun, services=FILLED).services["db"].dump


def test_everything_carries_who_made_it_and_until_when_it_stays() -> None:
    labels = deployment().labels
    assert labels["org.labrig.owner"] == "anna@desk/shop"
    assert labels["org.labrig.expires"] == "2027-01-08T00:00:00+00:00"
    assert deployment(expires="never").labels["org.labrig.expires"] == "never"


def test_a_secret_that_cannot_be_opened_is_named_by_where_it_stands(tmp_path: Path) -> None:
    keys = []
    for name in ("anna", "eve"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", tmp_path / name], check=True)
        keys.append(PublicKey.read((tmp_path / f"{name}.pub").read_text()))
    sealed = secrets.wrapped(Age(recipients=(keys[0],)).seal(b"hunter2"))
    db = {"service": "postgresql", "environment": {"POSTGRES_PASSWORD": sealed}}
    chosen = settings(environment={"TOKEN": f"a-{sealed}"}, services={"db": db})
    values = opened(chosen, Age(identities=(tmp_path / "anna",)))
    assert (str(values.own["TOKEN"]), str(values.services["db"]["POSTGRES_PASSWORD"])) == ("a-hunter2", "hunter2")
    # What is plain in the settings may be shown, and is not masked in what commands write.
    assert set(values.secrets) == {"hunter2"}
    assert "hunter2" not in repr(values)
    eve = Age(tuple(keys), (tmp_path / "eve",))
    with pytest.raises(UsageError, match=r"services\.db\.environment\.POSTGRES_PASSWORD: ") as caught:
        opened(chosen, eve)
    assert "sealed to: anna" in caught.value.hint
    with pytest.raises(UsageError, match=r"^environment\.TOKEN: "):
        opened(settings(environment={"TOKEN": sealed}), eve)


def test_credentials_of_a_server_that_knows_none_are_empty() -> None:
    found = assembling.of_server(assembling.PROVIDERS["redis"], {"REDISCLI_AUTH": "p"})
    assert (found.user, found.database, found.password) == ("", "", "p")
