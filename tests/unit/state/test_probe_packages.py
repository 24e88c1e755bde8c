"""Packages and the owners of files, from a dpkg database."""

import hashlib

import pytest

from labrig.state.probe import files, packages
from labrig.state.probe.machine import Machine, Unreadable

STATUS = """\
Package: nginx
Status: install ok installed
Architecture: amd64
Version: 1.22.1-9
Description: web server
 Status: not a field
Conffiles:
 /etc/nginx/nginx.conf abc

Package: old
Status: deinstall ok config-files
Architecture: all
Version: 1.0

Package: held
Status: hold ok installed
Architecture: amd64
Version: 2

Package: libc6
Status: install ok installed
Architecture: i386
Version: 2.36

Package: never
Status: purge ok not-installed
Architecture: amd64

"""


@pytest.fixture
def machine(tmp_path):
    for name, text in {
        "var/lib/dpkg/status": STATUS,
        "var/lib/dpkg/arch": "amd64\ni386\n",
        "var/lib/apt/extended_states": "Package: nginx\nArchitecture: amd64\nAuto-Installed: 1\n\n",
        "var/lib/dpkg/info/libc6:amd64.list": "/.\n/lib\n/lib/libc.so.6\n/etc\n",
        "var/lib/dpkg/info/libc6:i386.list": "/.\n/lib\n/lib/libc.so.6\n",
        "var/lib/dpkg/info/dash.list": "/.\n/bin\n/bin/sh\n/etc\n",
        "var/lib/dpkg/info/other.list": "/bin/sh\n/usr/bin/other\n",
        "var/lib/dpkg/diversions": "/bin/sh\n/bin/sh.distrib\nother\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    for name in ("lib", "bin"):
        (tmp_path / name).symlink_to(f"usr/{name}")
    return Machine({"root": str(tmp_path)})


def test_packages_have_version_status_hold_and_cause(machine):
    found = dict(packages.read(machine))
    assert list(found) == ["held", "libc6:i386", "nginx", "old"]
    assert found["nginx"] == {
        "version": "1.22.1-9",
        "architecture": "amd64",
        "status": "installed",
        "wanted": "install",
        "automatic": True,
    }
    assert found["held"]["wanted"] == "hold"
    assert found["old"]["status"] == "config-files"
    assert found["old"]["automatic"] is False


def test_files_belong_to_packages_where_they_really_are(machine):
    owners = packages.owners(machine)
    assert owners[b"/usr/lib/libc.so.6"] == "libc6"
    assert owners[b"/usr/bin/sh"] == "other"
    assert owners[b"/usr/bin/sh.distrib"] == "dash"
    assert b"/etc" not in owners  # two packages share it: it belongs to neither


def test_a_machine_without_packages_says_so(tmp_path):
    with pytest.raises(Unreadable, match="no dpkg database"):
        dict(packages.read(Machine({"root": str(tmp_path)})))
    assert packages.owners(Machine({"root": str(tmp_path)})) == {}


def test_the_manifest_tells_what_packages_brought(machine, tmp_path):
    libc, changed = (hashlib.md5(content).digest() for content in (b"libc", b"sh"))
    info = tmp_path / "var/lib/dpkg/info"
    (info / "libc6:amd64.md5sums").write_text(f"{libc.hex()}  lib/libc.so.6\nnonsense\n")
    (info / "dash.md5sums").write_text(f"{changed.hex()}  bin/sh\n")
    status = tmp_path / "var/lib/dpkg/status"
    conffiles = f"Conffiles:\n /etc/with space {libc.hex()}\n /etc/old {libc.hex()} obsolete\n /etc/new newconffile\n"
    status.write_text(STATUS.replace("Conffiles:\n /etc/nginx/nginx.conf abc\n", conffiles))
    assert packages.manifest(machine) == {
        b"/usr/lib/libc.so.6": libc,
        b"/usr/bin/sh.distrib": changed,
        b"/etc/with space": libc,
        b"/etc/old": libc,
    }


def test_a_file_says_whether_it_is_what_its_package_brought(machine, tmp_path):
    info = tmp_path / "var/lib/dpkg/info"
    big = b"x" * (2 << 20)
    contents = {"same": b"same", "altered": b"altered", "big": big}
    for name, content in contents.items():
        (tmp_path / f"usr/{name}").parent.mkdir(exist_ok=True)
        (tmp_path / f"usr/{name}").write_bytes(content)
    (tmp_path / "usr/link").symlink_to("same")
    (tmp_path / "usr/astray").symlink_to("/opt/elsewhere")
    listed = [*contents, "link", "astray"]
    (info / "app.list").write_text("".join(f"/usr/{name}\n" for name in listed))
    sums = {"same": b"same", "altered": b"as it was", "big": big}
    (info / "app.md5sums").write_text(
        "".join(f"{hashlib.md5(content).hexdigest()}  usr/{name}\n" for name, content in sums.items())
    )
    found = dict(files.read(Machine({"root": str(tmp_path)})))
    told = {name: found[f"/usr/{name}"].get("as_packaged") for name in listed}
    assert told == {"same": True, "altered": None, "big": True, "link": True, "astray": None}
    assert {found[f"/usr/{name}"]["package"] for name in listed} == {"app"}
    assert found["/var/lib/dpkg/info/app.list"]["package"] == "app"
