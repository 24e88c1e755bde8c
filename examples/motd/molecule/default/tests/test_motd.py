"""What people see who log in. The same on a new machine and on an upgraded one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from testinfra.host import Host


def test_message_says_whom_to_ask(host: Host) -> None:
    assert "For help ask the test team." in host.file("/etc/motd").content_string


def test_message_does_not_tell_the_kernel(host: Host) -> None:
    assert "/etc/update-motd.d/10-uname" not in host.check_output("run-parts --test /etc/update-motd.d")


def test_message_tells_how_long_the_server_has_been_up(host: Host) -> None:
    assert host.check_output("/etc/update-motd.d/50-uptime").startswith("up ")
