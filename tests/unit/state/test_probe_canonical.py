"""Set-like files: the same set has the same form, a real change has another."""

import pytest

from labrig.state.probe.canonical import FORMS, password
from labrig.state.probe.machine import Machine

EQUAL = [
    (
        "/etc/passwd",
        b"a:x:101:101:::/bin/sh\nb:x:102:101:::/bin/sh\n",
        b"b:x:101:101:::/bin/sh\na:x:102:101:::/bin/sh\n",
    ),
    ("/etc/group", b"a:x:101:\nb:x:102:m,n\n", b"b:x:101:n,m\na:x:102:\n"),
    (
        "/etc/shadow",
        b"a:!:19000:0:99999:7:::\nb:$6$x$y:19000:0:99999:7:::\n",
        b"b:$6$z$q:20000:0:99999:7:::\na:!:1:0:99999:7:::\n",
    ),
    ("/etc/gshadow", b"a:!::x,y\nb:*::\n", b"b:*::\na:!::y,x\n"),
    ("/etc/subuid", b"a:100000:65536\nb:165536:65536\n", b"b:100000:65536\na:165536:65536\n"),
    ("/etc/shells", b"/bin/sh\n/bin/bash\n", b"/bin/bash\n/bin/sh\n"),
    (
        "/var/lib/apt/extended_states",
        b"Package: a\nArchitecture: amd64\nAuto-Installed: 1\n\nPackage: b\nArchitecture: amd64\nAuto-Installed: 0\n\n",
        b"Package: a\nArchitecture: amd64\nAuto-Installed: 1\n\n",
    ),
    ("/var/cache/debconf/config.dat", b"Name: a\nValue: 1\n\nName: b\n\n", b"Name: b\n\nName: a\nValue: 1\n\n"),
]

DIFFERENT = [
    ("/etc/passwd", "another shell", b"a:x:101:101:::/bin/sh\n", b"a:x:101:101:::/bin/bash\n"),
    ("/etc/passwd", "another user", b"a:x:101:101:::/bin/sh\n", b"a:x:101:101:::/bin/sh\nb:x:102:101:::/bin/sh\n"),
    ("/etc/passwd", "the rights of root", b"a:x:101:101:::/bin/sh\n", b"a:x:0:101:::/bin/sh\n"),
    ("/etc/passwd", "another group", b"a:x:101:101:::/bin/sh\n", b"a:x:101:102:::/bin/sh\n"),
    ("/etc/passwd", "the same user twice", b"a:x:101:101:::/bin/sh\n", b"a:x:101:101:::/bin/sh\n" * 2),
    ("/etc/passwd", "a line that is none", b"a:x:101:101:::/bin/sh\n", b"a:x:101:101:::/bin/sh\n+::::::\n"),
    ("/etc/group", "another member", b"a:x:101:m\n", b"a:x:101:m,n\n"),
    ("/etc/shadow", "a password", b"a:!:19000:0:99999:7:::\n", b"a:$6$x$y:19000:0:99999:7:::\n"),
    ("/etc/shadow", "no password", b"a:!:19000:0:99999:7:::\n", b"a::19000:0:99999:7:::\n"),
    ("/etc/shadow", "another method", b"a:$6$x$y:19000:0:99999:7:::\n", b"a:$y$x$y:19000:0:99999:7:::\n"),
    ("/etc/shadow", "expires", b"a:!:19000:0:99999:7:::\n", b"a:!:19000:0:99999:7::20000:\n"),
    ("/etc/gshadow", "another administrator", b"a:!::\n", b"a:!:m:\n"),
    ("/etc/subuid", "a longer range", b"a:100000:65536\n", b"a:100000:65537\n"),
    ("/etc/shells", "another shell", b"/bin/sh\n", b"/bin/sh\n/bin/zsh\n"),
    (
        "/var/lib/apt/extended_states",
        "automatic",
        b"Package: a\nArchitecture: amd64\nAuto-Installed: 0\n",
        b"Package: a\nArchitecture: amd64\nAuto-Installed: 1\n",
    ),
    ("/var/cache/debconf/config.dat", "another answer", b"Name: a\nValue: 1\n", b"Name: a\nValue: 2\n"),
]


@pytest.fixture
def machine(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/group").write_text("staff:x:101:\nadm:x:102:\n")
    return Machine({"root": str(tmp_path)})


@pytest.mark.parametrize(("path", "left", "right"), EQUAL, ids=[case[0] for case in EQUAL])
def test_order_and_numbers_mean_nothing(machine, path, left, right):
    assert FORMS[path](left, machine) == FORMS[path](right, machine)


@pytest.mark.parametrize(
    ("path", "what", "left", "right"), DIFFERENT, ids=[f"{case[0]}: {case[1]}" for case in DIFFERENT]
)
def test_a_real_change_shows(machine, path, what, left, right):
    assert FORMS[path](left, machine) != FORMS[path](right, machine)


def test_every_form_takes_anything(machine):
    for form in FORMS.values():
        assert isinstance(form(b"\xff\x00:::\n:::::::::::\n\n\n" + bytes(range(256)), machine), bytes)


def test_a_password_is_never_told():
    said = password("$6$salt$hashhashhash")
    assert said["password"] == "set"
    assert said["method"] == "6"
    assert "hash" not in str(said)
    assert "salt" not in str(said)
    assert password("!$6$salt$hash") == {"password": "locked", "method": "6"}
    assert password("!") == password("*") == password("!!") == password("!*") == {"password": "locked"}
    assert password("") == {"password": "none"}
