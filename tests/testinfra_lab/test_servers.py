"""The servers that experiments share: each has a database of its own there, as a deployment makes it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from labrig.experiments.accounts import KINDS
from labrig.experiments.naming import shared_server
from labrig.experiments.services import PROVIDERS, Credentials

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testinfra.host import Host

ANNA = Credentials(user="shop_login", database="shop_login", password="of-anna")
BEN = Credentials(user="shop_cart", database="shop_cart", password="of-ben")
SERVERS = ("mariadb", "postgresql", "redis")
DATABASES = ("mariadb", "postgresql")


def told(host: Host, kind: str, statements: str) -> str:
    """Tell a server something as its administrator, the way a deployment does; return what it says."""
    client = f"docker exec --interactive {shared_server(kind)} sh -c %s"
    return str(host.check_output(f"printf %s %s | {client}", "%s", statements, PROVIDERS[kind].client))


def asked(host: Host, kind: str, who: Credentials, database: str, statement: str) -> tuple[int, str]:
    """Ask a server something as an experiment does, by TCP; return how that ends and what is answered."""
    login = {
        "mariadb": f"MYSQL_PWD={who.password} mariadb --protocol=tcp --user={who.user} -N {database} -e",
        "postgresql": f"psql postgresql://{who.user}:{who.password}@127.0.0.1/{database} --no-psqlrc -Atc",
    }
    done = host.run(f"docker exec {shared_server(kind)} sh -c %s", f'{login[kind]} "{statement}"')
    return done.rc, done.stdout.strip()


@pytest.fixture(params=DATABASES)
def kind(host: Host, request: pytest.FixtureRequest) -> Iterator[str]:
    kind = str(request.param)
    for who in (ANNA, BEN):
        told(host, kind, KINDS[kind].create(who))
    yield kind
    for who in (ANNA, BEN):
        told(host, kind, KINDS[kind].drop(who.user))


def test_an_experiment_has_a_database_of_its_own(host: Host, kind: str) -> None:
    made = asked(host, kind, ANNA, ANNA.database, "CREATE TABLE goods (name TEXT); INSERT INTO goods VALUES ('pear');")
    assert made[0] == 0
    assert asked(host, kind, ANNA, ANNA.database, "SELECT name FROM goods") == (0, "pear")


def test_an_experiment_does_not_get_into_the_database_of_another(host: Host, kind: str) -> None:
    code, answer = asked(host, kind, BEN, ANNA.database, "SELECT 1")
    assert code != 0, answer


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_publishes_no_port(host: Host, name: str) -> None:
    ports = host.check_output("docker inspect --format '{{json .HostConfig.PortBindings}}' %s", shared_server(name))
    assert json.loads(ports) in ({}, None)


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_runs_within_limits_now_and_after_a_restart(host: Host, name: str) -> None:
    unit = host.service(f"labrig-container@{shared_server(name)}.service")
    assert unit.is_running
    assert unit.is_enabled
    limits = "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.PidsLimit}}"
    assert (
        host.check_output(f"docker inspect --format '{limits}' %s", shared_server(name)) == f"{1 << 30} {1 << 30} 512"
    )


@pytest.mark.parametrize("name", SERVERS)
def test_no_argument_holds_the_password(host: Host, name: str) -> None:
    told = host.check_output(
        "docker inspect --format '{{json .Config.Cmd}} {{json .Config.Labels}}' %s", shared_server(name)
    )
    assert "of-the-administrator" not in told
    assert "of-the-administrator" not in host.check_output("ps -eo args")


def test_redis_answers_only_whoever_has_the_password(host: Host) -> None:
    command = "docker exec --env=REDISCLI_AUTH=%s labrig-lab--redis redis-cli PING"
    assert host.run(command, "of-the-administrator").stdout.strip() == "PONG"
    assert "NOAUTH" in host.run(command, "").stdout


def test_files_with_passwords_are_for_root_alone(host: Host) -> None:
    assert host.file("/etc/labrig/servers").mode == 0o700
    assert {host.file(f"/etc/labrig/servers/{name}.env").mode for name in SERVERS} == {0o600}
