"""What is the machine's own among what is mounted, and what fstab says of it."""

import os

import pytest

from labrig.state.probe import files, fstab
from labrig.state.probe import machine as machines
from labrig.state.probe.machine import Machine
from labrig.state.probe.mounts import left_out, mounts

SERVER = b"""\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:21 / /proc rw - proc proc rw
24 22 0:22 / /run rw,nosuid - tmpfs tmpfs rw
25 22 8:2 / /srv/data rw,noatime - xfs /dev/sdb1 rw
26 22 8:1 /srv/shared /mnt/bind rw - ext4 /dev/sda1 rw
27 22 8:1 / /mnt/again rw - ext4 /dev/sda1 rw
28 22 0:40 / /mnt/nfs rw - nfs4 server:/export rw
29 28 8:3 / /mnt/nfs/disk rw - ext4 /dev/sdc1 rw
30 22 0:50 / /var/lib/docker/overlay2/ab/merged rw - overlay overlay rw,lowerdir=/x
31 22 0:51 /@home /home rw - btrfs /dev/sdd1 rw,subvolid=257,subvol=/@home
32 22 0:51 /@home/me /mnt/me rw - btrfs /dev/sdd1 rw,subvolid=257,subvol=/@home
33 22 8:5 / /srv/with\\040space rw - ext4 /dev/sde1 rw
34 22 0:60 / /mnt/fuse rw - fuse.sshfs me@host:/ rw
35 22 7:1 / /snap/core/1 ro - squashfs /dev/loop1 ro
36 22 0:70 / /tank rw - zfs tank/data rw
37 22 0:71 / /misc rw - autofs /etc/auto.misc rw
"""

CONTAINER = b"""\
539 417 0:76 / / rw,relatime - overlay overlay rw
166 539 254:0 /var/lib/docker/containers/6b/hosts /etc/hosts rw - ext4 /dev/vda rw
167 539 254:0 /var/lib/docker/volumes/0a1b/_data /data rw - ext4 /dev/vda rw
168 539 254:3 / /backup rw - ext4 /dev/vdb rw
169 539 7:0 / /srv/loop rw - ext4 /dev/loop0 rw
170 539 0:94 / /tmp rw,nosuid - tmpfs tmpfs rw
171 539 0:95 / /var/cache/fast rw,nosuid - tmpfs tmpfs rw
"""


def test_a_servers_own_disks_are_read_and_nothing_else():
    found = mounts(SERVER.splitlines())
    assert set(found) - left_out(found, []) == {b"/", b"/srv/data", b"/home", b"/srv/with space", b"/tank"}


def test_what_is_mounted_below_something_foreign_is_not_reached():
    assert b"/mnt/nfs/disk" in left_out(mounts(SERVER.splitlines()), [])


def test_in_a_container_the_hosts_disks_are_left_out_and_dockers_three_files_are_not():
    found = mounts(CONTAINER.splitlines())
    own = set(found) - left_out(found, [b"/srv/loop"], in_container=True)
    assert own == {b"/", b"/etc/hosts", b"/srv/loop"}


def test_of_another_root_only_what_is_below_it_counts():
    found = mounts(SERVER.splitlines(), b"/mnt")
    assert set(found) == {b"/bind", b"/again", b"/nfs", b"/nfs/disk", b"/me", b"/fuse"}


def test_a_part_of_a_disk_that_is_mounted_as_a_whole_is_read_once():
    found = mounts([*SERVER.splitlines(), b"40 22 8:2 / /srv/twice rw - xfs /dev/sdb1 rw"])
    out = left_out(found, [])
    assert b"/srv/twice" in out
    assert b"/srv/data" not in out


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A machine whose root is a folder and whose mounts are those of a server with a dead NFS mount."""
    root = os.fsencode(tmp_path)
    lines = []
    for line in SERVER.splitlines():
        fields = line.split(b" ")
        fields[4] = root + fields[4].rstrip(b"/")
        lines.append(b" ".join(fields))
    monkeypatch.setattr(machines, "_mountinfo", lambda: lines)
    for name in ("mnt/nfs/inside", "srv/data/file"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("")
    return tmp_path


@pytest.mark.parametrize("only", [[], ["/mnt/nfs/inside", "/srv/data"], ["/mnt/nfs"]])
def test_a_dead_mount_is_never_touched(server, monkeypatch, only):
    def touching(name):
        real = getattr(os, name)

        def watched(path, *arguments, **options):
            assert not (isinstance(path, bytes | str) and "nfs" in os.fsdecode(path)), f"{name}({path!r}) would hang"
            return real(path, *arguments, **options)

        return watched

    for name in ("lstat", "stat", "listdir", "open", "readlink", "listxattr"):
        monkeypatch.setattr(os, name, touching(name))
    found = dict(files.read(Machine({"root": str(server), "only": only})))
    assert ("/srv/data/file" in found) == (only != ["/mnt/nfs"])
    assert "/mnt/nfs" not in found


FSTAB = """\
# a comment
UUID=1a-2b  /  ext4  defaults,errors=remount-ro  0 1
/dev/sdb1 /srv/data/ xfs noatime,rw,nodev 0 2
server:/export /mnt/nfs nfs4 _netdev
/swap\\040file none swap sw 0 0
incomplete
"""


def described(tmp_path, monkeypatch, text, lines, *, live, in_container=False):
    (tmp_path / "etc").mkdir(exist_ok=True)
    (tmp_path / "etc/fstab").write_text(text)
    machine = Machine({"root": str(tmp_path)})
    monkeypatch.setattr(fstab, "_swaps", lambda: {"/dev/dm-1"})
    machine.live, machine.in_container, machine.mounts = live, in_container, mounts(lines.splitlines())
    return dict(fstab.read(machine))


def test_fstab_reads_by_what_it_means(tmp_path, monkeypatch):
    found = described(tmp_path, monkeypatch, FSTAB, b"", live=False)
    assert found == {
        "/": {
            "configured": "fstab",
            "source": "UUID=1a-2b",
            "type": "ext4",
            "options": ["errors=remount-ro"],
            "check": "1",
        },
        "/srv/data": {
            "configured": "fstab",
            "source": "/dev/sdb1",
            "type": "xfs",
            "options": ["noatime", "nodev"],
            "check": "2",
        },
        "/mnt/nfs": {
            "configured": "fstab",
            "source": "server:/export",
            "type": "nfs4",
            "options": ["_netdev"],
            "check": "0",
        },
        "swap /swap file": {"configured": "fstab", "source": "/swap file", "type": "swap", "options": ["sw"]},
    }


def test_swap_that_is_named_by_a_number_is_told_without_it(tmp_path, monkeypatch):
    text = "UUID=1a-2b none swap sw 0 0\n/swapfile none swap sw 0 0\nPARTUUID=3c none swap pri=5 0 0\n"
    found = described(tmp_path, monkeypatch, text, b"", live=False)
    assert list(found) == ["swap /swapfile", "swap by UUID 1", "swap by UUID 2"]
    assert found["swap by UUID 2"]["source"] == "PARTUUID=3c"


def test_what_is_mounted_and_what_should_be_are_told_apart(tmp_path, monkeypatch):
    entry = b"/dev/sdz1 /srv/missing ext4 defaults 0 2\n/dev/sdb1 /srv/data xfs defaults 0 2\n"
    found = described(tmp_path, monkeypatch, entry.decode(), SERVER.replace(b"rw,noatime", b"ro,noatime"), live=True)
    assert found["/srv/missing"]["mounted"] is False
    assert found["/srv/data"]["mounted"] is True
    assert found["/srv/data"]["read_only"] is True
    assert found["/mnt/nfs"] == {
        "configured": "no",
        "source": "server:/export",
        "type": "nfs4",
        "options": [],
        "mounted": True,
    }
    assert found["/mnt/bind"]["source"] == "/dev/sda1[/srv/shared]"
    assert found["swap /dev/dm-1"] == {"configured": "no", "mounted": True}
    assert not {"/", "/proc", "/run", "/var/lib/docker/overlay2/ab/merged", "/snap/core/1"} & set(found)


def test_a_mount_of_a_unit_names_it(tmp_path, monkeypatch):
    (tmp_path / "etc/systemd/system").mkdir(parents=True)
    (tmp_path / "etc/systemd/system/srv-data.mount").write_text("")
    found = described(tmp_path, monkeypatch, "", SERVER, live=True)
    assert found["/srv/data"]["configured"] == "srv-data.mount"


def test_in_a_container_only_what_was_set_up_there_counts(tmp_path, monkeypatch):
    found = described(
        tmp_path, monkeypatch, "/dev/loop0 /srv/loop ext4 loop 0 0\n", CONTAINER, live=True, in_container=True
    )
    assert set(found) == {"/srv/loop", "/var/cache/fast"}
    assert found["/srv/loop"]["mounted"] is True


@pytest.mark.parametrize(
    ("point", "name"),
    [
        (b"/srv/data", "srv-data.mount"),
        (b"/srv/my-data", r"srv-my\x2ddata.mount"),
        (b"/.hidden/a b", r"\x2ehidden-a\x20b.mount"),
        (b"/", "-.mount"),
    ],
)
def test_units_are_named_as_systemd_names_them(point, name):
    assert fstab.unit_name(point) == name
