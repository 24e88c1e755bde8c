"""A service that runs what is no longer there says so until it is reloaded or restarted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from labrig.engine.machines import Machine
from labrig.state.capture import capture, request
from labrig.state.model import Value
from trials.lab import Lab, run

SETTINGS = "/etc/nginx/nginx.conf changed after it was read"


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with Lab() as lab:
        yield lab.start(lab.prepared(["nginx"]))


def unit(machine: Machine, name: str) -> Value:
    machine.settle()
    return capture(machine.stream, asked=request(dimensions=["unit"])).entries["unit", name]


def test_a_service_is_stale_until_it_is_reloaded(machine: Machine) -> None:
    run(machine, "echo '# more' >> /etc/nginx/nginx.conf")
    assert unit(machine, "nginx.service")["stale"] == [SETTINGS]
    # systemd forgets when it ran ExecReload as soon as it reads its own files again.
    run(machine, "systemctl reload nginx; systemctl daemon-reload")
    assert "stale" not in unit(machine, "nginx.service")
    run(machine, "echo '# more' >> /etc/nginx/nginx.conf; rm /etc/nginx/sites-enabled/default")
    assert unit(machine, "nginx.service")["stale"] == [SETTINGS, "/etc/nginx/sites-enabled changed after it was read"]
    run(
        machine, "nginx -s reload; for i in $(seq 50); do pgrep -f 'shutting down' || break; sleep 0.1; done; sleep 0.2"
    )
    assert "stale" not in unit(machine, "nginx.service")


def test_a_service_is_stale_until_it_is_restarted(machine: Machine) -> None:
    folder = "/etc/systemd/system/nginx.service.d"
    run(machine, f"mkdir {folder}; printf '[Service]\\nNice=1\\n' > {folder}/nice.conf")
    assert unit(machine, "nginx.service")["reload_needed"] is True
    run(
        machine,
        "systemctl daemon-reload; cp -p /usr/sbin/nginx /tmp/n; cp -p --remove-destination /tmp/n /usr/sbin/nginx",
    )
    found = unit(machine, "nginx.service")
    assert "reload_needed" not in found
    assert found["stale"] == [
        "runs /usr/sbin/nginx, which is no longer there or another one by now",
        f"{folder}/nice.conf changed after it was started",
    ]
    run(machine, "systemctl restart nginx")
    assert "stale" not in unit(machine, "nginx.service")


def test_a_service_that_ends_again_and_again_shows_whenever_it_is_looked_at(machine: Machine) -> None:
    run(
        machine,
        "printf '[Unit]\\nStartLimitIntervalSec=0\\n[Service]\\nExecStart=/bin/sleep 0.5\\nRestart=always\\n'"
        " > /etc/systemd/system/loop.service; systemctl start loop; sleep 4",
    )
    found = [unit(machine, "loop.service") for _ in range(2)]
    run(machine, "systemctl stop loop; rm /etc/systemd/system/loop.service; systemctl daemon-reload")
    assert found[0] == found[1]
    assert found[0]["crashes"] is True
