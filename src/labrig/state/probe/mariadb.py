"""MariaDB and MySQL servers that run: accounts, grants, databases, tables and settings, as the server tells them."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

from labrig.state.probe.machine import Unreadable
from labrig.state.probe.mariadb_queries import MARIADB, MYSQL
from labrig.state.probe.masking import looks_secret, masked, masked_inside
from labrig.state.probe.servers import ask, of_each

if TYPE_CHECKING:
    from labrig.state.probe.machine import Entries, Machine, Value
    from labrig.state.probe.servers import Server

PROGRAMS = ("mariadbd", "mysqld")
CLIENTS = ("/usr/bin/mariadb", "/usr/bin/mysql", "mariadb", "mysql")

# Keys of a server that listens somewhere else begin with its socket.
USUAL_SOCKETS = ("/run/mysqld/mysqld.sock", "/var/run/mysqld/mysqld.sock", "/var/lib/mysql/mysql.sock")

# Where Debian keeps a password for the machine's own use, if root can't come in without one.
MAINTENANCE = "/etc/mysql/debian.cnf"

# What the server itself sets while it runs, and what follows from the host.
PASSING_SETTINGS = frozenset(
    [
        "gtid_binlog_pos",
        "gtid_binlog_state",
        "gtid_current_pos",
        "gtid_slave_pos",
        "gtid_executed",
        "gtid_purged",
        "server_uid",
        "server_uuid",
        "hostname",
        "version_malloc_library",
        "open_files_limit",
        "innodb_version",
        "pseudo_thread_id",
        "timestamp",
    ]
)


def read(machine: Machine) -> Entries:
    """Return what each server holds: ``user 'app'@'localhost'``, ``table shop.orders``, ``setting bind_address``.

    Raises:
        Unreadable: A server runs that does not answer root.
    """
    return of_each(machine, PROGRAMS, _server)


def _server(machine: Machine, server: Server) -> dict[str, Value]:
    sockets = [path for path in server.unix if not path.endswith("mysqlx.sock")]
    if not sockets:
        raise Unreadable(f"{server.program} listens on no socket of this machine, only on ports")
    client = next((path for path in CLIENTS if os.path.exists(path)), CLIENTS[-1])
    ways = [[client]]
    if os.path.exists(MAINTENANCE):
        ways.append([client, "--defaults-file=" + MAINTENANCE])
    first = ""
    for way in ways:
        command = [*way, "--batch", "--skip-column-names", "--connect-timeout=5", "--default-character-set=utf8mb4"]
        # A server that is none could ask the client for files of this machine.
        command += ["--local-infile=0", "--socket=" + sockets[0]]
        try:
            version = ask(command, "SELECT VERSION();")
        except Unreadable as problem:
            first = first or str(problem)
            continue
        begin = "SET SESSION group_concat_max_len = 1048576;\n"
        rows = rows_of(ask(command, begin + (MARIADB if "mariadb" in version.lower() else MYSQL)))
        prefix = "" if sockets[0] in USUAL_SOCKETS else sockets[0] + " "
        for kind, *fields in rows:
            if kind == "folder":
                machine.described[os.fsencode(os.path.realpath(fields[0]))] = "mariadb"
        return {prefix + key: value for key, value in entries(machine, rows).items()}
    raise Unreadable(first)


def rows_of(printed: str) -> list[list[str]]:
    r"""Return the rows that ``mariadb --batch`` prints: a tab between fields, ``\t``, ``\n`` and ``\\`` within."""
    return [[_plain(field) for field in line.split("\t")] for line in printed.split("\n") if line]


def _plain(field: str) -> str:
    if "\\" not in field:
        return field
    pieces = field.split("\\\\")
    return "\\".join(piece.replace("\\t", "\t").replace("\\n", "\n").replace("\\0", "\0") for piece in pieces)


# They look like secrets and name files.
FILE_SETTINGS = frozenset({"ssl_key", "ssl_cert", "tls_key"})

# What is told of a thing whose row is its name, in as many words, and its fields in this order.
THINGS: dict[str, tuple[int, tuple[str, ...]]] = {
    "server": (0, ("version",)),
    "database": (1, ("charset", "collation")),
    "plugin": (1, ("status", "version", "library")),
    "function": (2, ("definer", "security", "definition")),
    "procedure": (2, ("definer", "security", "definition")),
    "package": (2, ("definer", "security", "definition")),
    "package body": (2, ("definer", "security", "definition")),
    "trigger": (2, ("definer", "when", "definition")),
    "event": (2, ("definer", "status", "when", "definition")),
}

# Rows about a table: its schema and name, a name within it, and the text for that.
PARTS_OF_TABLES = {
    "column": "columns",
    "index": "indexes",
    "constraint": "constraints",
    "check": "constraints",
    "partition": "partitions",
}
NOUNS_OF_TABLES = {"VIEW": "view", "SYSTEM VIEW": "view", "SEQUENCE": "sequence"}


def entries(machine: Machine, rows: list[list[str]]) -> dict[str, Value]:
    """Return the entries that the rows of a server tell."""
    found: dict[str, Value] = {}
    for kind, *fields in rows:
        if kind in THINGS:
            words, names = THINGS[kind]
            key = " ".join(filter(None, [kind, ".".join(fields[:words])]))
            found[key] = dict(zip(names, fields[words:]))  # noqa: B905 - Python 3.8
            if kind == "server":
                found[key]["runs"] = True
        elif kind == "setting" and fields[0] not in PASSING_SETTINGS:
            found[f"setting {fields[0]}"] = setting(machine, *fields)
        elif kind == "count":
            found.setdefault("other objects", {"counts": {}})["counts"][fields[0]] = int(fields[1])
    return {**found, **_tables(rows), **_accounts(machine, rows)}


def _tables(rows: list[list[str]]) -> dict[str, Value]:
    tables: dict[tuple[str, str], Value] = {}
    nouns: dict[tuple[str, str], str] = {}
    order: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for kind, *fields in rows:
        place = (fields[0], fields[1]) if len(fields) > 1 else ("", "")
        if kind == "table":
            nouns[place] = NOUNS_OF_TABLES.get(fields[2], "table")
            told = dict(zip(("engine", "collation", "options", "comment"), fields[3:]))  # noqa: B905 - Python 3.8
            tables.setdefault(place, {}).update({name: text for name, text in told.items() if text})
        elif kind == "view":
            tables.setdefault(place, {}).update(definer=fields[2], security=fields[3], definition=fields[4])
        elif kind in PARTS_OF_TABLES:
            *_, name, text = fields
            tables.setdefault(place, {}).setdefault(PARTS_OF_TABLES[kind], {})[name] = text
            if kind == "column":
                order.setdefault(place, []).append((int(fields[2]), name))
    for place, columns in order.items():
        tables[place]["column_order"] = [name for _, name in sorted(columns)]
    return {f"{nouns.get(place, 'table')} {'.'.join(place)}": value for place, value in tables.items()}


def _accounts(machine: Machine, rows: list[list[str]]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    grants: dict[str, dict[str, set[str]]] = {}
    for kind, *fields in rows:
        if kind == "account":
            name, host, told = fields
            found.setdefault(f"user '{name}'@'{host}'", {}).update(user(machine, json.loads(told)))
        elif kind == "grant":
            whom, on, privileges, option = fields
            held = grants.setdefault(whom, {}).setdefault(on or "everything", set())
            held.update(privileges.split(","), ["with grant option"] if option == "YES" else [])
        elif kind == "role":
            whom, role, admin = fields
            member_of = found.setdefault(f"user {whom}", {}).setdefault("member_of", [])
            member_of.append(role + (" with admin option" if admin == "Y" else ""))
            member_of.sort()
    for whom, on_what in grants.items():
        # USAGE is no privilege: whoever has an account has it.
        told_of = {on: ", ".join(sorted(held - {"USAGE"})) for on, held in on_what.items() if held != {"USAGE"}}
        if told_of:
            found.setdefault(f"user {whom}", {})["privileges"] = told_of
    return {_role_name(key) if value.pop("role", False) else key: value for key, value in found.items()}


def _role_name(key: str) -> str:
    """Return ``role readers`` for ``user 'readers'@''``, as MariaDB keeps a role."""
    return "role " + key[len("user '") : -len("'@''")]


def user(machine: Machine, told: dict[str, Any]) -> Value:
    """Return an account by how it is let in and whether it has a password, from what the server keeps of it."""
    # In the list of MariaDB, an empty object stands for what is told beside it.
    ways = [way for way in (told, *told.get("auth_or", ())) if way.get("plugin")]
    secrets = [str(way.get("authentication_string", "")) for way in ways]
    # "invalid" is what the installation writes where nobody shall come in by a password.
    real = [
        secret
        for secret in secrets
        if secret and secret not in ("invalid", "*THISISNOTAVALIDPASSWORDTHATCANBEUSEDHERE")
    ]
    value: Value = {
        "plugins": sorted(str(way["plugin"]) for way in ways),
        "password": "set" if real else "locked" if any(secrets) else "none",
    }
    if real:
        value.update(machine.fingerprint("\n".join(real)))
    for name, said in (("account_locked", "locked"), ("is_role", "role"), ("password_expired", "password_expired")):
        if told.get(name):
            value[said] = True
    for name in ("default_role", "password_lifetime", "max_connections", "max_questions", "max_updates", "ssl_type"):
        if told.get(name):
            value[name] = told[name]
    return value


def setting(machine: Machine, name: str, text: str, origin: str, path: str) -> Value:
    """Return a variable whose value is not the compiled one, and where it comes from."""
    if looks_secret(name) and name not in FILE_SETTINGS:
        text = masked(text, machine.fingerprint(text).get("fingerprint", ""))
    else:
        own = machine.own_text(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")
        text = masked_inside(own)
    if len(text) > 200:
        text = "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
    value = {
        "value": text,
        "origin": {"CONFIG": "configuration file", "SQL": "set at run time"}.get(origin, origin.lower()),
    }
    if path:
        value["file"] = path
    return value
