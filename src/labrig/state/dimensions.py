"""The dimensions of a state: what each holds, how its keys look, and which fields only explain."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Dimension:
    """One kind of thing that a deployment can leave on a machine.

    Attributes:
        name: As it stands in records, rules and verdicts.
        holds: What its entries tell, one sentence.
        key: How a key looks.
        context: Fields that explain an entry and are not compared.
    """

    name: str
    holds: str
    key: str
    context: frozenset[str] = frozenset()


_TABLE = (
    Dimension(
        "package",
        "Packages: version, architecture, status, held or not, installed as a dependency or not.",
        "nginx, libc6:i386",
    ),
    Dimension(
        "unit", "systemd units: enabled or not, active or not, failed or not.", "nginx.service", frozenset({"type"})
    ),
    Dimension("user", "Users: home, shell, groups, state and age of the password.", "www-data"),
    Dimension("group", "Groups: members, administrators, state of the password.", "adm"),
    Dimension("id", "The numbers of users and groups.", "user www-data, group adm"),
    Dimension(
        "sudo",
        "What sudo allows: rules, aliases, defaults.",
        "%sudo ALL=(ALL:ALL) ALL, Defaults env_reset",
        frozenset({"file"}),
    ),
    Dimension(
        "authorized key",
        "Keys that let people in over SSH: type, options, comment.",
        "deploy SHA256:...",
        frozenset({"file"}),
    ),
    Dimension(
        "postgresql",
        "PostgreSQL that runs: roles, databases, tables, functions, grants, settings.",
        "15/main role app, 15/main database shop table public.users",
        frozenset({"file"}),
    ),
    Dimension(
        "mariadb",
        "MariaDB or MySQL that runs: users, grants, databases, tables, settings.",
        "user 'app'@'localhost', table shop.users",
        frozenset({"file"}),
    ),
    Dimension("redis", "Redis that runs: settings, users, modules.", "6379 setting maxmemory"),
    Dimension(
        "container",
        "Containers, images, networks and volumes of an engine on the machine.",
        "container web, image app:1, network lab, volume files",
    ),
    Dimension(
        "socket",
        "Listening sockets: the units and programs that own them.",
        "tcp 0.0.0.0:80, tcp6 [::]:80, unix /run/x.sock",
    ),
    Dimension(
        "file",
        "Files: type, mode, owner, group, size, content, target of a link.",
        "/etc/nginx/nginx.conf",
        frozenset({"package", "plain", "described"}),
    ),
)

DIMENSIONS: dict[str, Dimension] = {dimension.name: dimension for dimension in _TABLE}
