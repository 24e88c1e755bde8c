"""A database and a user of its own for an experiment on a lab host's server, as statements for the server's client.

Statements are read from standard input, since they hold the password, and each is right however often it is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from labrig.errors import UsageError
from labrig.experiments.services import Credentials

_WORD = re.compile(r"[a-z0-9_]+")
_SECRET = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Statements:
    """What a kind of server is told.

    Attributes:
        create: Make database and user, or let the user in again.
        lock: Let the user, of this name, in no more; the database stays.
        drop: Remove database and user, both of this name.
    """

    create: Callable[[Credentials], str]
    lock: Callable[[str], str]
    drop: Callable[[str], str]


def _word(name: str) -> str:
    """Return a name that needs no quoting but the marks around it.

    Raises:
        UsageError: It does.
    """
    if not _WORD.fullmatch(name):
        raise UsageError(f"{name!r} is no name of a user or database: lower-case letters, digits and _")
    return name


def _checked(who: Credentials) -> Credentials:
    """Return credentials that need no quoting but the marks around them.

    Raises:
        UsageError: They do; the message has no password.
    """
    _word(who.user)
    _word(who.database)
    if not _SECRET.fullmatch(who.password):
        raise UsageError(f"the password of {who.user} has other characters than letters, digits, _ and -")
    return who


def _create_mysql(who: Credentials) -> str:
    who = _checked(who)
    user = f"'{who.user}'@'%'"
    return (
        f"CREATE DATABASE IF NOT EXISTS `{who.database}`;\n"
        f"CREATE USER IF NOT EXISTS {user};\n"
        f"ALTER USER {user} IDENTIFIED BY '{who.password}' ACCOUNT UNLOCK;\n"
        f"GRANT ALL PRIVILEGES ON `{_no_wildcards(who.database)}`.* TO {user};\n"
    )


def _no_wildcards(database: str) -> str:
    # In a GRANT, and nowhere else, an underscore stands for any character.
    return database.replace("_", "\\_")


def _lock_mysql(name: str) -> str:
    return f"ALTER USER IF EXISTS '{_word(name)}'@'%' ACCOUNT LOCK;\n"


def _drop_mysql(name: str) -> str:
    return f"DROP DATABASE IF EXISTS `{_word(name)}`;\nDROP USER IF EXISTS '{name}'@'%';\n"


def _create_postgresql(who: Credentials) -> str:
    who = _checked(who)
    # CREATE ROLE and CREATE DATABASE know no IF NOT EXISTS: psql carries out what a query returns.
    return (
        f"SELECT 'CREATE ROLE \"{who.user}\"' WHERE NOT EXISTS"
        f" (SELECT FROM pg_roles WHERE rolname = '{who.user}') \\gexec\n"
        f"ALTER ROLE \"{who.user}\" LOGIN PASSWORD '{who.password}';\n"
        f'SELECT \'CREATE DATABASE "{who.database}" OWNER "{who.user}"\' WHERE NOT EXISTS'
        f" (SELECT FROM pg_database WHERE datname = '{who.database}') \\gexec\n"
        f'REVOKE ALL ON DATABASE "{who.database}" FROM PUBLIC;\n'
    )


def _lock_postgresql(name: str) -> str:
    return (
        f"SELECT 'ALTER ROLE \"{_word(name)}\" NOLOGIN' WHERE EXISTS"
        f" (SELECT FROM pg_roles WHERE rolname = '{name}') \\gexec\n"
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{name}';\n"
    )


def _drop_postgresql(name: str) -> str:
    return f'DROP DATABASE IF EXISTS "{_word(name)}" WITH (FORCE);\nDROP ROLE IF EXISTS "{name}";\n'


_MYSQL = Statements(_create_mysql, _lock_mysql, _drop_mysql)
KINDS: Mapping[str, Statements] = {
    "mariadb": _MYSQL,
    "mysql": _MYSQL,
    "postgresql": Statements(_create_postgresql, _lock_postgresql, _drop_postgresql),
}
