"""The services an experiment can have: what each kind needs, as data, and what changed in one since it was made."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from labrig.experiments import naming

# independent: a container of its own; shared: a database and a user of its own on the lab host's server;
# communal: what another experiment, or the lab host, has.
Provision = Literal["independent", "shared", "communal"]

# A password as the servers' variables have it stands in no argument: the shell in the container reads it there.
_MYSQL = 'export MYSQL_PWD="$MYSQL_ROOT_PASSWORD"; exec mysql --user=root --protocol=tcp --host=127.0.0.1'
_MARIADB = 'export MYSQL_PWD="$MARIADB_ROOT_PASSWORD"; exec mariadb --user=root --protocol=tcp --host=127.0.0.1'
_POSTGRESQL = (
    'export PGPASSWORD="$POSTGRES_PASSWORD"; '
    'exec psql --host=127.0.0.1 --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" --no-psqlrc --set=ON_ERROR_STOP=1'
)
_REDIS = "exec redis-cli"


@dataclass(frozen=True)
class Credentials:
    """Who an experiment is to a service."""

    user: str
    database: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Provider:
    """One kind of service.

    Attributes:
        image: The image where the configuration names none.
        port: Where it answers.
        scheme: Of the URL that an experiment is given.
        folder: What its volume is mounted at.
        environment: What its container is given: variable, and ``user``, ``password`` or ``database``.
        arguments: The command of its container before the configuration's own arguments; empty is the image's.
        client: A shell command, run in its container, that reads statements from standard input.
        ready: A shell command, run in its container, that asks a query over TCP: while an image still loads initial
            data, its server answers on its socket alone.
        initial: The folder whose files the image loads into an empty volume; empty where it has none.
        loads: How the names of such files may end.
    """

    name: str
    image: str
    port: int
    scheme: str
    folder: str
    environment: Mapping[str, Literal["user", "password", "database"]]
    client: str
    ready: str
    arguments: tuple[str, ...] = ()
    initial: str = ""
    loads: tuple[str, ...] = ()

    def container_environment(self, credentials: Credentials, own: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of its container; the configuration's own variables win."""
        values = {
            "user": credentials.user,
            "password": credentials.password,
            "database": credentials.database,
        }
        return {**{name: values[what] for name, what in self.environment.items()}, **own}

    def variables(self, service: str, host: str, credentials: Credentials) -> dict[str, str]:
        """Return what an experiment is told of it: ``DB_HOST``, ``DB_PORT``, ... ``DB_URL`` for a service ``db``."""
        start = service.upper().replace("-", "_")
        told = {"HOST": host, "PORT": str(self.port)}
        login = f":{credentials.password}"
        path = "0"
        if self.scheme != "redis":
            told |= {"USER": credentials.user, "DATABASE": credentials.database}
            login, path = f"{credentials.user}{login}", credentials.database
        told |= {"PASSWORD": credentials.password, "URL": f"{self.scheme}://{login}@{host}:{self.port}/{path}"}
        return {f"{start}_{name}": value for name, value in told.items()}


_DUMPS = (".sql", ".sql.gz", ".sql.xz", ".sql.zst")

PROVIDERS: Mapping[str, Provider] = {
    one.name: one
    for one in (
        Provider(
            name="mariadb",
            image="mariadb:10.11",
            port=3306,
            scheme="mysql",
            folder="/var/lib/mysql",
            environment={
                "MARIADB_ROOT_PASSWORD": "password",
                "MARIADB_USER": "user",
                "MARIADB_PASSWORD": "password",
                "MARIADB_DATABASE": "database",
            },
            client=_MARIADB,
            ready=f'{_MARIADB} --execute="SELECT VERSION()"',
            initial="/docker-entrypoint-initdb.d",
            loads=_DUMPS,
        ),
        Provider(
            name="mysql",
            image="mysql:8.4",
            port=3306,
            scheme="mysql",
            folder="/var/lib/mysql",
            environment={
                "MYSQL_ROOT_PASSWORD": "password",
                "MYSQL_USER": "user",
                "MYSQL_PASSWORD": "password",
                "MYSQL_DATABASE": "database",
            },
            client=_MYSQL,
            ready=f'{_MYSQL} --execute="SELECT VERSION()"',
            initial="/docker-entrypoint-initdb.d",
            loads=_DUMPS,
        ),
        Provider(
            name="postgresql",
            image="postgres:15",
            port=5432,
            scheme="postgresql",
            folder="/var/lib/postgresql/data",
            environment={"POSTGRES_USER": "user", "POSTGRES_PASSWORD": "password", "POSTGRES_DB": "database"},
            client=_POSTGRESQL,
            ready=f'{_POSTGRESQL} --command="SELECT version()"',
            initial="/docker-entrypoint-initdb.d",
            loads=_DUMPS,
        ),
        Provider(
            name="redis",
            image="redis:7.2",
            port=6379,
            scheme="redis",
            folder="/data",
            # The one variable that redis-cli knows is the password's; the server reads it from standard input, so that
            # it stands in no argument.
            environment={"REDISCLI_AUTH": "password"},
            arguments=(
                "sh",
                "-c",
                'exec docker-entrypoint.sh redis-server - "$@" <<END\nrequirepass $REDISCLI_AUTH\nEND\n',
                "redis",
            ),
            client=_REDIS,
            ready='test "$(redis-cli PING)" = PONG',
        ),
    )
}


def credentials(names: naming.Names, service: str, password: str) -> Credentials:
    """Return who an experiment is to one of its services; MySQL allows a user's name 32 characters.

    >>> credentials(naming.Names("shop", "new-login"), "db", "").user
    'shop__new_login__db'
    """
    # Two hyphens keep the parts apart, as in all names of experiments; on a shared server another's would be the same.
    user = naming.fitted(f"{names.app}--{names.name}--{service}", 32).replace("-", "_")
    return Credentials(user=user, database=user, password=password)


def waits(timeout: float, attempts: int = 0) -> Iterator[float]:
    """Yield the seconds between attempts at a query, each twice the last, and at the end what is left of the time.

    Where the time alone decides they begin short, since most servers are there within two seconds, and never get long.
    A number of attempts is spread as LabTest spreads it, from one second on.

    Args:
        timeout: Seconds in all.
        attempts: How many queries at most, the first one included; 0 is as many as the time allows.

    >>> list(waits(6)), list(waits(60, attempts=3))
    ([0.25, 0.5, 1.0, 2.0, 2.0, 0.25], [1.0, 2.0])
    """
    wait, longest = (1.0, timeout) if attempts else (0.25, 2.0)
    left, number = timeout, 1
    while left > 0 and (not attempts or number < attempts):
        yield min(wait, left)
        left -= min(wait, left)
        wait = min(2 * wait, longest)
        number += 1


@dataclass(frozen=True)
class Shape:
    """All that decides what container a service has: it is made anew when, and only when, this changes.

    Attributes:
        image: Its image; of a server of others, that server's container.
        environment: Its own variables; their values are secret and go into no record but as a digest.
        initial_data: A dump, or a folder whose newest dump is taken, on the lab host.
    """

    kind: str
    image: str
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    initial_data: str = ""

    def record(self) -> dict[str, str]:
        """Return what is remembered of it with its container."""
        lines = {"kind": self.kind, "image": self.image, "command": " ".join(map(repr, self.command))}
        lines["initial_data"] = self.initial_data
        # One digest each: which variable changed can be told, what to cannot be read.
        lines |= {f"environment.{name}": _digest(name, value) for name, value in sorted(self.environment.items())}
        return {key: value for key, value in lines.items() if value}


def _digest(name: str, value: str) -> str:
    return hashlib.sha256(f"{name}={value}".encode()).hexdigest()


def changes(before: Mapping[str, str] | None, now: Mapping[str, str]) -> list[str]:
    """Return why a service has to be made anew, key by key; empty where it has not.

    Args:
        before: What is remembered with its container; None where it cannot be read.
        now: What would be remembered now.

    >>> changes({"image": "redis:6"}, {"image": "redis:7", "initial_data": "/srv/dumps"})
    ['image was redis:6, is redis:7', 'initial_data was not set, is /srv/dumps']
    """
    if before is None:
        return ["what it was made of cannot be read"]
    found = []
    for key in [*now, *(key for key in before if key not in now)]:
        was, is_now = before.get(key, ""), now.get(key, "")
        if was == is_now:
            continue
        if key.startswith("environment."):
            word = "is new" if not was else "is gone" if not is_now else "has another value"
            found.append(f"{key} {word}")
        else:
            found.append(f"{key} was {was or 'not set'}, is {is_now or 'not set'}")
    return found


def newest(files: Mapping[str, float], loads: Sequence[str]) -> str | None:
    """Return the newest of a folder's files that a provider loads; of equally new ones the last by name.

    Args:
        files: Times of change by name.
        loads: How names may end.
    """
    return max((name for name in files if name.endswith(tuple(loads))), key=lambda one: (files[one], one), default=None)
