"""What sudo allows, as sudo reads it."""

import pytest

from labrig.state.probe import sudo
from labrig.state.probe.machine import Machine


def policy(folder, text, **included):
    (folder / "etc/sudoers.d").mkdir(parents=True, exist_ok=True)
    (folder / "etc/sudoers").write_text(text)
    for name, content in included.items():
        (folder / "etc/sudoers.d" / name.replace("_dot_", ".").replace("_old", "~")).write_text(content)
    return dict(sudo.read(Machine({"root": str(folder)})))


RULES = [
    ("root ALL=(ALL:ALL) ALL", {"root ALL=(ALL:ALL) ALL": []}),
    ("%adm  ALL = NOPASSWD: /bin/ls", {"%adm ALL=/bin/ls": ["NOPASSWD"]}),
    ("frank ALL=(ALL) NOPASSWD:ALL", {"frank ALL=(ALL) ALL": ["NOPASSWD"]}),
    ("a, b ALL=(x) /bin/y", {"a ALL=(x) /bin/y": [], "b ALL=(x) /bin/y": []}),
    (
        "a ALL=(x) NOEXEC: /bin/y, PASSWD: /bin/z",
        {"a ALL=(x) /bin/y": ["NOEXEC"], "a ALL=(x) /bin/z": ["NOEXEC", "PASSWD"]},
    ),
    ("a ALL=(x) NOPASSWD: /bin/y, PASSWD: /bin/z", {"a ALL=(x) /bin/y": ["NOPASSWD"], "a ALL=(x) /bin/z": ["PASSWD"]}),
    ("a h1=/bin/y : h2=(x) /bin/z", {"a h1=/bin/y": [], "a h2=(x) /bin/z": []}),
    ("%adm ALL=(ALL) ALL, !/bin/su", {"%adm ALL=(ALL) ALL, !/bin/su": []}),
    ("#1000 ALL=(ALL) /bin/date", {"#1000 ALL=(ALL) /bin/date": []}),
    ('"DOM\\\\dev ops" ALL=ALL', {'"DOM\\\\\\\\dev ops" ALL=ALL': []}),
    ("a ALL=/bin/x \\\n  -a, \\\n  /bin/z", {"a ALL=/bin/x -a": [], "a ALL=/bin/z": []}),
    ("a ALL=/bin/x # and why", {"a ALL=/bin/x": []}),
    ("# never \\\na ALL=/bin/x", {"a ALL=/bin/x": []}),
    ("a ALL=/bin/get --password=secret", {"a ALL=/bin/get --password=<set>": []}),
]


@pytest.mark.parametrize(("line", "expected"), RULES, ids=[line for line, _ in RULES])
def test_a_rule_says_who_may_do_what(tmp_path, line, expected):
    assert {key: value["tags"] for key, value in policy(tmp_path, line + "\n").items()} == expected


def test_options_of_a_command_are_told(tmp_path):
    found = policy(tmp_path, "a ALL=(ALL) CWD=/tmp TIMEOUT=5 NOPASSWD: /bin/date\n")
    assert found["a ALL=(ALL) /bin/date"]["settings"] == {"CWD": "/tmp", "TIMEOUT": "5"}


def test_aliases_and_defaults_are_entries(tmp_path):
    found = policy(
        tmp_path,
        "User_Alias OPS = b, a : WEB = c\nCmnd_Alias SU = /bin/su, \\\n  /bin/sh\nDefaults env_reset, !lecture\n"
        'Defaults secure_path="/a:/b"\nDefaults:bob passwd_timeout=0\nDefaults!SU !use_pty\n'
        'Defaults env_keep += "B A"\nDefaults env_keep -= B\nDefaults secure_path=/c\n',
    )
    assert found["User_Alias OPS"]["of"] == ["a", "b"]
    assert found["User_Alias WEB"]["of"] == ["c"]
    assert found["Cmnd_Alias SU"]["of"] == ["/bin/sh", "/bin/su"]
    assert found["Defaults env_reset"]["value"] == "on"
    assert found["Defaults lecture"]["value"] == "off"
    assert found["Defaults secure_path"]["value"] == "/c"  # The last one holds.
    assert found["Defaults:bob passwd_timeout"]["value"] == "0"
    assert found["Defaults!SU use_pty"]["value"] == "off"
    assert found["Defaults env_keep"]["list"] == ["+ A", "+ B", "- B"]


def test_names_with_a_dot_or_a_tilde_are_passed_over_and_others_are_not(tmp_path):
    found = policy(
        tmp_path, "@includedir /etc/sudoers.d\n", one="a ALL=ALL\n", two_dot_conf="b ALL=ALL\n", three_old="c ALL=ALL\n"
    )
    assert set(found) == {"a ALL=ALL"}
    assert found["a ALL=ALL"]["file"] == "/etc/sudoers.d/one"


def test_older_includes_and_relative_ones_are_followed(tmp_path):
    found = policy(
        tmp_path, "#includedir /etc/sudoers.d\n@include sudoers.d/x.more\n", one="a ALL=ALL\n", x_dot_more="b ALL=ALL\n"
    )
    assert set(found) == {"a ALL=ALL", "b ALL=ALL"}


def test_a_file_that_sudo_refuses_gives_no_rules_and_says_so(tmp_path):
    policy(tmp_path, "@includedir /etc/sudoers.d\n", open="a ALL=ALL\n")
    (tmp_path / "etc/sudoers.d/open").chmod(0o666)
    assert dict(sudo.read(Machine({"root": str(tmp_path)}))) == {
        "file /etc/sudoers.d/open": {"ignored": "everybody may write it"}
    }


def test_a_missing_or_endless_include_is_said(tmp_path):
    found = policy(tmp_path, "@include /etc/sudoers.none\n@include /etc/sudoers\na ALL=ALL\n")
    assert found["file /etc/sudoers.none"]["ignored"] == "No such file or directory"
    assert "includes" in found["file /etc/sudoers"]["ignored"]
    assert "a ALL=ALL" in found


def test_a_line_that_is_not_understood_is_an_entry(tmp_path):
    assert set(policy(tmp_path, "what is this\na ALL=ALL\n")) == {"not understood what is this", "a ALL=ALL"}


def test_without_sudo_there_is_nothing(tmp_path):
    assert dict(sudo.read(Machine({"root": str(tmp_path)}))) == {}
