"""Access lists, capabilities and attributes, as the kernel gives them and as they are written down."""

import fcntl
import os
import struct

import pytest

from labrig.state.probe import attributes, files
from labrig.state.probe.machine import Machine

NOBODY = 0xFFFFFFFF


def acl(*entries):
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def named(number):
    return {33: "www-data"}.get(number, f"#{number}")


def test_an_access_list_reads_as_getfacl_prints_it_with_names():
    value = acl((32, 4, NOBODY), (1, 6, NOBODY), (2, 6, 4000), (2, 5, 33), (4, 4, NOBODY), (8, 0, 33), (16, 7, NOBODY))
    assert attributes.acl(value, named, named) == [
        "user::rw-",
        "user:#4000:rw-",
        "user:www-data:r-x",
        "group::r--",
        "group:www-data:---",
        "mask::rwx",
        "other::r--",
    ]


def test_an_access_list_of_another_form_is_told_by_its_hash():
    (told,) = attributes.acl(b"\x09\x00\x00\x00", named, named)
    assert told.startswith("sha256:")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0), "cap_net_raw=ep"),
        (struct.pack("<5I", 0x02000000, 1 << 10 | 1 << 13, 0, 0, 0), "cap_net_bind_service,cap_net_raw=p"),
        (struct.pack("<5I", 0x02000001, 1 << 10, 1 << 13, 1 << 7, 0), "cap_net_raw=ei cap_net_bind_service,cap_bpf=ep"),
        (struct.pack("<5I", 0x02000001, 0, 0, 1 << 31, 0), "cap_63=ep"),
        (struct.pack("<3I", 0x01000001, 1, 0), "cap_chown=ep"),
        (struct.pack("<6I", 0x03000001, 1, 0, 0, 0, 1000), "cap_chown=ep [rootid=1000]"),
        (struct.pack("<5I", 0x02000000, 0, 0, 0, 0), "="),
    ],
)
def test_capabilities_read_as_getcap_prints_them(value, text):
    assert attributes.capabilities(value) == text


def test_a_label_leaves_out_what_each_container_gets_by_chance():
    one, other = (
        attributes.label(f"system_u:object_r:container_file_t:s0:c{number},c900\0".encode()) for number in (1, 2)
    )
    assert one == other == "system_u:object_r:container_file_t:s0"
    assert attributes.label(b"u:object_r:etc_t:s0:c5\0") == "u:object_r:etc_t:s0:c5"


@pytest.fixture
def root(tmp_path):
    try:
        os.setxattr(tmp_path, "user.test", b"")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    os.removexattr(tmp_path, "user.test")
    return tmp_path


def captured(root):
    return dict(files.read(Machine({"root": str(root)})))


def test_attributes_are_told_short_texts_as_they_are_others_by_hash(root):
    (root / "file").write_text("")
    (root / "directory").mkdir()
    (root / "link").symlink_to("file")
    os.setxattr(root / "file", "user.origin", b"backup")
    os.setxattr(root / "file", "user.blob", b"\x00\x01")
    os.setxattr(root / "file", "user.DOSATTRIB", b"0x20")
    os.setxattr(root / "directory", "user.long", b"x" * 100)
    found = captured(root)
    assert found["/file"]["attributes"]["user.DOSATTRIB"] == "set"  # Samba keeps a time there.
    assert found["/file"]["attributes"]["user.origin"] == "backup"
    assert found["/file"]["attributes"]["user.blob"].startswith("sha256:")
    assert found["/directory"]["attributes"]["user.long"].startswith("sha256:")
    assert "attributes" not in found["/link"]


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives capabilities")
def test_access_lists_and_capabilities_of_real_files_are_told(root):
    (root / "etc").mkdir()
    (root / "etc/passwd").write_text("www-data:x:33:33::/:/bin/sh\n")
    (root / "file").write_text("")
    entries = [(1, 6, NOBODY), (2, 6, 33), (4, 4, NOBODY), (16, 6, NOBODY), (32, 4, NOBODY)]
    os.setxattr(root / "file", "system.posix_acl_access", acl(*entries))
    os.setxattr(root / "etc", "system.posix_acl_default", acl(*entries))
    os.setxattr(root / "file", "security.capability", struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0))
    found = captured(root)
    assert "user:www-data:rw-" in found["/file"]["acl"]
    assert "user:www-data:rw-" in found["/etc"]["default_acl"]
    assert found["/file"]["capabilities"] == "cap_net_raw=ep"


def test_a_file_system_without_attributes_has_none(root, monkeypatch):
    (root / "file").write_text("")
    monkeypatch.setattr(os, "listxattr", refusing(95))
    assert "unreadable" not in captured(root)["/file"]


def test_attributes_that_cannot_be_read_say_so(root, monkeypatch):
    (root / "file").write_text("")
    os.setxattr(root / "file", "user.x", b"1")
    monkeypatch.setattr(os, "getxattr", refusing(13))
    assert captured(root)["/file"]["attributes"] == {"user.x": "unreadable: Permission denied"}
    monkeypatch.setattr(os, "listxattr", refusing(5))
    found = captured(root)["/file"]
    assert found["unreadable"] == "attributes: Input/output error"
    assert found["sha256"]


def refusing(number):
    def refuse(*_arguments, **_options):
        raise OSError(number, os.strerror(number))

    return refuse


def test_locks_of_a_real_file_are_read_from_its_flags(tmp_path, monkeypatch):
    # Only root may make a file immutable, and then nobody can remove it; "no dump" is kept beside it.
    monkeypatch.setattr(attributes, "FLAGS", {0x40: "no dump"})
    with (tmp_path / "file").open("w") as stream:
        assert attributes.locked(stream.fileno()) == []
        try:
            fcntl.ioctl(stream.fileno(), 0x40086602, struct.pack("l", 0x40))
        except OSError:
            pytest.skip("this file system has no flags")
        assert attributes.locked(stream.fileno()) == ["no dump"]


def test_an_immutable_file_says_so(tmp_path, monkeypatch):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/file").write_text("")
    monkeypatch.setattr(files, "locked", lambda _descriptor: ["immutable"])
    found = captured(tmp_path)
    assert found["/etc/file"]["locked"] == found["/etc"]["locked"] == ["immutable"]
