"""Packages and the owners of files, from a dpkg database."""

import pytest

from labrig.state.probe import packages
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
