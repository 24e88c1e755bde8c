"""Units, accounts and sockets from what the machine tells."""

import os
import socket
import subprocess
from pathlib import Path

import pytest

from labrig.state.probe import accounts, sockets
from labrig.state.probe.machine import Machine, Unreadable
from labrig.state.probe.units import units

LISTED = """\
nginx.service enabled enabled
idle.service disabled enabled
getty@.service enabled enabled
nginx-alias.service alias -
tmp.mount static -
some.slice static -
"""

SHOWN = """\
Type=forking
Id=nginx.service
LoadState=loaded
ActiveState=failed
SubState=failed
UnitFileState=enabled

Type=idle
Id=getty@tty1.service
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled

Type=simple
Id=getty@tty2.service
LoadState=loaded
ActiveState=inactive
SubState=dead
UnitFileState=disabled

Id=missing.service
LoadState=not-found
ActiveState=inactive
SubState=dead
UnitFileState=

Id=run-r1.service
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=transient

Type=tmpfs
Id=etc-hosts.mount
LoadState=loaded
ActiveState=active
SubState=mounted
UnitFileState=

Id=session-1.scope
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=transient
"""


def test_units_are_what_lasts():
    assert units(LISTED, SHOWN) == {
        "nginx.service": {"enabled": "enabled", "active": "failed", "sub": "failed", "type": "forking"},
        "idle.service": {"enabled": "disabled", "active": "inactive", "sub": "dead"},
        "getty@.service": {"enabled": "enabled"},
        "nginx-alias.service": {"enabled": "alias"},
        "tmp.mount": {"enabled": "static", "active": "inactive", "sub": "dead"},
        "getty@tty1.service": {"enabled": "enabled", "active": "active", "sub": "running", "type": "idle"},
    }


def test_whether_an_inactive_unit_is_in_memory_does_not_show():
    shown = "Id=idle.service\nLoadState=loaded\nActiveState=inactive\nSubState=dead\nUnitFileState=disabled\n"
    assert units(LISTED, shown) == units(LISTED, "")


def test_accounts_have_meaning_not_numbers(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text(
        "root:x:0:0:root:/root:/bin/bash\napp:x:101:5:App:/srv/app:/bin/sh\ntoor:*:0:0::/:/bin/sh\n"
    )
    (tmp_path / "etc/group").write_text("root:x:0:\nwheel:x:9:app\nadm:x:5:app,root\n")
    (tmp_path / "etc/shadow").write_text("app:$y$j9T$salt$hash:19000:0:99999:7::20500:\nroot::0:0:99999:7:::\n")
    (tmp_path / "etc/gshadow").write_text("wheel:!:app,root:app\n")
    (tmp_path / "etc/subuid").write_text("app:100000:65536\n101:200000:1\n")
    machine = Machine({"root": str(tmp_path)})
    users = dict(accounts.users(machine))
    assert users["app"] == {
        "comment": "App",
        "home": "/srv/app",
        "shell": "/bin/sh",
        "group": "adm",
        "groups": ["adm", "wheel"],
        "password": "set",
        "method": "y",
        "password_changed": "2022-01-08",
        "password_min": "0",
        "password_max": "99999",
        "password_warn": "7",
        "expires": "2026-02-16",
        "subuid": 65537,
    }
    assert users["root"]["password"] == "none"
    assert users["root"]["password_must_change"] is True
    assert users["toor"]["superuser"] is True
    assert users["toor"]["password"] == "locked"
    assert "superuser" not in users["app"]
    groups = dict(accounts.groups(machine))
    assert groups["adm"]["members"] == ["app", "root"]
    assert groups["wheel"] == {"members": ["app"], "password": "locked", "administrators": ["app", "root"]}
    assert dict(accounts.numbers(machine))["user app"] == {"number": "101"}


def test_a_fingerprint_of_a_password_needs_the_key_of_whoever_asks(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("app:x:101:5:App:/srv/app:/bin/sh\n")

    def fingerprint(secret, **asked):
        (tmp_path / "etc/shadow").write_text(f"app:{secret}:19000:0:99999:7:::\n")
        return dict(accounts.users(Machine({"root": str(tmp_path), **asked})))["app"].get("fingerprint")

    assert fingerprint("$6$salt$one") is None
    assert fingerprint("$6$salt$one", key="a") == fingerprint("$6$salt$one", key="a")
    assert fingerprint("$6$salt$one", key="a") != fingerprint("$6$salt$one", key="b")
    assert fingerprint("$6$salt$one", key="a") != fingerprint("$6$salt$two", key="a")
    assert fingerprint("!$6$salt$one", key="a") is not None


def test_a_machine_that_does_not_run_has_no_sockets(tmp_path):
    with pytest.raises(Unreadable):
        next(sockets.read(Machine({"root": str(tmp_path)})))


def test_listening_sockets_name_their_program(tmp_path):
    with (
        socket.socket() as tcp,
        socket.socket(socket.AF_UNIX) as unix,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
    ):
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        udp.bind(("127.0.0.1", 0))
        unix.bind(str(tmp_path / "listen"))
        unix.listen()
        found = dict(sockets.read(Machine({})))
        program = Path("/proc/self/comm").read_text().strip()
        for key in (
            "tcp 127.0.0.1:<ephemeral>",
            "udp 127.0.0.1:<ephemeral>",
            f"unix {tmp_path}/listen",
        ):
            assert program in found[key]["programs"]


@pytest.mark.parametrize(
    ("command", "port", "shown"),
    [
        ("--port=40123", "40123", "tcp 0.0.0.0:40123"),
        ("--port=40123", "40124", "tcp 0.0.0.0:<ephemeral>"),
        ("", "33060", "tcp 0.0.0.0:33060"),  # MySQL's own.
        ("", "8080", "tcp 0.0.0.0:8080"),  # The kernel gives none like that.
    ],
)
def test_a_port_that_nobody_chose_reads_as_such(command, port, shown):
    running = ["/bin/sh", "-c", "echo ready; read x", "sh", command]
    with subprocess.Popen(running, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()  # Before that, the kernel may not know the command line yet.
        holder = sockets.Holder(str(process.pid), "1", "app.service", "sh")
        assert sockets.Ports(Machine({})).shown(f"tcp 0.0.0.0:{port}", {holder}) == shown


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("@/tmp/dbus-Yk3LbQ8dXz", "@/tmp/dbus-<random>"),
        ("@0a1b2", "@<automatic>"),
        ("@/org/app/control", "@/org/app/control"),
    ],
)
def test_an_abstract_name_reads_without_what_was_made_up(name, shown):
    assert sockets._without_chance(f"unix {name}") == f"unix {shown}"


def test_a_name_with_a_process_number_in_it_reads_without(tmp_path):
    first = tmp_path / f"admin.{os.getpid()}.tmp"
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(first))
        unix.listen()
        assert f"unix {first}" in dict(sockets.read(Machine({})))  # It is there: its digits may mean something else.
        first.rename(tmp_path / "admin")
        assert f"unix {tmp_path}/admin.<pid>.tmp" in dict(sockets.read(Machine({})))


@pytest.mark.parametrize(
    ("path", "unit"),
    [
        ("/system.slice/nginx.service", "nginx.service"),
        ("/system.slice/system-postgresql.slice/postgresql@15-main.service", "postgresql@15-main.service"),
        ("/user.slice/user-0.slice/session-12.scope", "session.scope"),
        ("/user.slice/user-1.slice/user@1.service/app.slice/x.service", "user@1.service/x.service"),
        ("/init.scope", "init.scope"),
        ("/", ""),
    ],
)
def test_a_cgroup_belongs_to_a_unit(path, unit):
    assert sockets.unit_of(path) == unit
