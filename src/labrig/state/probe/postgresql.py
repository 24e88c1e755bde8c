"""PostgreSQL servers that run: roles, databases, schemas, settings, as the catalogs of the server tell them."""

from __future__ import annotations

import glob
import json
import os
from typing import TYPE_CHECKING

from labrig.state.probe.machine import Unreadable
from labrig.state.probe.masking import looks_secret, masked, masked_inside
from labrig.state.probe.postgresql_queries import CLUSTER, DATABASE
from labrig.state.probe.servers import ask, of_each, owner_of

if TYPE_CHECKING:
    from labrig.state.probe.machine import Entries, Machine, Value
    from labrig.state.probe.servers import Server

PROGRAMS = ("postgres", "postmaster")
SOCKET = ".s.PGSQL."

# No settings of a person, no questions for a password, and an error ends it.
CLIENT = ("-X", "-A", "-t", "-q", "-w", "-v", "ON_ERROR_STOP=1", "-f", "-")

# A server that starts, or that somebody has locked, is not waited for.
ENVIRONMENT = {"PGCONNECT_TIMEOUT": "5", "PGCLIENTENCODING": "UTF8", "PGAPPNAME": "labrig"}


def read(machine: Machine) -> Entries:
    """Return what each server holds, its keys after the name of its cluster: ``15/main role app``.

    Raises:
        Unreadable: A server runs that does not answer its own user.
    """
    return of_each(machine, PROGRAMS, _cluster)


def _cluster(machine: Machine, server: Server) -> dict[str, Value]:
    sockets = [path for path in server.unix if os.path.basename(path).startswith(SOCKET)]
    if not sockets:
        raise Unreadable("PostgreSQL listens on no socket of this machine, only on ports")
    folder, _, port = sockets[0].rpartition("/" + SOCKET)
    client = [_client(server), *CLIENT, "-h", folder, "-p", port]
    owner = owner_of(sockets[0])

    def query(text: str) -> str:
        return ask([*client, "-d", "postgres"], text, owner=owner, environment=ENVIRONMENT)

    lines = [json.loads(line) for line in query(CLUSTER).splitlines()]
    known = next(value for key, value in lines if key == "@")
    name = known["cluster"] or f"port {known['port']}"
    for place in [known["folder"] + "/base", known["folder"] + "/global", *filter(None, known["tablespaces"])]:
        machine.described[os.fsencode(os.path.realpath(place))] = "postgresql"
    told = query(
        "".join(f"\\connect -reuse-previous=on {_connection(base)}\n{DATABASE}" for base in known["databases"])
    )
    found = {f"{name} {key}": entry(machine, key, value) for key, value in lines if key != "@"}
    inside = ""
    for line in told.splitlines():
        key, value = json.loads(line)
        if key == "@":
            inside = value
        else:
            found[f"{name} database {inside} {key}"] = entry(machine, key, value)
    return found


def entry(machine: Machine, key: str, told: Value) -> Value:
    """Return the value of an entry from what the server told of it: nothing secret, nothing in an order of chance."""
    value = {name: held for name, held in told.items() if held not in (None, "", [], {}, False)}
    for name in ("grants", "options", "inherits"):
        if name in value:
            value[name] = sorted(value[name])
    if key.startswith("role "):
        secret = value.pop("secret", "")
        value["password"] = "set" if secret else "none"
        if secret:
            value["method"] = "scram-sha-256" if secret.startswith("SCRAM") else "md5"
            value.update(machine.fingerprint(secret))
    if key.startswith("setting ") and "value" in value:
        if looks_secret(key.split()[1]):
            value["value"] = masked(value["value"], machine.fingerprint(value["value"]).get("fingerprint", ""))
        else:
            text = machine.own_text(value["value"].encode("utf-8", "surrogateescape"))
            value["value"] = masked_inside(text.decode("utf-8", "surrogateescape"))
    return value


def _client(server: Server) -> str:
    """The client beside the server, else the newest of Debian's, else any: Debian's ``psql`` itself is slow."""
    beside = os.path.join(os.path.dirname(server.executable), "psql")
    if server.executable and os.path.exists(beside):
        return beside
    return max(glob.glob("/usr/lib/postgresql/*/bin/psql"), default="psql")


def _connection(database: str) -> str:
    r"""Return a database as psql takes it after ``\connect``.

    >>> _connection("it's")
    "'dbname=''it\\\\''s'''"
    """
    named = "dbname='{}'".format(database.replace("\\", "\\\\").replace("'", "\\'"))
    return "'{}'".format(named.replace("\\", "\\\\").replace("'", "''").replace("\n", "\\n"))
