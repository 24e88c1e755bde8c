"""Which files a service has read, and which of them have changed since."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from labrig.state.probe.machine import Machine
from labrig.state.probe.stale import Clock, changed, command_words, configuration, definition, reasons, start

EXEC = "{{ path=/usr/bin/app ; argv[]=/usr/bin/app {} ; ignore_errors=no ; start_time=[n/a] ; pid=0 }}"


@pytest.fixture
def machine():
    return Machine({})


def test_the_words_of_a_command_line_that_may_be_files():
    text = EXEC.format("-c /etc/app.conf --config=/etc/more.conf --verbose server.js")
    assert command_words(text) == ["/etc/app.conf", "/etc/more.conf", "server.js"]


def test_a_file_is_changed_if_it_is_newer(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    for path, moment in ((old, 1000), (new, 2000)):
        path.write_text("x")
        os.utime(path, (moment, moment))
    link = tmp_path / "link"
    link.symlink_to(new)
    os.utime(link, (1000, 1000), follow_symlinks=False)
    paths = [str(old), str(new), str(link), str(tmp_path / "gone"), str(new)]
    assert changed(paths, 1500) == [str(new), str(link)]
    assert changed([str(new)], 2000) == []


def test_what_stands_on_the_command_line_is_configuration(machine, tmp_path, monkeypatch):
    (tmp_path / "server.js").write_text("x")
    monkeypatch.setattr("labrig.state.probe.stale.NO_SETTINGS", ("/var/",))
    unit = {
        "Id": "app.service",
        "ExecStart": EXEC.format("server.js /var/lib/dpkg/status"),
        "WorkingDirectory": str(tmp_path),
    }
    assert list(configuration(machine, unit, "app", 0)) == [f"{tmp_path}/server.js"]


def test_a_folder_of_settings_gives_settings_and_no_kept_copies(machine, tmp_path, monkeypatch):
    for name in (
        "app.conf",
        "app.conf.bak",
        "app.conf.dpkg-old",
        "notes.md",
        ".app.swp",
        "conf.d/a.conf",
        "sites-enabled/one",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    monkeypatch.setattr("labrig.state.probe.stale.CONFIGURATION", {"app": (str(tmp_path),)})
    found = {path[len(str(tmp_path)) + 1 :] for path in configuration(machine, {"Id": "app.service"}, "app", 0)}
    assert found == {"app.conf", "conf.d", "conf.d/a.conf", "sites-enabled", "sites-enabled/one"}


def test_what_a_service_can_write_itself_is_not_counted(machine, tmp_path, monkeypatch):
    (tmp_path / "state.conf").write_text("x")
    monkeypatch.setattr("labrig.state.probe.stale.CONFIGURATION", {"app": (str(tmp_path),)})
    mine = tmp_path.stat().st_uid or 12345
    os.chown(tmp_path / "state.conf", mine, -1)
    assert list(configuration(machine, {"Id": "app.service"}, "app", mine)) == []


def test_what_systemd_generates_is_no_definition():
    unit = {
        "FragmentPath": "/run/systemd/generator.late/old.service",
        "SourcePath": "/etc/init.d/old",
        "DropInPaths": "/etc/systemd/system/old.service.d/a.conf",
        "EnvironmentFiles": "/etc/default/more (ignore_errors=yes)",
    }
    assert list(definition(unit)) == [
        "/etc/init.d/old",
        "/etc/systemd/system/old.service.d/a.conf",
        "/etc/default/more",
        "/etc/default/old",
    ]


def test_a_process_has_started_a_moment_ago():
    before = time.time()
    assert before - 3600 * 24 * 365 < start("self", Clock.now()) <= before + 0.05


@pytest.fixture
def service(tmp_path):
    """A process from a program of its own, as systemd would tell of it."""
    program = tmp_path / "sleeper"
    program.write_bytes(Path("/usr/bin/sleep").read_bytes())
    program.chmod(0o755)
    settings = tmp_path / "app.conf"
    settings.write_text("x")
    os.utime(settings, (1000, 1000))
    process = subprocess.Popen([program, "60"], stdin=subprocess.DEVNULL)
    try:
        yield {"Id": "app.service", "MainPID": str(process.pid), "EnvironmentFiles": str(settings)}, program, settings
    finally:
        process.kill()
        process.wait()


def test_a_service_that_runs_what_is_there_is_not_stale(service, machine):
    assert reasons(machine, service[0], Clock.now()) == {}


def test_a_service_whose_program_was_replaced_is_stale(service, machine, monkeypatch):
    unit, program, _ = service
    monkeypatch.setattr("labrig.state.probe.stale.NO_FILES", ())
    program.unlink()
    (reason,) = reasons(machine, unit, Clock.now())["stale"]
    assert reason.startswith(f"runs {program}")


def test_a_service_that_was_started_before_its_environment_changed_is_stale(service, machine):
    unit, _, settings = service
    os.utime(settings, (time.time() + 5, time.time() + 5))
    assert reasons(machine, unit, Clock.now()) == {"stale": [f"{settings} changed after it was started"]}


def test_a_reload_reads_the_configuration_again(service, machine, tmp_path, monkeypatch):
    unit, _, settings = service
    monkeypatch.setattr("labrig.state.probe.stale.CONFIGURATION", {"sleeper": (str(settings),)})
    clock = Clock.now()
    os.utime(settings, (clock.wall + 5, clock.wall + 5))
    started = f"{(clock.monotonic - 1) * 1e6:.0f}"
    unit = {
        **unit,
        "EnvironmentFiles": "",
        "ActiveEnterTimestampMonotonic": started,
        "StateChangeTimestampMonotonic": started,
    }
    assert reasons(machine, unit, clock) == {"stale": [f"{settings} changed after it was read"]}
    reloaded = {**unit, "StateChangeTimestampMonotonic": f"{(clock.monotonic + 10) * 1e6:.0f}"}
    assert reasons(machine, reloaded, clock) == {}
    assert "stale" in reasons(machine, {**reloaded, "ReloadResult": "exit-code"}, clock)
