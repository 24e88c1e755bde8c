"""What a unit says, what is wrong with it, and when a timer fires."""

import pytest

from labrig.state.probe.machine import Machine
from labrig.state.probe.units import canonical, says, units

FOLDERS = ["/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system"]
LISTED = "web.service enabled enabled\nbackup.timer enabled enabled\n"


@pytest.fixture
def root(tmp_path):
    def write(path, text):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)

    write("usr/lib/systemd/system/web.service", "# A comment\n[Service]\nExecStart=/usr/bin/web \\\n  --port 80\n")
    return write


def said(tmp_path, name="web.service"):
    return says(Machine({"root": str(tmp_path)}), name, FOLDERS, {})


def test_comments_and_broken_lines_mean_nothing():
    broken = "# A\n\n[Service]\nExecStart=/usr/bin/web \\\n# between\n  --port 80\n; more\n"
    assert canonical(broken).split() == ["[Service]", "ExecStart=/usr/bin/web", "--port", "80"]
    assert canonical("[Service]\nNice=1\n") != canonical("[Service]\nNice=2\n")


def test_a_drop_in_changes_what_a_unit_says(root, tmp_path):
    before = said(tmp_path)
    assert "drop_ins" not in before
    root("etc/systemd/system/web.service.d/limit.conf", "[Service]\nLimitNOFILE=9\n")
    after = said(tmp_path)
    assert after["drop_ins"] == ["/etc/systemd/system/web.service.d/limit.conf"]
    assert after["text"] != before["text"]
    root("etc/systemd/system/web.service.d/limit.conf", "# Why\n[Service]\nLimitNOFILE=9\n")
    assert said(tmp_path) == after


def test_the_nearest_drop_in_of_a_name_holds(root, tmp_path):
    root("usr/lib/systemd/system/web.service.d/10.conf", "[Service]\nNice=1\n")
    root("usr/lib/systemd/system/service.d/20.conf", "[Service]\nNice=2\n")
    root("etc/systemd/system/web.service.d/10.conf", "[Service]\nNice=3\n")
    root("etc/systemd/system/web.service.d/README", "no drop-in")
    assert said(tmp_path)["drop_ins"] == [
        "/etc/systemd/system/web.service.d/10.conf",
        "/usr/lib/systemd/system/service.d/20.conf",
    ]


def test_an_instance_has_the_drop_ins_of_its_template_and_of_its_first_names(root, tmp_path):
    root("usr/lib/systemd/system/my-app@.service", "[Service]\nExecStart=/bin/app %i\n")
    root("etc/systemd/system/my-app@.service.d/a.conf", "[Service]\nNice=1\n")
    root("etc/systemd/system/my-.service.d/b.conf", "[Service]\nNice=1\n")
    found = said(tmp_path, "my-app@1.service")
    assert [path.rpartition("/")[2] for path in found["drop_ins"]] == ["a.conf", "b.conf"]
    assert found["text"] != said(tmp_path, "my-.service").get("text")


def shown(**properties):
    unit = {"Id": "web.service", "LoadState": "loaded", "ActiveState": "active", "SubState": "running", **properties}
    return "\n".join(f"{name}={value}" for name, value in unit.items())


def test_a_failed_service_says_why():
    found = units(LISTED, shown(ActiveState="failed", SubState="failed", Result="exit-code", ExecMainStatus="3"))
    assert found["web.service"]["result"] == "exit-code"
    assert found["web.service"]["status"] == "3"


def test_files_that_systemd_has_not_read_show():
    assert units(LISTED, shown(NeedDaemonReload="yes"))["web.service"]["reload_needed"] is True
    assert "reload_needed" not in units(LISTED, shown(NeedDaemonReload="no"))["web.service"]


def test_a_service_that_crashes_again_and_again_reads_the_same_whenever_it_is_looked_at():
    waiting = shown(ActiveState="activating", SubState="auto-restart", NRestarts="7")
    running = shown(NRestarts="8", ActiveEnterTimestampMonotonic="999000000")
    found = [units(LISTED, text, monotonic=1000.0)["web.service"] for text in (waiting, running)]
    assert found[0] == found[1]
    assert found[0]["crashes"] is True


@pytest.mark.parametrize(
    "properties",
    [
        {"NRestarts": "1", "ActiveEnterTimestampMonotonic": "999000000"},  # Once, at its start: chance.
        {"NRestarts": "9", "ActiveEnterTimestampMonotonic": "1000000"},  # Long ago.
    ],
)
def test_a_service_that_was_restarted_once_or_long_ago_is_well(properties):
    assert units(LISTED, shown(**properties), monotonic=1000.0) == units(LISTED, shown())


TIMER = """\
Unit=backup.service
TimersMonotonic={ OnBootUSec=15min ; next_elapse=4h 8min }
TimersCalendar={ OnCalendar=*-*-* 06:00:00 ; next_elapse=Fri 2026-11-20 18:00:00 UTC }
TimersCalendar={ OnCalendar=Mon *-*-* 00:00:00 ; next_elapse=(null) }
Id=backup.timer
ActiveState=active
SubState=waiting
"""


def test_a_timer_tells_its_times_and_never_the_next_one():
    assert units(LISTED, TIMER)["backup.timer"] == {
        "enabled": "enabled",
        "active": "active",
        "sub": "waiting",
        "schedule": ["OnBootUSec=15min", "OnCalendar=*-*-* 06:00:00", "OnCalendar=Mon *-*-* 00:00:00"],
        "triggers": "backup.service",
    }
