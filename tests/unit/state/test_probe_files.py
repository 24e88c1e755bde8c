"""Files as they really are on a disk: nasty names, holes, pipes, loops, things that go away."""

import hashlib
import os
import socket
import stat
import subprocess
from pathlib import Path

import pytest

from labrig.state.probe import files
from labrig.state.probe import machine as machines
from labrig.state.probe.machine import Machine, Unreadable


@pytest.fixture
def root(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text(f"me:x:{os.getuid()}:{os.getgid()}::/:/bin/sh\n")
    (tmp_path / "etc/group").write_text(f"us:x:{os.getgid()}:\n")
    return tmp_path


def captured(root, **request):
    return dict(files.read(Machine({"root": str(root), **request})))


def test_a_file_has_type_mode_owner_group_size_and_hash(root):
    path = root / "etc/app.conf"
    path.write_bytes(b"on\n")
    path.chmod(0o4750)
    assert captured(root)["/etc/app.conf"] == {
        "type": "file",
        "mode": "4750",
        "owner": "me",
        "group": "us",
        "size": 3,
        "sha256": hashlib.sha256(b"on\n").hexdigest(),
    }


def test_directories_and_links_are_entries_too(root):
    (root / "etc").chmod(0o1777)
    (root / "etc/link").symlink_to("../nowhere\n")
    found = captured(root)
    assert found["/etc"]["type"] == "directory"
    assert found["/etc"]["mode"] == "1777"
    assert "size" not in found["/etc"]
    assert found["/etc/link"] == {"type": "link", "owner": "me", "group": "us", "target": r"../nowhere\x0a"}
    assert found["/"]["type"] == "directory"


def test_an_owner_without_a_name_shows_its_number(root):
    (root / "etc/group").write_text("")
    assert captured(root)["/etc/passwd"]["group"] == f"#{os.getgid()}"


def test_nasty_names_stay_apart(root):
    for name in (b"new\nline", b"caf\xe9", b"back\\slash", b" ", b'"', b"-rf", b"\x1b[31m"):
        (root / os.fsdecode(name)).write_bytes(name)
    found = captured(root)
    assert {r"/new\x0aline", r"/caf\xe9", r"/back\\slash", "/ ", '/"', "/-rf", r"/\x1b[31m"} < set(found)


def test_pipes_and_sockets_are_not_opened(root, monkeypatch):
    os.mkfifo(root / "pipe")
    monkeypatch.chdir(root)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        found = captured(root)
    assert found["/pipe"]["type"] == "fifo"
    assert found["/socket"]["type"] == "socket"
    assert "sha256" not in found["/pipe"]


@pytest.mark.skipif(os.getuid() != 0, reason="only root makes device files")
def test_a_device_is_told_by_its_number(root):
    try:
        os.mknod(root / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("this container may not make device files")
    assert captured(root)["/null"]["device"] == "1:3"


def test_loops_of_links_end(root):
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")
    (root / "self").symlink_to(".")
    found = captured(root)
    assert found["/a"]["target"] == "b"
    assert "/self/self" not in found


def test_a_huge_sparse_file_is_hashed_by_what_it_holds(root):
    ten_gigabytes = 10 << 30
    for name, place in (("a", 5 << 30), ("b", 5 << 30), ("c", (5 << 30) + 1)):
        with (root / name).open("wb") as stream:
            stream.truncate(ten_gigabytes)
            stream.seek(place)
            stream.write(b"data")
    found = captured(root)
    assert found["/a"]["size"] == ten_gigabytes
    assert found["/a"]["sha256"].startswith("blocks:")
    assert found["/a"] == found["/b"]
    assert found["/a"] != found["/c"]


def test_holes_and_written_zeros_are_the_same_content(root, monkeypatch):
    monkeypatch.setattr(files, "BLOCKS_LIMIT", 1 << 20)
    size = (1 << 20) + 12345
    (root / "written").write_bytes(b"x" + bytes(size - 2) + b"y")
    with (root / "sparse").open("wb") as stream:
        stream.write(b"x")
        stream.seek(size - 1)
        stream.write(b"y")
    found = captured(root)
    assert found["/written"] == found["/sparse"]


def test_files_of_every_size_have_the_hash_of_their_bytes(root):
    sizes = [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, (3 << 20) + 7]
    for size in sizes:
        (root / str(size)).write_bytes(os.urandom(size))
    found = captured(root)
    for size in sizes:
        assert found[f"/{size}"]["sha256"] == hashlib.sha256((root / str(size)).read_bytes()).hexdigest()


def test_own_addresses_read_as_self(root):
    content = b"listen 172.17.0.3;\nallow 172.17.0.30;\n"
    (root / "listen").write_bytes(content)
    (root / "binary").write_bytes(b"\x00172.17.0.3")
    other = content.replace(b"0.3;", b"0.14;")
    (root / "other").write_bytes(other)
    here = captured(root, self=["172.17.0.3"])
    there = captured(root, self=["172.17.0.14"])
    assert here["/listen"]["sha256"] == there["/other"]["sha256"]
    assert here["/listen"]["size"] == there["/other"]["size"]
    assert here["/listen"]["plain"] == hashlib.sha256(content).hexdigest()
    assert here["/binary"] == there["/binary"]
    assert "plain" not in here["/binary"]


def test_addresses_of_peers_read_as_their_names(root):
    (root / "a").write_bytes(b"10.0.0.1")
    (root / "b").write_bytes(b"10.0.0.2")
    found = captured(root, peers={"10.0.0.1": "db"})
    again = captured(root, peers={"10.0.0.2": "db"})
    assert found["/a"]["sha256"] == again["/b"]["sha256"]


def test_what_vanishes_meanwhile_is_left_out(root, monkeypatch):
    (root / "gone").write_text("")
    (root / "stays").write_text("")
    real = os.open

    def vanishing(path, *rest):
        if path.endswith(b"gone"):
            Path(os.fsdecode(path)).unlink()
        return real(path, *rest)

    monkeypatch.setattr(os, "open", vanishing)
    found = captured(root)
    assert "/gone" not in found
    assert "/stays" in found


def test_a_directory_that_vanishes_meanwhile_is_left_out(root, monkeypatch):
    (root / "gone").mkdir()
    (root / "turning").mkdir()
    real = os.listdir

    def vanishing(path):
        if path.endswith((b"gone", b"turning")):
            Path(os.fsdecode(path)).rmdir()
        if path.endswith(b"turning"):
            Path(os.fsdecode(path)).write_text("")
        return real(path)

    monkeypatch.setattr(os, "listdir", vanishing)
    found = captured(root)
    assert "/gone" not in found
    assert found["/turning"]["unreadable"] == "Not a directory"


def test_a_link_that_vanishes_meanwhile_is_left_out(root, monkeypatch):
    (root / "gone").symlink_to("x")
    real = os.readlink

    def vanishing(path):
        Path(os.fsdecode(path)).unlink()
        return real(path)

    monkeypatch.setattr(os, "readlink", vanishing)
    assert "/gone" not in captured(root)


def test_without_knowing_the_mounts_nothing_is_walked(root, monkeypatch):
    def unread():
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(machines, "_mountinfo", unread)
    with pytest.raises(Unreadable, match="mountinfo"):
        captured(root)


def test_a_file_that_becomes_a_pipe_is_not_waited_for(root, monkeypatch):
    (root / "turning").write_text("")
    real = os.open

    def turning(path, *rest):
        if path.endswith(b"turning"):
            Path(os.fsdecode(path)).unlink()
            os.mkfifo(path)
        return real(path, *rest)

    monkeypatch.setattr(os, "open", turning)
    assert "/turning" not in captured(root)


def test_what_cannot_be_read_says_so(root, monkeypatch):
    (root / "secret").write_text("x")
    (root / "closed").mkdir()
    real_open, real_list = os.open, os.listdir

    def refuse(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(
        os, "open", lambda path, *rest: refuse(path) if path.endswith(b"secret") else real_open(path, *rest)
    )
    monkeypatch.setattr(os, "listdir", lambda path: refuse(path) if path.endswith(b"closed") else real_list(path))
    found = captured(root)
    assert found["/secret"]["unreadable"] == "Permission denied"
    assert found["/secret"]["type"] == "file"
    assert found["/closed"]["unreadable"] == "Permission denied"


def test_mounts_are_not_looked_at(root, monkeypatch):
    for name in ("data/inside", "etc/hosts"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("x")
    machine = Machine({"root": str(root)})
    machine.left_out = frozenset({b"/data"})
    looked = []
    real = os.lstat
    monkeypatch.setattr(os, "lstat", lambda path: looked.append(path) or real(path))
    found = dict(files.read(machine))
    assert "/data" not in found
    assert "/data/inside" not in found
    assert not any(b"data" in path for path in looked)
    assert "/etc/hosts" in found


def test_the_order_is_that_of_the_bytes_in_each_directory(root):
    for name in ("b", "a", "a.d/x", "a0", "B"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("")
    assert list(captured(root)) == ["/", "/B", "/a", "/a.d", "/a.d/x", "/a0", "/b", "/etc", "/etc/group", "/etc/passwd"]


def test_only_what_is_asked_for_is_read(root):
    (root / "srv").mkdir()
    (root / "srv/x").write_text("")
    assert list(captured(root, only=["/srv", "/etc/passwd"])) == ["/etc/passwd", "/srv", "/srv/x"]


def test_a_deep_tree_is_no_problem(root):
    path = os.fsencode(root)
    here = os.open(path, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=here)
        deeper = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(here)
    try:
        found = captured(root)
    finally:
        # Neither shutil.rmtree nor pytest goes that deep.
        subprocess.run(["rm", "-rf", str(root / "d")], check=True)
    assert any(value.get("unreadable") == "File name too long" for value in found.values())
