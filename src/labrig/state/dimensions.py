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
        "apt",
        "Where apt takes packages from: sources with their options, the keys that it trusts, pins.",
        "source deb http://example.org/debian stable main, key 1234ABCD, pin nginx: release a=stable",
    ),
    Dimension("alternative", "Alternatives: mode, target, choices.", "editor"),
    Dimension("diversion", "dpkg's diversions: where to, by whom.", "/usr/bin/tool"),
    Dimension("statoverride", "Rights that dpkg gives a file instead of its package's.", "/usr/bin/tool"),
    Dimension(
        "debconf", "Answers to the questions that packages ask; of a password only whether it is set.", "tzdata/Areas"
    ),
    Dimension(
        "unit",
        "systemd units: enabled or not, active or not, failed and why, text and drop-ins, schedule of a timer; "
        "whether a service runs what has changed since it was started.",
        "nginx.service",
        frozenset({"type"}),
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
        "mount",
        "File systems and swap of /etc/fstab, and others that are mounted: source, type, options, mounted or not.",
        "/srv/data, swap /swapfile",
    ),
    Dimension(
        "process",
        "Processes that last, by unit, user and command line: their program, the users of their workers.",
        "nginx.service root nginx: master process /usr/sbin/nginx",
    ),
    Dimension(
        "route",
        "Where packets go: routes, rules that choose a table of routes, addresses that somebody added.",
        "route default, route 192.0.2.0/24, rule 100: from 192.0.2.7/32, address 192.0.2.8/32 on lo",
    ),
    Dimension(
        "firewall",
        "Packet filters in the kernel: chains with their rules in order, sets with their elements, no counters.",
        "inet filter input, ip nat POSTROUTING, inet filter set blocked",
    ),
    Dimension(
        "setting",
        "Host name, time zone, locale, default target, modules to load, limits: what is configured.",
        "time zone, locale LANG, default target, module br_netfilter, limit * soft nofile",
    ),
    Dimension(
        "sysctl",
        "Kernel settings: the configured value, whether it is the live one, live values of the machine's own.",
        "net.ipv4.ip_forward",
    ),
    Dimension(
        "cron",
        "What is to run at a time: user, times, command; scripts of each hour to year; jobs of at.",
        "root 25 6 * * * /usr/local/bin/backup, daily /etc/cron.daily/dpkg",
        frozenset({"in"}),
    ),
    Dimension(
        "file",
        "Files: type, mode, owner, group, access lists, capabilities, attributes, size, content, target of a link.",
        "/etc/nginx/nginx.conf",
        frozenset({"package", "plain", "as_packaged", "described"}),
    ),
    Dimension(
        "hard link", "Names of one file, by the first of them.", "/usr/bin/perl", frozenset({"package", "as_packaged"})
    ),
    Dimension(
        "language package",
        "What pip, npm (global modules) and gem installed: versions and place.",
        "python flask in /srv/app/venv/lib/python3.11/site-packages",
    ),
)

DIMENSIONS: dict[str, Dimension] = {dimension.name: dimension for dimension in _TABLE}
