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
        "package php (8.2, config-files) exists only on the upgraded machine: a fresh deployment does not make it",
        "package php (8.2, config-files) is new after",
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
