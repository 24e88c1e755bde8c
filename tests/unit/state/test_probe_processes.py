"""Which processes last, and what their command lines say."""

import pytest

from labrig.state.probe.processes import Process, canonical, lasting


def process(number, parent, unit, program, command=None, user="root"):
    return Process(number, parent, unit, user, program, command or program)


NGINX = [
    process("10", "1", "nginx.service", "/usr/sbin/nginx", "nginx: master"),
    process("11", "10", "nginx.service", "/usr/sbin/nginx", "nginx: worker", "www-data"),
    process("12", "10", "nginx.service", "/usr/sbin/nginx", "nginx: worker", "www-data"),
]


def test_workers_are_told_by_their_users_and_not_by_their_number():
    expected = {"nginx.service root nginx: master": {"program": "/usr/sbin/nginx", "workers": ["www-data"]}}
    assert lasting(NGINX, set()) == lasting(NGINX[:2], set()) == expected
    other = [NGINX[0], NGINX[1]._replace(user="nobody")]
    assert lasting(other, set()) != expected


def test_jobs_of_cron_come_and_go():
    cron = [
        process("20", "1", "cron.service", "/usr/sbin/cron"),
        process("21", "20", "cron.service", "/usr/sbin/cron", "/usr/sbin/CRON -f"),
        process("22", "21", "cron.service", "/usr/bin/dash", "/bin/sh -c job"),
        process("23", "22", "cron.service", "/usr/bin/job"),
    ]
    assert list(lasting(cron, set())) == ["cron.service root /usr/sbin/cron"]


def test_what_a_mail_server_starts_as_mail_comes_in_is_chance():
    master = process("25", "1", "postfix@-.service", "/usr/lib/postfix/sbin/master")
    smtp = process("26", "25", "postfix@-.service", "/usr/lib/postfix/sbin/smtp", user="postfix")
    assert lasting([master, smtp], set()) == lasting([master], set())


def test_what_an_engine_starts_for_a_published_port_is_told_with_the_container():
    engine = process("27", "1", "docker.service", "/usr/sbin/dockerd")
    relay = process("28", "27", "docker.service", "/usr/sbin/docker-proxy", "docker-proxy -container-ip 172.17.0.3")
    assert lasting([engine, relay], set()) == lasting([engine], set())


def test_what_a_supervisor_starts_lasts():
    found = [
        process("30", "1", "supervisor.service", "/usr/bin/python3.11", "supervisord"),
        process("31", "30", "supervisor.service", "/usr/bin/app", user="app"),
    ]
    assert "supervisor.service app /usr/bin/app" in lasting(found, set())


def test_a_task_that_runs_once_does_not_count():
    assert lasting([process("40", "1", "apt-daily.service", "/usr/bin/apt")], {"apt-daily.service"}) == {}


def test_what_was_left_running_outside_of_any_service_counts_and_what_somebody_runs_does_not():
    found = [
        process("50", "1", "session.scope", "/usr/bin/python3", "python3 -m http.server"),
        process("51", "7", "session.scope", "/usr/bin/bash"),
        process("52", "0", "", "/usr/bin/python3", "python3 -I -S -B -"),
        process("53", "1", "", "/usr/bin/gpg-agent"),
    ]
    assert list(lasting(found, set())) == ["session.scope root python3 -m http.server"]


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (b"app --parent 4711 --port 80", "app --parent <pid> --port 80"),
        (b"app --password=hunter2 --token-file=/etc/t", "app --password=<secret> --token-file=/etc/t"),
        (b"app postgres://me:hunter2@db/x", "app postgres://me:<secret>@db/x"),
        (b"app -id 3f2a90b1c4d5e6f7", "app -id <id>"),
        (b"app -id 01234567-89ab-cdef-0123-456789abcdef", "app -id <id>"),
        (b"sshd: /usr/sbin/sshd -D [listener] 1 of 10-100 startups", "sshd: /usr/sbin/sshd -D [listener]"),
        (b"app /etc/a.conf 127.0.0.1:6379", "app /etc/a.conf 127.0.0.1:6379"),
    ],
)
def test_a_command_line_holds_no_chance_and_no_secret(command, shown):
    assert canonical(command, {"4711"}) == shown


def test_long_command_lines_differ_by_their_ends():
    first, second = (canonical(b"x" * 1000 + end, set()) for end in (b"a", b"b"))
    assert len(first) < 600
    assert first != second
