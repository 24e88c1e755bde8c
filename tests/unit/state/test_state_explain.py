"""Each difference is one sentence that says what is, and guesses nothing."""

import pytest

from labrig.state.compare import Difference
from labrig.state.explain import sentence

SENTENCES = [
    (
        Difference(
            "unit",
            "nginx.service",
            {"active": "active"},
            {"active": "active", "stale": ["/etc/nginx/nginx.conf changed after it was read"]},
            ("stale",),
        ),
        "unit nginx.service: needs a restart on upgrade: /etc/nginx/nginx.conf changed after it was read",
        "unit nginx.service: needs a restart after: /etc/nginx/nginx.conf changed after it was read",
    ),
    (
        Difference("unit", "a.service", {"stale": ["runs /usr/bin/a"], "crashes": True}, {}, ("crashes", "stale")),
        "unit a.service: systemd starts it again and again only on fresh; needs a restart on fresh: runs /usr/bin/a",
        "unit a.service: systemd starts it again and again only before; needed a restart before: runs /usr/bin/a",
    ),
    (
        Difference(
            "unit",
            "a.service",
            {"text": "1"},
            {"text": "2", "drop_ins": ["/etc/systemd/system/a.service.d/x.conf"], "reload_needed": True},
            ("drop_ins", "reload_needed", "text"),
        ),
        (
            "unit a.service: drop-in /etc/systemd/system/a.service.d/x.conf only on upgrade; "
            "systemd has not read its changed files (daemon-reload) only on upgrade"
        ),
        (
            "unit a.service: drop-in /etc/systemd/system/a.service.d/x.conf only after; "
            "systemd has not read its changed files (daemon-reload) only after"
        ),
    ),
    (
        Difference("unit", "a.service", {"text": "1"}, {"text": "2"}, ("text",)),
        "unit a.service: what its unit file and drop-ins say differs",
        "unit a.service: what its unit file and drop-ins say has changed",
    ),
    (
        Difference("firewall", "inet filter input", {"rules": ["a", "b"]}, {"rules": ["b", "a"]}, ("rules",)),
        "packet filter inet filter input: the order of its rules differs",
        "packet filter inet filter input: the order of its rules has changed",
    ),
    (
        Difference("firewall", "inet filter input", {"rules": ["a"]}, {"rules": ["a", "drop"]}, ("rules",)),
        "packet filter inet filter input: rule drop only on upgrade",
        "packet filter inet filter input: rule drop only after",
    ),
    (
        Difference(
            "sysctl", "vm.x", {"configured": "1", "applied": True}, {"configured": "1", "applied": False}, ("applied",)
        ),
        "kernel setting vm.x: the live value is not the configured one only on upgrade",
        "kernel setting vm.x: the live value is not the configured one only after",
    ),
    (
        Difference("cron", "root @daily job", None, {"in": ["/etc/cron.d/job"]}),
        (
            "scheduled job root @daily job (in /etc/cron.d/job) exists only on the upgraded machine: "
            "a fresh deployment does not make it"
        ),
        "scheduled job root @daily job (in /etc/cron.d/job) is new after",
    ),
    (
        Difference("postgresql", "15/main server", {"runs": True}, None, held=12),
        (
            "PostgreSQL 15/main server runs only on the fresh machine: nothing that it holds is compared, "
            "12 entries on one side"
        ),
        "PostgreSQL 15/main server no longer runs after: nothing that it holds is compared, 12 entries on one side",
    ),
    (
        Difference("redis", "6379 server", None, {"runs": True}),
        "Redis 6379 server runs only on the upgraded machine",
        "Redis 6379 server runs only after",
    ),
    (
        Difference("file", "/etc/old.conf", None, {"type": "file"}),
        "file /etc/old.conf exists only on the upgraded machine: a fresh deployment does not make it",
        "file /etc/old.conf is new after",
    ),
    (
        Difference("file", "/etc/new", {"type": "link", "target": "x"}, None),
        "link /etc/new (to x) exists only on the fresh machine: the upgrade does not bring it",
        "link /etc/new (to x) is gone after",
    ),
    (
        Difference("file", "/etc/a", {"mode": "0644", "type": "file"}, {"mode": "0600", "type": "file"}, ("mode",)),
        "file /etc/a: mode is 0644 on fresh and 0600 on upgrade",
        "file /etc/a: mode was 0644 before and is 0600 after",
    ),
    (
        Difference(
            "file",
            "/a",
            {"sha256": "1", "size": 1, "package": "p"},
            {"sha256": "2", "size": 2, "package": "p"},
            ("sha256", "size"),
        ),
        "file /a of package p: content differs, its size is 1 bytes on fresh and 2 bytes on upgrade",
        "file /a of package p: content differs, its size was 1 bytes before and is 2 bytes after",
    ),
    (
        Difference(
            "file",
            "/a",
            {"sha256": "1", "type": "file"},
            {"target": "b", "type": "link"},
            ("sha256", "size", "target", "type", "mode"),
        ),
        "/a: is a file on fresh and a link on upgrade",
        "/a: was a file before and is a link after",
    ),
    (
        Difference("unit", "nginx.service", {"enabled": "enabled"}, {"enabled": "disabled"}, ("enabled",)),
        "unit nginx.service: is enabled on fresh and disabled on upgrade",
        "unit nginx.service: was enabled before and is disabled after",
    ),
    (
        Difference(
            "unit",
            "a.service",
            {"active": "active", "sub": "running"},
            {"active": "failed", "sub": "failed"},
            ("active", "sub"),
        ),
        "unit a.service: is active on fresh and failed on upgrade",
        "unit a.service: was active before and is failed after",
    ),
    (
        Difference("package", "nginx", {"version": "1"}, {"version": "2"}, ("version",)),
        "package nginx: version is 1 on fresh and 2 on upgrade",
        "package nginx: version was 1 before and is 2 after",
    ),
    (
        Difference("package", "nginx", {"automatic": True}, {"automatic": False}, ("automatic",)),
        "package nginx: installed as a dependency on fresh and on request on upgrade",
        "package nginx: installed as a dependency before and on request after",
    ),
    (
        Difference("package", "php", None, {"version": "8.2", "status": "config-files"}),
        (
            "package php (8.2, removed but for its configuration files) exists only on the upgraded machine: "
            "a fresh deployment does not make it"
        ),
        "package php (8.2, removed but for its configuration files) is new after",
    ),
    (
        Difference("package", "nginx", None, {"version": "1", "status": "installed", "wanted": "install"}, files=41),
        (
            "package nginx (1, installed) exists only on the upgraded machine, with 41 files of its own: "
            "a fresh deployment does not make it"
        ),
        "package nginx (1, installed) is new after, with 41 files of its own",
    ),
    (
        Difference("package", "nginx", {"version": "1"}, {"version": "2"}, ("version",), files=1),
        "package nginx: version is 1 on fresh and 2 on upgrade; 1 file of its own differs with it",
        "package nginx: version was 1 before and is 2 after; 1 file of its own differs with it",
    ),
    (
        Difference("package", "php", {"status": "installed"}, {"status": "config-files"}, ("status",)),
        "package php: is installed on fresh and removed but for its configuration files on upgrade",
        "package php: was installed before and is removed but for its configuration files after",
    ),
    (
        Difference("package", "nginx", {"wanted": "install"}, {"wanted": "hold"}, ("wanted",)),
        "package nginx: held at its version only on upgrade",
        "package nginx: held at its version only after",
    ),
    (
        Difference("file", "/a", {"acl": ["user::rw-"]}, {"acl": ["user::rw-", "user:app:r--"]}, ("acl",)),
        "file /a: access list entry user:app:r-- only on upgrade",
        "file /a: access list entry user:app:r-- only after",
    ),
    (
        Difference("file", "/a", {"acl": ["user::rw-", "user:app:r--", "mask::r--"]}, {}, ("acl",)),
        "file /a: access list entry user:app:r-- only on fresh",
        "file /a: access list entry user:app:r-- only before",
    ),
    (
        Difference("file", "/a", {}, {"capabilities": "cap_net_raw=ep"}, ("capabilities",)),
        "file /a: file capabilities differ: not set on fresh and cap_net_raw=ep on upgrade",
        "file /a: file capabilities differ: not set before and cap_net_raw=ep after",
    ),
    (
        Difference("file", "/a", {"attributes": {"user.x": "1"}}, {"attributes": {"user.x": "2"}}, ("attributes",)),
        "file /a: attribute user.x is 1 on fresh and 2 on upgrade",
        "file /a: attribute user.x was 1 before and is 2 after",
    ),
    (
        Difference("file", "/a", {}, {"locked": ["immutable"]}, ("locked",)),
        "file /a: marked by chattr as immutable only on upgrade",
        "file /a: marked by chattr as immutable only after",
    ),
    (
        Difference("hard link", "/a", {"names": ["/b"]}, {"names": ["/b", "/c"]}, ("names",)),
        "hard link /a: also named /c only on upgrade",
        "hard link /a: also named /c only after",
    ),
    (
        Difference("mount", "/data", {"mounted": True}, {"mounted": False}, ("mounted",)),
        "mount /data: mounted only on fresh",
        "mount /data: mounted only before",
    ),
    (
        Difference("mount", "/data", {"configured": "fstab"}, {"configured": "no"}, ("configured",)),
        "mount /data: configured by fstab on fresh and by nothing on upgrade",
        "mount /data: configured by fstab before and by nothing after",
    ),
    (
        Difference("mount", "/data", {"type": "ext4"}, {"type": "xfs"}, ("type",)),
        "mount /data: type is ext4 on fresh and xfs on upgrade",
        "mount /data: type was ext4 before and is xfs after",
    ),
    (
        Difference("alternative", "editor", {"mode": "auto", "target": "/a"}, None),
        "alternative editor (auto, to /a) exists only on the fresh machine: the upgrade does not bring it",
        "alternative editor (auto, to /a) is gone after",
    ),
    (
        Difference("debconf", "app/x", {"value": "a"}, {"value": "b"}, ("value",)),
        "debconf's answer to app/x: value is a on fresh and b on upgrade",
        "debconf's answer to app/x: value was a before and is b after",
    ),
    (
        Difference("apt", "pin nginx: release a=x", {"priority": "900"}, {"priority": "1"}, ("priority",)),
        "apt pin nginx: release a=x: priority is 900 on fresh and 1 on upgrade",
        "apt pin nginx: release a=x: priority was 900 before and is 1 after",
    ),
    (
        Difference("language package", "python flask in /v", {"versions": ["1"]}, {"versions": ["2"]}, ("versions",)),
        "python flask in /v: version 1 only on fresh; version 2 only on upgrade",
        "python flask in /v: version 1 only before; version 2 only after",
    ),
    (
        Difference("user", "app", {"groups": ["adm", "x"]}, {"groups": ["adm"]}, ("groups",)),
        "user app: in group x only on fresh",
        "user app: in group x only before",
    ),
    (
        Difference("user", "app", {"shell": "/bin/sh"}, {"shell": ""}, ("shell",)),
        "user app: shell is /bin/sh on fresh and not set on upgrade",
        "user app: shell was /bin/sh before and is not set after",
    ),
    (
        Difference("user", "app", {"superuser": True}, {}, ("superuser",)),
        "user app: has the rights of root only on fresh",
        "user app: has the rights of root only before",
    ),
    (
        Difference("socket", "tcp 0.0.0.0:80", {"units": ["a.service"]}, {"units": ["b.service"]}, ("units",)),
        "listening socket tcp 0.0.0.0:80: its unit is a.service on fresh and b.service on upgrade",
        "listening socket tcp 0.0.0.0:80: its unit was a.service before and is b.service after",
    ),
    (
        Difference("user", "app", {"password_must_change": True}, {}, ("password_must_change",)),
        "user app: the password must be changed at the next login only on fresh",
        "user app: the password must be changed at the next login only before",
    ),
    (
        Difference("group", "ops", {"administrators": ["a"]}, {}, ("administrators",)),
        "group ops: administrator a only on fresh",
        "group ops: administrator a only before",
    ),
    (
        Difference("sudo", "a ALL=(ALL) ALL", {"tags": ["NOPASSWD"]}, {"tags": []}, ("tags",)),
        "sudo rule a ALL=(ALL) ALL: tag NOPASSWD only on fresh",
        "sudo rule a ALL=(ALL) ALL: tag NOPASSWD only before",
    ),
    (
        Difference("authorized key", "app SHA256:x", None, {"comment": "me"}),
        "authorized key app SHA256:x (me) exists only on the upgraded machine: a fresh deployment does not make it",
        "authorized key app SHA256:x (me) is new after",
    ),
    (
        Difference(
            "postgresql",
            "15/main database shop table public.users",
            {"columns": {"id": "integer", "age": "integer"}, "column_order": ["id", "age"]},
            {"columns": {"id": "bigint", "mail": "text"}, "column_order": ["id", "mail"]},
            ("column_order", "columns"),
        ),
        (
            "PostgreSQL 15/main database shop table public.users: column age only on fresh;"
            " column id is integer on fresh and bigint on upgrade; column mail only on upgrade"
        ),
        (
            "PostgreSQL 15/main database shop table public.users: column age only before;"
            " column id was integer before and is bigint after; column mail only after"
        ),
    ),
    (
        Difference("postgresql", "15/main setting x", {"waits_for_restart": True}, {}, ("waits_for_restart",)),
        "PostgreSQL 15/main setting x: waits for a restart of the server only on fresh",
        "PostgreSQL 15/main setting x: waits for a restart of the server only before",
    ),
    (
        Difference("mariadb", "function shop.f", {"definition": "1"}, {"definition": "2"}, ("definition",)),
        "MariaDB function shop.f: its definition differs",
        "MariaDB function shop.f: its definition differs",
    ),
    (
        Difference("redis", "6379 setting maxmemory", {"value": "0"}, {"value": "1"}, ("value",)),
        "Redis 6379 setting maxmemory: value is 0 on fresh and 1 on upgrade",
        "Redis 6379 setting maxmemory: value was 0 before and is 1 after",
    ),
    (
        Difference("redis", "6379 user a", {"rules": ["+@read", "-get"]}, {"rules": ["-get", "+@read"]}, ("rules",)),
        "Redis 6379 user a: rule: the same in another order",
        "Redis 6379 user a: rule: the same in another order",
    ),
    (
        Difference("container", "container web", {"state": "running"}, None),
        "container web (running) exists only on the fresh machine: the upgrade does not bring it",
        "container web (running) is gone after",
    ),
    (
        Difference(
            "container",
            "container web",
            {"environment": {"A": "1"}, "image_outdated": True},
            {"environment": {"A": "2"}},
            ("environment", "image_outdated"),
        ),
        (
            "container web: variable A is 1 on fresh and 2 on upgrade;"
            " runs what its image was before, and has not been made anew, only on fresh"
        ),
        (
            "container web: variable A was 1 before and is 2 after;"
            " runs what its image was before, and has not been made anew, only before"
        ),
    ),
    (
        Difference("unit", "", {"unreadable": "no systemd"}, None),
        "dimension unit could not be read completely on fresh: no systemd",
        "dimension unit could not be read completely before: no systemd",
    ),
    (
        Difference(
            "file", "/a", {"type": "file"}, {"type": "file", "unreadable": "Input/output error"}, ("unreadable",)
        ),
        "file /a: could not be read on upgrade: Input/output error",
        "file /a: could not be read after: Input/output error",
    ),
]


@pytest.mark.parametrize(("difference", "paths", "times"), SENTENCES, ids=[case[1] for case in SENTENCES])
def test_a_difference_is_one_sentence(difference, paths, times):
    assert sentence(difference) == paths
    assert sentence(difference, left="before", right="after") == times


def test_hosts_are_called_by_their_names():
    found = Difference("file", "/a", {"type": "file"}, None)
    assert sentence(found, left="web1", right="web2") == "file /a exists only on web1"


def test_left_behind_is_said_only_where_it_is_known():
    found = Difference("file", "/a", None, {"type": "file"})
    assert sentence(found, in_production=True).endswith("left behind")
    assert sentence(found, in_production=False).endswith("only the upgrade makes it")
    assert "left behind" not in sentence(found)


def test_a_name_can_not_break_the_sentence_into_lines():
    assert "\n" not in sentence(Difference("file", r"/a\x0ab", None, {"type": "file"}))


def test_what_follows_from_another_field_is_not_said_twice():
    found = Difference(
        "user",
        "app",
        {"password": "locked"},
        {"password": "set", "method": "6", "fingerprint": "a"},
        ("fingerprint", "method", "password"),
    )
    assert sentence(found) == "user app: password is locked on fresh and set on upgrade"


def test_a_long_value_is_shown_around_what_differs():
    start = ", ".join(f"certificate{number}" for number in range(100))
    said = sentence(Difference("debconf", "q", {"value": start + "A"}, {"value": start + "B"}, ("value",)))
    assert len(said) < 400
    assert "A on fresh" in said
    assert "B on upgrade" in said
