"""Files that Docker mounts into a machine go with its snapshot, and fit the machine that is made of it."""

from __future__ import annotations

from labrig.engine.mounted_files import MountedFiles

OWN = "127.0.0.1\tlocalhost\n"


def hosts(content: str, address: str) -> MountedFiles:
    return MountedFiles({"/etc/hosts": content}, (address,))


def test_what_was_written_there_stays_with_the_address_of_now() -> None:
    before = hosts(f"{OWN}172.17.0.2\tweb\n10.9.9.9 db\n172.17.0.2 alias\n", "172.17.0.2")
    now = hosts(f"{OWN}172.17.0.7\tweb\n", "172.17.0.7")

    assert before.now(now) == {"/etc/hosts": f"{OWN}172.17.0.7\tweb\n10.9.9.9 db\n172.17.0.7 alias\n"}


def test_a_machine_that_is_called_otherwise_now_has_its_name_of_now() -> None:
    before = hosts(f"{OWN}172.17.0.2\tserver\n10.9.9.9 server-db\n", "172.17.0.2")
    now = hosts(f"{OWN}172.17.0.7\tweb\n", "172.17.0.7")

    assert before.now(now) == {"/etc/hosts": f"{OWN}172.17.0.7\tweb\n10.9.9.9 server-db\n"}


def test_nothing_is_written_where_nothing_was_added() -> None:
    now = hosts(f"{OWN}172.17.0.7\tweb\n", "172.17.0.7")

    assert hosts(f"{OWN}172.17.0.2\tserver\n", "172.17.0.2").now(now) == {}
