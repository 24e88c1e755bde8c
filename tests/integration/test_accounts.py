"""A real machine: what is changed of accounts, sudo and authorized keys is found by its name, and no secret is told."""

import pytest

from labrig.state.capture import capture, request
from labrig.state.compare import compare
from labrig.state.rules import ONE_MACHINE_RULES
from trials.lab import Lab, run

DIMENSIONS = ("user", "group", "sudo", "authorized key")
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILnRBILLdXQfuAbbnwHJcxvOMWO9Affw9cC5M6K9er8u me@home"
FINGERPRINT = "SHA256:ErsnAdFpKh8zxwSACRZUycJJRPqZxw9Drwufy7NPg1E"

BEFORE = """
useradd -m app; useradd -m other
echo 'app:geheim-1' | chpasswd; echo 'other:geheim-2' | chpasswd
groupadd ops; groupadd dev
mkdir -p /etc/sudoers.d /home/other/.ssh
echo '@includedir /etc/sudoers.d' > /etc/sudoers
echo 'app ALL=(root) /bin/ls' > /etc/sudoers.d/app
"""

DEFECTS = [
    ("echo 'app:geheim-3' | chpasswd", "user", "app", {"fingerprint"}),
    ("chage -d 0 other", "user", "other", {"password_must_change"}),
    (
        "chage -M 90 -m 1 -W 3 -I 5 app",
        "user",
        "app",
        {"password_max", "password_min", "password_warn", "password_inactive"},
    ),
    ("usermod -e 2030-01-02 app", "user", "app", {"expires"}),
    ("usermod -L other", "user", "other", {"password"}),
    ("usermod -v 900000-900009 app", "user", "app", {"subuid"}),
    ("gpasswd -A app ops", "group", "ops", {"administrators"}),
    ("echo 'dev:geheim-4' | chgpasswd", "group", "dev", {"password", "method", "fingerprint"}),
    ("echo 'app ALL=(root) NOPASSWD: /bin/ls' > /etc/sudoers.d/app", "sudo", "app ALL=(root) /bin/ls", {"tags"}),
    ("echo '%ops ALL=(ALL) ALL' > /etc/sudoers.d/ops", "sudo", "%ops ALL=(ALL) ALL", set()),
    (f"echo '{KEY}' > /home/other/.ssh/authorized_keys", "authorized key", f"other {FINGERPRINT}", set()),
]


@pytest.fixture(scope="module")
def found():
    with Lab() as lab:
        machine = lab.start()
        run(machine, BEFORE)
        asked = request(dimensions=DIMENSIONS, key="of this test")
        before = capture(machine.stream, asked=asked)
        for command, *_ in DEFECTS:
            run(machine, command)
        after = capture(machine.stream, asked=asked)
        kept = capture(machine.stream, asked=request())
        differences = compare(before, after, rules=ONE_MACHINE_RULES).differences
        yield {(one.dimension, one.key): one for one in differences}, kept


@pytest.mark.parametrize(("command", "dimension", "key", "fields"), DEFECTS, ids=[defect[0] for defect in DEFECTS])
def test_a_defect_is_found_by_its_name(found, command, dimension, key, fields):
    differences, _ = found
    assert (dimension, key) in differences, f"{command} was not found"
    assert fields <= set(differences[dimension, key].fields)


def test_nothing_else_is_found(found):
    differences, _ = found
    assert {(dimension, key) for _, dimension, key, _ in DEFECTS} == set(differences)


def test_a_state_that_is_kept_holds_no_hash_of_a_password(found):
    _, kept = found
    lines = "\n".join(kept.lines())
    assert '"method":"y"' in lines
    for secret in ('"fingerprint"', "$y$", "geheim"):
        assert secret not in lines
    for path in ("/etc/shadow", "/etc/gshadow", "/etc/shadow-"):
        assert "canonical" in kept.entries["file", path]
        assert "sha256" not in kept.entries["file", path]
