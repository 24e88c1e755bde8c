"""Every rule both ways: its noise vanishes, and a defect beside it does not."""

import pytest

from labrig.state.compare import compare
from labrig.state.model import State
from labrig.state.rule import BYTES
from labrig.state.rules import DEFAULT_RULES, ONE_MACHINE_RULES

FILE = {"type": "file", "mode": "0644", "owner": "root", "group": "root", "size": 3, "sha256": "aa"}
OTHER = {**FILE, "size": 4, "sha256": "bb"}
LOG = {**FILE, "mode": "0640", "group": "adm"}
DIRECTORY = {"type": "directory", "mode": "0755", "owner": "root", "group": "root"}
LINK = {"type": "link", "owner": "root", "group": "root"}
BOOT = "a99e7c7db4e6499083c00749fa4ca21d"

BYTES_DIFFER = (FILE, OTHER)
ONLY_LEFT = (FILE, None)
MODE_DIFFERS = (FILE, {**FILE, "mode": "0600"})
BYTES_AND_MODE_DIFFER = (FILE, {**OTHER, "mode": "0600"})

TOLD = {"described": "postgresql"}
CACHE_CLEANER = "apache-htcacheclean.service www-data /usr/bin/htcacheclean -d 120 -p /var/cache/apache2 -l 300M -n"

WATCHER = "/root/.ansible/tmp/ansible-tmp-1795277389.496535-4799-76623974225011/async_wrapper.py j7464 30 /x.py _"

# Rule: what it hides, as (key, left, right); and what it must not hide.
CASES = {
    "id-numbers": ([("user redis", {"number": "101"}, {"number": "102"}), ("group x", {"number": "1"}, None)], []),
    "password-hashes": (
        [("root", {"password": "set", "fingerprint": "a"}, {"password": "set", "fingerprint": "b"})],
        [
            ("root", {"password": "set", "fingerprint": "a"}, {"password": "locked"}),
            (
                "root",
                {"password": "set", "method": "6", "fingerprint": "a"},
                {"password": "set", "method": "1", "fingerprint": "b"},
            ),
        ],
    ),
    "password-dates": (
        [
            (
                "app",
                {"password": "set", "password_changed": "2026-01-01"},
                {"password": "set", "password_changed": "2026-01-02"},
            )
        ],
        [
            (
                "app",
                {"password": "set", "password_must_change": True},
                {"password": "set", "password_changed": "2026-01-02"},
            ),
            ("app", {"password_changed": "2026-01-01", "password_max": "9"}, {"password_changed": "2026-01-02"}),
        ],
    ),
    "ansible-watches-a-job": (
        [(f"no unit root /usr/bin/python3.11 {WATCHER}", {"count": 1}, None)],
        [
            ("no unit root sleep 600", {"count": 1}, None),
            ("no unit root /usr/bin/python3.11 /opt/async_wrapper.py j7464 30", {"count": 1}, None),
        ],
    ),
    "group-password-hashes": (
        [("ops", {"password": "set", "fingerprint": "a"}, {"password": "set", "fingerprint": "b"})],
        [("ops", {"password": "set", "fingerprint": "a"}, {"password": "locked"})],
    ),
    "role-password-hashes": (
        [
            (
                "15/main role app",
                {"method": "scram-sha-256", "fingerprint": "a"},
                {"method": "scram-sha-256", "fingerprint": "b"},
            )
        ],
        [
            ("15/main role app", {"method": "md5", "fingerprint": "a"}, {"method": "md5", "fingerprint": "b"}),
            ("15/main role app", {"method": "scram-sha-256", "fingerprint": "a"}, {"password": "none"}),
        ],
    ),
    "built-images": (
        [
            ("image app:1", {"image_id": "a"}, {"image_id": "b"}),
            ("container web", {"image_id": "a"}, {"image_id": "b"}),
        ],
        [
            ("image app:1", {"image_id": "a"}, None),
            ("image web:1", {"image_id": "a", "digest": "d"}, {"image_id": "b", "digest": "e"}),
            ("container web", {"image_id": "a"}, {"image_id": "b", "image_outdated": True}),
        ],
    ),
    "numbers-of-file-systems": (
        [
            ("/srv", {"source": "UUID=1a", "type": "ext4"}, {"source": "UUID=2b", "type": "ext4"}),
            ("swap by UUID 1", {"source": "PARTUUID=1a"}, {"source": "PARTUUID=2b"}),
        ],
        [
            ("/srv", {"source": "UUID=1a"}, {"source": "/dev/sdb1"}),
            ("/srv", {"source": "LABEL=data"}, {"source": "LABEL=more"}),
            ("/srv", {"source": "UUID=1a", "type": "ext4"}, {"source": "UUID=2b", "type": "xfs"}),
            ("swap by UUID 1", {"source": "UUID=1a"}, None),
        ],
    ),
    "started-by-package": (
        [
            (
                "apache-htcacheclean.service",
                {"enabled": "disabled", "active": "active", "sub": "running"},
                {"enabled": "disabled", "active": "inactive", "sub": "dead"},
            )
        ],
        [
            (
                "apache-htcacheclean.service",
                {"enabled": "enabled", "active": "active"},
                {"enabled": "disabled", "active": "inactive"},
            ),
            (
                "apache-htcacheclean.service",
                {"enabled": "enabled", "active": "active"},
                {"enabled": "enabled", "active": "inactive"},
            ),
            (
                "apache-htcacheclean.service",
                {"enabled": "disabled", "active": "inactive"},
                {"enabled": "disabled", "active": "failed"},
            ),
            (
                "apache2.service",
                {"enabled": "disabled", "active": "active"},
                {"enabled": "disabled", "active": "inactive"},
            ),
        ],
    ),
    "process-started-by-package": (
        [(CACHE_CLEANER, {"program": "/usr/bin/htcacheclean"}, None)],
        [
            (CACHE_CLEANER, {"program": "/usr/local/bin/htcacheclean"}, None),
            (CACHE_CLEANER.replace("www-data", "root"), {"program": "/usr/bin/htcacheclean"}, None),
            ("apache2.service root /usr/sbin/apache2 -k start", {"program": "/usr/sbin/apache2"}, None),
        ],
    ),
    "health-pending": (
        [("container web", {"health": "starting"}, {"health": "healthy"})],
        [
            ("container web", {"health": "starting"}, {"health": "unhealthy"}),
            ("container web", {"health": "healthy"}, {}),
            ("container web", {"health": "healthy"}, {"health": "starting", "state": "restarting"}),
        ],
    ),
    "postgresql-relations": (
        [
            ("/var/lib/postgresql/15/main/base/16385", {**DIRECTORY, **TOLD}, None),
            ("/var/lib/postgresql/15/main/base/16385/2619_fsm", {**FILE, **TOLD}, None),
            ("/var/lib/postgresql/15/main/base/5/16390", {**FILE, **TOLD}, None),
            ("/srv/fast/PG_15_202209061/16384/16400_vm", {**FILE, **TOLD}, None),
        ],
        [
            ("/var/lib/postgresql/15/main/base/5/16390", *ONLY_LEFT),
            ("/var/lib/postgresql/15/main/base/5/1259", {**FILE, **TOLD}, None),
            ("/var/lib/postgresql/15/main/base/notes", {**FILE, **TOLD}, None),
            ("/srv/fast/16384", {**FILE, **TOLD}, None),
        ],
    ),
    "engine-files": (
        [
            ("/var/lib/docker/overlay2/0a1b/diff/etc", {**DIRECTORY, "described": "container"}, None),
            ("/var/lib/containerd/io.containerd.metadata.v1.bolt/meta.db", {**FILE, "described": "container"}, None),
        ],
        [
            ("/var/lib/docker/overlay2/0a1b/diff/etc", DIRECTORY, None),
            ("/var/lib/docker/volumes/files/_data/a", {**FILE, "described": "container"}, None),
            ("/var/lib/docker/overlay2", {**DIRECTORY, "described": "container"}, None),
        ],
    ),
    "engine-sockets": (
        [
            (f"unix /run/containerd/s/{'0a' * 32}", {"units": ["containerd.service"]}, None),
            ("unix /var/run/docker/libnetwork/844b35fc2145.sock", {"units": ["docker.service"]}, None),
        ],
        [("unix /run/containerd/containerd.sock", {"units": ["containerd.service"]}, None)],
    ),
    "containerd-port": (
        [("tcp 127.0.0.1:33175", {"units": ["containerd.service"], "programs": ["containerd"]}, None)],
        [
            ("tcp 0.0.0.0:33175", {"units": ["containerd.service"], "programs": ["containerd"]}, None),
            ("tcp 127.0.0.1:33175", {"units": ["app.service"], "programs": ["containerd"]}, None),
        ],
    ),
    "machine-id": (
        [("/etc/machine-id", *BYTES_DIFFER)],
        [("/etc/machine-id", *MODE_DIFFERS), ("/etc/machine-info", *BYTES_DIFFER), ("/etc/machine-id", *ONLY_LEFT)],
    ),
    "engine-key": (
        [("/etc/docker/key.json", *BYTES_DIFFER)],
        [("/etc/docker/key.json", *MODE_DIFFERS), ("/etc/docker/daemon.json", *BYTES_DIFFER)],
    ),
    "ssh-host-keys": (
        [("/etc/ssh/ssh_host_ed25519_key", *BYTES_DIFFER), ("/etc/ssh/ssh_host_rsa_key.pub", *BYTES_DIFFER)],
        [
            ("/etc/ssh/ssh_host_ed25519_key", *BYTES_AND_MODE_DIFFER),
            ("/etc/ssh/ssh_host_rsa_key", *ONLY_LEFT),
            ("/etc/ssh/sshd_config", *BYTES_DIFFER),
        ],
    ),
    "snakeoil-certificate": (
        [
            ("/etc/ssl/certs/ssl-cert-snakeoil.pem", *BYTES_DIFFER),
            ("/etc/ssl/private/ssl-cert-snakeoil.key", *BYTES_DIFFER),
            ("/var/spool/postfix/etc/ssl/certs/ssl-cert-snakeoil.pem", *BYTES_DIFFER),
        ],
        [("/etc/ssl/private/ssl-cert-snakeoil.key", *MODE_DIFFERS), ("/etc/ssl/private/site.key", *BYTES_DIFFER)],
    ),
    "snakeoil-hash-link": (
        [("/etc/ssl/certs/0a1b2c3d.0", {**LINK, "target": "ssl-cert-snakeoil.pem"}, None)],
        [
            ("/etc/ssl/certs/0a1b2c3d.0", {**LINK, "target": "rogue.pem"}, None),
            ("/etc/ssl/certs/0a1b2c3d.0", {**LINK, "target": "ssl-cert-snakeoil.pem"}, {**LINK, "target": "rogue.pem"}),
        ],
    ),
    "systemd-secrets": (
        [("/var/lib/systemd/credential.secret", *BYTES_DIFFER)],
        [("/var/lib/systemd/credential.secret", *MODE_DIFFERS)],
    ),
    "set-files": (
        [("/etc/passwd", {**FILE, "canonical": "c"}, {**OTHER, "canonical": "c"})],
        [
            ("/etc/passwd", {**FILE, "canonical": "c"}, {**OTHER, "canonical": "d"}),
            ("/etc/passwd", {**FILE, "canonical": "c"}, OTHER),
            ("/etc/passwd", {**FILE, "canonical": "c"}, {**OTHER, "mode": "0666", "canonical": "c"}),
            ("/etc/app.conf", *BYTES_DIFFER),
        ],
    ),
    "account-backups": ([("/etc/passwd-", *BYTES_DIFFER), ("/etc/subgid-", *ONLY_LEFT)], [("/etc/fstab-", *ONLY_LEFT)]),
    "account-lock": ([("/etc/.pwd.lock", *ONLY_LEFT)], [("/etc/pwd.lock", *ONLY_LEFT), ("/etc/.pwdxlock", *ONLY_LEFT)]),
    "services-on-call": (
        [
            (
                "systemd-timedated.service",
                {"active": "active", "sub": "running"},
                {"active": "inactive", "sub": "dead"},
            )
        ],
        [
            ("systemd-timedated.service", {"active": "inactive"}, {"active": "failed"}),
            ("systemd-timesyncd.service", {"active": "inactive"}, {"active": "active"}),
            ("systemd-timedated.service", {"enabled": "static"}, {"enabled": "masked"}),
        ],
    ),
    "passing-queries": (
        [("udp 0.0.0.0:<ephemeral>", {"programs": ["chronyd"], "units": ["chrony.service"]}, None)],
        [
            ("udp 0.0.0.0:<ephemeral>", {"programs": ["backdoor"], "units": []}, None),
            ("udp 0.0.0.0:323", {"programs": ["chronyd"], "units": ["chrony.service"]}, None),
            ("tcp 0.0.0.0:<ephemeral>", {"programs": ["chronyd"], "units": ["chrony.service"]}, None),
        ],
    ),
    "waiting-units": (
        [("dbus.socket", {"active": "active", "sub": "running"}, {"active": "active", "sub": "listening"})],
        [
            ("dbus.socket", {"active": "active", "sub": "running"}, {"active": "failed", "sub": "failed"}),
            ("a.service", {"active": "active", "sub": "running"}, {"active": "active", "sub": "exited"}),
        ],
    ),
    "passing-runs": (
        [
            (
                "apt-daily.service",
                {"active": "inactive", "sub": "dead"},
                {"active": "activating", "sub": "start", "type": "oneshot"},
            )
        ],
        [
            (
                "a.service",
                {"active": "inactive", "sub": "dead"},
                {"active": "failed", "sub": "failed", "type": "oneshot"},
            ),
            (
                "a.service",
                {"active": "inactive", "sub": "dead"},
                {"active": "active", "sub": "exited", "type": "oneshot"},
            ),
            (
                "a.service",
                {"active": "inactive", "sub": "dead"},
                {"active": "activating", "sub": "start", "type": "simple"},
            ),
        ],
    ),
    "docker-resolver": (
        [("udp 127.0.0.11:40123", {"units": [], "programs": []}, None)],
        [
            ("udp 127.0.0.11:53", {"units": ["dnsmasq.service"], "programs": ["dnsmasq"]}, None),
            ("udp 127.0.0.1:40123", {"units": [], "programs": []}, None),
        ],
    ),
    "apt-caches": ([("/var/cache/apt/pkgcache.bin", *ONLY_LEFT)], [("/var/cache/apt/other.bin", *ONLY_LEFT)]),
    "apt-archives": (
        [("/var/cache/apt/archives/nginx_1.22_amd64.deb", *ONLY_LEFT)],
        [("/var/cache/apt/archives/script.sh", *ONLY_LEFT), ("/srv/nginx_1.22_amd64.deb", *ONLY_LEFT)],
    ),
    "apt-lists": (
        [
            ("/var/lib/apt/lists/archive.example.org_debian_dists_bookworm_InRelease", *BYTES_DIFFER),
            ("/var/lib/apt/lists/archive.example.org_debian_dists_bookworm_main_binary-amd64_Packages.lz4", *ONLY_LEFT),
            ("/var/lib/apt/lists/archive.example.org_debian_dists_bookworm_main_i18n_Translation-en", *ONLY_LEFT),
        ],
        [("/var/lib/apt/lists/mine", *ONLY_LEFT), ("/etc/apt/sources.list", *BYTES_DIFFER)],
    ),
    "apt-stamps": (
        [("/var/lib/apt/periodic/update-success-stamp", *ONLY_LEFT)],
        [("/var/lib/apt/periodic/script", *ONLY_LEFT)],
    ),
    "dpkg-backups": (
        [("/var/lib/dpkg/status-old", *BYTES_DIFFER), ("/var/lib/dpkg/diversions-old", *ONLY_LEFT)],
        [("/var/lib/dpkg/status", *BYTES_DIFFER), ("/var/lib/dpkg/diversions", *BYTES_DIFFER)],
    ),
    "package-backups": (
        [("/var/backups/dpkg.status.0", *ONLY_LEFT), ("/var/backups/alternatives.tar.1.gz", *ONLY_LEFT)],
        [("/var/backups/mine.0", *ONLY_LEFT)],
    ),
    "debconf-backups": (
        [("/var/cache/debconf/config.dat-old", *BYTES_DIFFER)],
        [("/var/cache/debconf/config.dat", *BYTES_DIFFER)],
    ),
    "rpm-database": (
        [("/var/lib/rpm/rpmdb.sqlite", *BYTES_DIFFER), ("/usr/lib/sysimage/rpm/Packages.db", *BYTES_DIFFER)],
        [
            ("/var/lib/rpm/rpmdb.sqlite", *ONLY_LEFT),
            ("/var/lib/rpm/Packages", *MODE_DIFFERS),
            ("/usr/lib/rpm/macros", *BYTES_DIFFER),
        ],
    ),
    "rpm-passing": (
        [("/var/lib/rpm/__db.001", *ONLY_LEFT), ("/var/lib/rpm/.rpm.lock", *ONLY_LEFT)],
        [("/var/lib/rpm/more", *ONLY_LEFT), ("/etc/rpm/macros", *BYTES_DIFFER)],
    ),
    "ucf-backups": ([("/var/lib/ucf/registry.3", *ONLY_LEFT)], [("/var/lib/ucf/registry", *BYTES_DIFFER)]),
    "ldconfig-cache": (
        [("/var/cache/ldconfig/aux-cache", *BYTES_DIFFER)],
        [("/etc/ld.so.cache", *BYTES_DIFFER), ("/var/cache/ldconfig/aux-cache", *MODE_DIFFERS)],
    ),
    "man-index": (
        [("/var/cache/man/de/index.db", *ONLY_LEFT), ("/var/cache/man/index.db", *BYTES_DIFFER)],
        [("/var/cache/man/script", *ONLY_LEFT)],
    ),
    "font-caches": (
        [("/var/cache/fontconfig/0bd3dc0958fa2205aaaa8ebb13e2872b-le64.cache-8", *BYTES_DIFFER)],
        [("/var/cache/fontconfig/mine", *BYTES_DIFFER)],
    ),
    "byte-code": (
        [("/srv/app/__pycache__", DIRECTORY, None), ("/srv/app/__pycache__/a.cpython-311.pyc", *BYTES_DIFFER)],
        [("/srv/app/a.py", *BYTES_DIFFER), ("/srv/app/a.pyc", *ONLY_LEFT), ("/srv/app/__pycache__/a.sh", *ONLY_LEFT)],
    ),
    "ansible-remains": (
        [("/root/.ansible", DIRECTORY, None), ("/home/me/.ansible/tmp/ansible-tmp-1-2-3/x.py", *ONLY_LEFT)],
        [
            ("/root/.ansible.cfg", *ONLY_LEFT),
            ("/root/.ansible/roles", DIRECTORY, None),
            ("/srv/.ansible/tmp", DIRECTORY, None),
        ],
    ),
    "logs": (
        [("/var/log/nginx/error.log", *BYTES_DIFFER), ("/var/log/wtmp", *BYTES_DIFFER)],
        [
            ("/var/log/nginx/error.log", *BYTES_AND_MODE_DIFFER),
            ("/var/log/nginx/error.log", FILE, {**OTHER, "owner": "www-data"}),
            ("/var/log/old.app/app.log", *ONLY_LEFT),
            ("/var/lib/app.log", *BYTES_DIFFER),
        ],
    ),
    "rotated-logs": (
        [
            ("/var/log/nginx/error.log.1", *ONLY_LEFT),
            ("/var/log/dpkg.log.2.gz", *ONLY_LEFT),
            ("/var/log/x.log-20260101.gz", *ONLY_LEFT),
        ],
        [("/var/log/nginx/error.log", *ONLY_LEFT), ("/etc/app.conf.1", *ONLY_LEFT)],
    ),
    "syslog-files": (
        [("/var/log/haproxy.log", LOG, None), ("/var/log/syslog", LOG, None)],
        [
            ("/var/log/haproxy.log", FILE, None),
            ("/var/log/nginx/access.log", LOG, None),
            ("/var/log/a.log", LOG, {**LOG, "mode": "0666"}),
        ],
    ),
    "journal": (
        [(f"/var/log/journal/{BOOT}", DIRECTORY, None), (f"/var/log/journal/{BOOT}/system.journal", *ONLY_LEFT)],
        [("/var/log/journal", DIRECTORY, None), (f"/var/log/journal/{BOOT}/other", *ONLY_LEFT)],
    ),
    "private-temporary": (
        [(f"/var/tmp/systemd-private-{BOOT}-redis-server.service-WQIbLj/tmp", DIRECTORY, None)],
        [("/var/tmp/left", *ONLY_LEFT), (f"/var/tmp/systemd-private-{BOOT}-a.service-WQIbLj/tmp/left", *ONLY_LEFT)],
    ),
    "timer-stamps": (
        [("/var/lib/systemd/timers/stamp-apt-daily.timer", *ONLY_LEFT)],
        [("/var/lib/systemd/timers/other", *ONLY_LEFT), ("/etc/systemd/system/a.timer", *BYTES_DIFFER)],
    ),
    "random-seed": ([("/var/lib/systemd/random-seed", *ONLY_LEFT)], [("/var/lib/systemd/linger", *ONLY_LEFT)]),
    "sqlite-files": (
        [("/var/lib/fail2ban/fail2ban.sqlite3", *BYTES_DIFFER)],
        [("/var/lib/fail2ban/fail2ban.sqlite3", *ONLY_LEFT), ("/etc/web/settings.sqlite3", *BYTES_DIFFER)],
    ),
    "sqlite-passing": (
        [("/var/lib/grafana/grafana.sqlite-wal", *ONLY_LEFT)],
        [("/var/lib/grafana/grafana.sqlite", *ONLY_LEFT), ("/var/lib/grafana/sqlite-wal", *ONLY_LEFT)],
    ),
    "mariadb-files": (
        [("/var/lib/mysql/mysql/user.frm", *BYTES_DIFFER), ("/var/lib/mysql/ibdata1", *BYTES_DIFFER)],
        [
            ("/var/lib/mysql/app/users.ibd", *ONLY_LEFT),
            ("/var/lib/mysql/mysql/user.frm", *BYTES_AND_MODE_DIFFER),
            ("/var/lib/mysql/debian.flag", *BYTES_DIFFER),
            ("/etc/mysql/my.cnf", *BYTES_DIFFER),
        ],
    ),
    "postfix-numbers": (
        [
            ("/var/lib/postfix/master.lock", FILE, {**FILE, "sha256": "bb"}),
            ("/var/spool/postfix/pid/master.pid", FILE, {**FILE, "sha256": "bb"}),
            ("/var/spool/postfix/pid/unix.cleanup", FILE, {**FILE, "sha256": "bb"}),
        ],
        [
            ("/var/spool/postfix/pid/master.pid", *MODE_DIFFERS),
            ("/var/spool/postfix/pid/master.pid", *ONLY_LEFT),
            ("/var/spool/postfix/pid/notes", *BYTES_DIFFER),
            ("/var/lib/postfix/prng_exch", *BYTES_DIFFER),
        ],
    ),
    "samba-files": (
        [("/var/lib/samba/private/passdb.tdb", *BYTES_DIFFER), ("/var/lib/samba/account_policy.tdb", *BYTES_DIFFER)],
        [
            ("/var/lib/samba/private/passdb.tdb", *MODE_DIFFERS),
            ("/var/lib/samba/private/passdb.tdb", *ONLY_LEFT),
            ("/var/lib/samba/private/tls/key.pem", *BYTES_DIFFER),
            ("/var/lib/samba/usershares/share", *BYTES_DIFFER),
        ],
    ),
    "samba-passing": ([("/var/cache/samba/browse.dat", *ONLY_LEFT)], [("/var/cache/samba/other.dat", *ONLY_LEFT)]),
    "mariadb-passing": (
        [("/var/lib/mysql/aria_log.00000001", *BYTES_DIFFER), ("/var/lib/mysql/ib_buffer_pool", *ONLY_LEFT)],
        [("/var/lib/mysql/app/aria_log.00000001", *ONLY_LEFT), ("/var/lib/mysql/dump.sql", *ONLY_LEFT)],
    ),
    "postgresql-files": (
        [
            ("/var/lib/postgresql/15/main/base/1/1259", *BYTES_DIFFER),
            ("/var/lib/postgresql/15/main/global/pg_control", *BYTES_DIFFER),
        ],
        [
            ("/var/lib/postgresql/15/main/base/5/16384", *ONLY_LEFT),
            ("/var/lib/postgresql/15/main/postgresql.auto.conf", *BYTES_DIFFER),
            ("/var/lib/postgresql/15/main/PG_VERSION", *BYTES_DIFFER),
        ],
    ),
    "postgresql-passing": (
        [
            ("/var/lib/postgresql/15/main/base/1/2619_vm", *ONLY_LEFT),
            ("/var/lib/postgresql/15/main/pg_wal/000000010000000000000001", *ONLY_LEFT),
            ("/var/lib/postgresql/15/main/postmaster.pid", *BYTES_DIFFER),
        ],
        [("/var/lib/postgresql/15/main/standby.signal", *ONLY_LEFT), ("/var/lib/postgresql/.pgpass", *ONLY_LEFT)],
    ),
    "redis-files": (
        [("/var/lib/redis/dump.rdb", *ONLY_LEFT)],
        [("/var/lib/redis/users.acl", *BYTES_DIFFER), ("/etc/redis/redis.conf", *BYTES_DIFFER)],
    ),
}

NOISE = [(name, *case) for name, (noise, _) in CASES.items() for case in noise]
DEFECTS = [(name, *case) for name, (_, defects) in CASES.items() for case in defects]
RULES = {rule.name: rule for rule in DEFAULT_RULES}


def compared(name, key, left, right, rules=DEFAULT_RULES):
    dimension = RULES[name].dimension
    sides = [State({}, {} if value is None else {(dimension, key): value}) for value in (left, right)]
    return compare(*sides, rules=rules)


def test_every_rule_is_tested_both_ways():
    assert set(CASES) == set(RULES)
    assert all(noise for noise, _ in CASES.values())
    assert [name for name, (_, defects) in CASES.items() if not defects] == ["id-numbers"]


def test_names_are_unique_and_reasons_given():
    assert len(RULES) == len(DEFAULT_RULES)
    assert all(rule.reason for rule in DEFAULT_RULES)


@pytest.mark.parametrize(("name", "key", "left", "right"), NOISE, ids=[f"{case[0]} {case[1]}" for case in NOISE])
def test_the_noise_vanishes_and_is_counted(name, key, left, right):
    comparison = compared(name, key, left, right)
    assert comparison.same
    assert sum(applied.count for applied in comparison.ignored) >= 1
    assert compared(name, key, left, right, rules=[RULES[name]]).same


@pytest.mark.parametrize(("name", "key", "left", "right"), DEFECTS, ids=[f"{case[0]} {case[1]}" for case in DEFECTS])
def test_a_defect_beside_it_does_not(name, key, left, right):
    assert len(compared(name, key, left, right).differences) == 1


@pytest.mark.parametrize("rule", [rule for rule in DEFAULT_RULES if rule.fields], ids=lambda rule: rule.name)
def test_a_rule_over_fields_lets_every_other_field_through(rule):
    # A name that some rule takes: the first noise of the rule itself.
    key = CASES[rule.name][0][0][0]
    left = {
        "file": {"type": "file", "mode": "0644", "owner": "root", "group": "root"},
        "unit": {"enabled": "enabled", "unreadable": ""},
        "user": {"shell": "/bin/sh", "home": "/root", "password": "set"},
        "group": {"members": [], "password": "set"},
        "postgresql": {"owner": "app", "password": "set", "method": "scram-sha-256"},
        "container": {"image": "app:1", "state": "running", "digest": "d"},
        "mount": {"type": "ext4", "options": [], "source": "UUID=1a"},
    }[rule.dimension]
    for field in left:
        assert not compared(rule.name, key, left, {**left, field: "other"}).same


def test_a_user_number_alone_is_hidden_only_between_machines():
    noise = ("id-numbers", "user redis", {"number": "101"}, {"number": "102"})
    assert compared(*noise).same
    assert not compared(*noise, rules=ONE_MACHINE_RULES).same


@pytest.mark.parametrize("name", [rule.name for rule in DEFAULT_RULES if rule.between_machines])
def test_what_is_made_for_each_machine_must_not_change_on_one(name):
    key, left, right = CASES[name][0][0]
    assert not compared(name, key, left, right, rules=ONE_MACHINE_RULES).same


@pytest.mark.parametrize(
    "key",
    [
        "/etc/nginx/nginx.conf",
        "/etc/cron.d/app",
        "/etc/systemd/system/app.service",
        "/etc/ssl/private/app.key",
        "/opt/app/run",
        "/root/.ssh/authorized_keys",
        "/srv/www/index.html",
        "/usr/local/bin/app",
        "/var/lib/app/settings",
        "/var/www/html/index.html",
        "/var/spool/cron/crontabs/root",
    ],
)
def test_no_rule_is_about_what_a_deployment_sets_up(key):
    others = [rule.name for rule in DEFAULT_RULES if rule.dimension == "file" and rule.matches(key) and not rule.needs]
    assert others == []


def test_only_content_is_ever_set_aside_from_files():
    assert {rule.fields for rule in DEFAULT_RULES if rule.dimension == "file" and rule.fields} == {BYTES}
