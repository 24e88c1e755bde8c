"""Role edge: what somebody notices who uses, runs or looks after the front door. The same on every machine."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from front_door import FrontDoor
    from testinfra.host import Host

LOG = "/var/log/edge/access.log"


@pytest.mark.parametrize("name", ["nginx", "logrotate", "curl"])
def test_package_is_installed(host: Host, name: str) -> None:
    assert host.package(name).is_installed


@pytest.mark.parametrize("name", ["nginx.service", "logrotate.timer"])
def test_unit_runs_now_and_after_a_restart(host: Host, name: str) -> None:
    unit = host.service(name)
    assert unit.is_running
    assert unit.is_enabled


@pytest.mark.parametrize("address", ["0.0.0.0", "::"])
def test_port_80_is_open_to_both_address_families(host: Host, address: str) -> None:
    assert host.socket(f"tcp://{address}:80").is_listening


def test_configuration_is_valid(host: Host) -> None:
    result = host.run("nginx -t")
    assert result.rc == 0, result.stderr


@pytest.mark.parametrize("path", ["/", "/any/page?of=it"])
def test_unknown_host_gets_the_splash_page(front_door: FrontDoor, path: str) -> None:
    response = front_door.get("nobody-deployed-this.lab.example", path)
    assert response.status == 200
    assert "<h1>Lab</h1>" in response.body
    assert "<p>Nothing is deployed under this name.</p>" in response.body
    assert response.headers["cache-control"] == "no-store"


def test_no_answer_tells_the_version_of_nginx(front_door: FrontDoor) -> None:
    assert front_door.get("hello.lab.example").headers["server"] == "nginx"


def test_experiment_in_a_folder_answers_with_its_page(front_door: FrontDoor) -> None:
    response = front_door.get("hello.lab.example")
    assert (response.status, response.body) == (200, "Hello from a folder\n")


def test_missing_page_of_an_experiment_is_not_the_splash_page(front_door: FrontDoor) -> None:
    assert front_door.get("hello.lab.example", "/missing").status == 404


@pytest.mark.parametrize("name", ["notes.lab.example", "www.notes.lab.example"])
def test_experiment_behind_a_port_answers_under_each_of_its_names(front_door: FrontDoor, name: str) -> None:
    response = front_door.get(name)
    assert (response.status, response.body) == (200, "Notes from an application\n")


def test_upload_of_two_megabytes_is_not_too_large(front_door: FrontDoor) -> None:
    # A folder takes no uploads (405); beyond the limit nginx would say 413 before it looks there.
    assert front_door.upload("hello.lab.example", "/", 2_000_000).status == 405


def test_access_log_says_which_host_was_asked_for(host: Host, front_door: FrontDoor) -> None:
    front_door.get("hello.lab.example", "/who-was-asked")
    line = host.check_output("grep -F /who-was-asked %s | tail -n 1", LOG)
    request, times = '"GET /who-was-asked HTTP/1.1" 404', r"\d+\.\d{3} -"
    assert re.fullmatch(rf'hello\.lab\.example 127\.0\.0\.1 .* {re.escape(request)} \d+ "-" "-" {times}', line)


def test_access_log_is_for_administrators_only(host: Host) -> None:
    log = host.file(LOG)
    assert (log.user, log.group, oct(log.mode)) == ("www-data", "adm", "0o640")


def test_rotation_keeps_two_weeks(host: Host) -> None:
    result = host.run("logrotate --debug /etc/logrotate.conf")
    assert result.rc == 0, result.stderr
    assert "error:" not in result.stderr
    assert "rotating pattern: /var/log/edge/*.log  after 1 days (14 rotations)" in result.stderr


@pytest.mark.parametrize(
    "path",
    [
        "/etc/nginx/sites-enabled/default",
        "/etc/nginx/conf.d/labrig-log.conf",
        "/etc/nginx/conf.d/labrig-server.conf",
        "/var/www/html/labrig-splash.html",
    ],
)
def test_what_is_no_longer_wanted_is_gone(host: Host, path: str) -> None:
    assert not host.file(path).exists
