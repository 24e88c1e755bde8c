"""Settings of the machine, what the kernel is told, and what is to run at a time."""

import pytest

from labrig.state.probe import schedule, settings
from labrig.state.probe.machine import Machine


@pytest.fixture
def machine(tmp_path):
    def made(files):
        for path, text in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
        return Machine({"root": str(tmp_path)})

    return made


def test_settings_are_told_one_by_one(machine, tmp_path):
    found = dict(
        settings.read(
            machine(
                {
                    "etc/hostname": "web1\n",
                    "etc/default/locale": '# x\nLANG="de_DE.UTF-8"\n',
                    "etc/modules": "# none\nloop\n",
                    "etc/modules-load.d/k8s.conf": "br-netfilter\n",
                    "etc/modprobe.d/no.conf": "blacklist  pcspkr\n",
                    "etc/security/limits.d/app.conf": "app - nofile 65536 # many\n",
                    "usr/lib/modules-load.d/k8s.conf": "hidden by the nearer one\n",
                }
            )
        )
    )
    assert found == {
        "host name": {"configured": "web1"},
        "time zone": {"configured": "UTC"},
        "locale LANG": {"configured": "de_DE.UTF-8"},
        "module loop": {"load": True},
        "module br_netfilter": {"load": True},
        "modprobe blacklist pcspkr": {},
        "limit app soft nofile": {"configured": "65536"},
        "limit app hard nofile": {"configured": "65536"},
    }


def test_links_say_the_time_zone_and_the_default_target(machine, tmp_path):
    for path, target in (
        ("etc/localtime", "/usr/share/zoneinfo/Europe/Berlin"),
        ("etc/systemd/system/default.target", "/lib/systemd/system/multi-user.target"),
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).symlink_to(target)
    found = dict(settings.read(machine({})))
    assert found["time zone"] == {"configured": "Europe/Berlin"}
    assert found["default target"] == {"configured": "multi-user.target"}


def test_the_last_line_of_the_last_file_holds(machine):
    found = dict(
        settings.sysctl(
            machine(
                {
                    "etc/sysctl.d/50-a.conf": "net.ipv4.ip_forward = 0\nvm.swappiness=10\n",
                    "usr/lib/sysctl.d/90-b.conf": "net/ipv4/ip_forward=1\n",
                    "usr/lib/sysctl.d/50-a.conf": "vm.swappiness=99\n",
                    "etc/sysctl.conf": "# none\nkernel.sem = 1  2\t3 4\n",
                }
            )
        )
    )
    assert found == {
        "net.ipv4.ip_forward": {"configured": "1"},
        "vm.swappiness": {"configured": "10"},
        "kernel.sem": {"configured": "1 2 3 4"},
    }


def test_a_star_stands_for_one_name_that_no_other_line_names():
    known = ["net/ipv4/conf/eth0/rp_filter", "net/ipv4/conf/lo/rp_filter", "net/ipv4/conf/eth0.7/rp_filter"]
    text = "net.ipv4.conf.*.rp_filter = 2\nnet.ipv4.conf.lo.rp_filter = 1\n-net.ipv4.conf.eth0/7.rp_filter\n"
    found = settings.configured_values([("a", text)], known)
    assert found == {"net/ipv4/conf/lo/rp_filter": "1", "net/ipv4/conf/eth0/rp_filter": "2"}


def test_live_settings_tell_what_is_applied():
    found = dict(settings.sysctl(Machine({})))
    assert found["net.ipv4.ip_default_ttl"]["live"].isdigit() or "applied" in found["net.ipv4.ip_default_ttl"]
    assert not any("random" in key or "dentry" in key or key.endswith("flush") for key in found)


@pytest.mark.parametrize("path", ["net/ipv4/conf/eth0.7/rp_filter", "kernel/sem", "net/ipv6/conf/all/forwarding"])
def test_names_go_both_ways(path):
    assert settings.slashed(settings.dotted(path)) == path


@pytest.mark.parametrize(
    ("path", "own"),
    [
        ("net/ipv4/ip_forward", True),
        ("net/ipv4/conf/all/rp_filter", True),
        ("kernel/sem", True),
        ("net/ipv4/conf/veth12ab/rp_filter", False),
        ("net/netfilter/nf_conntrack_count", False),
        ("fs/dentry-state", False),
        ("vm/swappiness", False),
    ],
)
def test_live_values_that_are_the_machines_own(path, own):
    assert settings.is_own(path) is own


def test_every_crontab_line_is_one_entry(machine):
    found = dict(
        schedule.read(
            machine(
                {
                    "etc/crontab": "SHELL=/bin/sh\n17 *\t* * *\troot    run-parts  /x\n",
                    "etc/cron.d/app": "# x\n@daily app  /srv/job --password=hunter2\n",
                    "etc/cron.d/app.dpkg-old": "* * * * * root never\n",
                    "var/spool/cron/crontabs/me": 'MAILTO=""\n*/5 * * * * job one\n',
                    "etc/cron.daily/backup": "#!/bin/sh\n",
                }
            )
        )
    )
    assert found == {
        "root 17 * * * * run-parts  /x": {"in": ["/etc/crontab"], "settings": ["SHELL=/bin/sh"]},
        "app @daily /srv/job --password=<secret>": {"in": ["/etc/cron.d/app"]},
        "me */5 * * * * job one": {"in": ["/var/spool/cron/crontabs/me"], "settings": ["MAILTO="]},
        "daily /etc/cron.daily/backup": {"in": ["/etc/cron.daily"], "executable": False},
    }


def test_a_line_that_is_not_understood_still_counts():
    assert list(schedule.jobs("* * * root x\n")) == [("not understood: * * * root x", [])]


def test_jobs_of_at_are_told_without_their_moment(machine):
    head = (
        "#!/bin/sh\n# atrun uid=0 gid=0\n# mail root 0\numask 22\nPWD=/; export PWD\n"
        "cd / || {\n\t echo 'x' >&2\n\t exit 1\n}\n"
    )
    made = machine({"var/spool/cron/atjobs/a0000101c88b08": head + "touch /tmp/x\n", "var/spool/cron/atjobs/.SEQ": "1"})
    (key,) = dict(schedule.read(made))
    assert key.endswith(" at queue a: touch /tmp/x")
