from __future__ import annotations

import json

import pytest

from labrig.experiments import services
from labrig.experiments.naming import Names
from labrig.experiments.services import PROVIDERS, Credentials, Shape

WHO = Credentials(user="shop_login", database="shop_login", password="hunter2")


def test_each_kind_is_whole() -> None:
    assert set(PROVIDERS) == {"mariadb", "mysql", "postgresql", "redis"}
    for one in PROVIDERS.values():
        assert one.ready != one.client
        assert bool(one.initial) == bool(one.loads)
        assert "password" in one.environment.values()


def test_an_experiment_is_told_where_its_service_is() -> None:
    assert PROVIDERS["postgresql"].variables("main-db", "main-db", WHO) == {
        "MAIN_DB_HOST": "main-db",
        "MAIN_DB_PORT": "5432",
        "MAIN_DB_USER": "shop_login",
        "MAIN_DB_DATABASE": "shop_login",
        "MAIN_DB_PASSWORD": "hunter2",
        "MAIN_DB_URL": "postgresql://shop_login:hunter2@main-db:5432/shop_login",
    }
    assert PROVIDERS["redis"].variables("cache", "cache", WHO)["CACHE_URL"] == "redis://:hunter2@cache:6379/0"


def test_a_password_stands_in_no_argument_and_no_representation() -> None:
    for one in PROVIDERS.values():
        assert "hunter2" not in f"{one.arguments}{one.ready}{one.client}"
        assert "hunter2" in one.container_environment(WHO, {}).values()
    assert "hunter2" not in repr(WHO)
    assert "hunter2" not in repr(Shape("mysql", "mysql:8", environment={"A": "hunter2"}))


def test_a_configurations_own_variables_win() -> None:
    found = PROVIDERS["mysql"].container_environment(WHO, {"MYSQL_DATABASE": "other", "TZ": "UTC"})
    assert (found["MYSQL_DATABASE"], found["MYSQL_USER"], found["TZ"]) == ("other", "shop_login", "UTC")


def test_who_an_experiment_is_fits_the_narrowest_server_and_is_its_own() -> None:
    one, other = (services.credentials(Names("shop" * 10, "x" * 40 + end), "db", "p").user for end in "ab")
    assert len(one) <= 32
    assert one != other
    assert "-" not in one


def test_no_two_experiments_and_no_two_services_are_the_same_to_a_server() -> None:
    """Else two would share a database, and the delete of one would drop the other's."""
    parts = [("shop", "api-login", "db"), ("shop-api", "login", "db"), ("shop", "api-login", "orders")]
    found = [services.credentials(Names(app, name), service, "p").database for app, name, service in parts]
    assert found == ["shop__api_login__db", "shop_api__login__db", "shop__api_login__orders"]


@pytest.mark.parametrize(
    ("timeout", "attempts", "expected"),
    [(8, 0, [0.25, 0.5, 1, 2, 2, 2, 0.25]), (60, 6, [1, 2, 4, 8, 16]), (0.5, 0, [0.25, 0.25]), (60, 1, [])],
)
def test_waits_double_and_end_with_the_time_or_the_attempts(
    timeout: float, attempts: int, expected: list[float]
) -> None:
    assert list(services.waits(timeout, attempts)) == expected


def test_what_changed_is_told_key_by_key_without_values_of_variables() -> None:
    before = Shape("mysql", "mysql:5.7", ("--a",), {"KEPT": "1", "OTHER": "old", "GONE": "1"}).record()
    now = Shape("mysql", "mysql:8", ("--a", "b"), {"KEPT": "1", "OTHER": "hunter2", "NEW": "1"}, "/srv/dumps").record()
    assert services.changes(before, now) == [
        "image was mysql:5.7, is mysql:8",
        "command was '--a', is '--a' 'b'",
        "initial_data was not set, is /srv/dumps",
        "environment.NEW is new",
        "environment.OTHER has another value",
        "environment.GONE is gone",
    ]
    assert "hunter2" not in json.dumps(now)


def test_what_did_not_change_is_not_told_and_what_cannot_be_read_is_made_anew() -> None:
    record = Shape("redis", "redis:7", environment={"B": "1", "A": "2"}).record()
    assert services.changes(record, Shape("redis", "redis:7", environment={"A": "2", "B": "1"}).record()) == []
    assert services.changes(None, record) == ["what it was made of cannot be read"]


def test_the_newest_dump_of_a_folder_is_taken() -> None:
    files = {"a.sql": 1.0, "b.sql.gz": 3.0, "c.sql.gz": 3.0, "notes.txt": 9.0}
    assert services.newest(files, PROVIDERS["mariadb"].loads) == "c.sql.gz"
    assert services.newest({"notes.txt": 1.0}, PROVIDERS["mariadb"].loads) is None
