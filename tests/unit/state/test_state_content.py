"""How two contents differ, as a person reads it."""

import gzip

import pytest

from labrig.state.content import CHANGES, LINES, Change, ContentDiff, difference


def changes(path, left, right):
    found = difference(path, left.encode(), right.encode())
    assert found.form == "structure", found
    return [(one.at, one.left, one.right) for one in found.changes]


def test_text_is_a_unified_diff_without_names():
    found = difference("/etc/motd", b"one\ntwo\nthree\n", b"one\n2\nthree\n")
    assert found == ContentDiff("text", ("@@ -1,3 +1,3 @@", " one", "-two", "+2", " three"))


def test_line_numbers_are_those_of_the_file():
    same = [f"line {number}" for number in range(1000)]
    left, right = "\n".join([*same, "a", *same]), "\n".join([*same, "b", *same])
    found = difference("/x", left.encode(), right.encode())
    assert found.lines[0] == "@@ -998,7 +998,7 @@"
    assert "-a" in found.lines


def test_a_file_of_one_side_only_shows_what_it_holds():
    assert difference("/x", None, b"one\n").lines == ("@@ -0,0 +1 @@", "+one")
    assert difference("/x.ini", b"[a]\nb=1\n", None).lines == ("@@ -1,2 +0,0 @@", "-[a]", "-b=1")


def test_a_missing_end_of_line_and_control_characters_are_seen():
    assert difference("/x", b"a\n", b"a").lines == ("@@ -1 +1 @@", "-a", "+a (no newline at the end)")
    assert difference("/x", b"a\n", b"a\r\n").lines == ("@@ -1 +1 @@", "-a", r"+a\r")


def test_size_is_bounded_and_what_is_cut_is_said():
    many = "".join(f"{number}\n" for number in range(50_000))
    found = difference("/x", b"", many.encode())
    assert len(found.lines) == LINES
    assert "more lines are not shown" in found.summary
    assert "first 4000 lines" in found.summary
    long = difference("/x", b"", b"x" * 1000 + b"\n")
    assert long.lines[1].endswith("... (701 more characters)")
    settings = difference("/x.ini", b"[a]\n" + b"".join(b"k%d=1\n" % n for n in range(200)), b"[a]\nz=1\n")
    assert len(settings.changes) == CHANGES
    assert "101 more settings differ" in settings.summary


@pytest.mark.parametrize(
    ("path", "left", "right", "expected"),
    [
        ("/etc/x.ini", "[a]\nx = 1\n[b]\ny=2\n", "[b]\ny=3\n[a]\nx=1\n", [("[b] y", "2", "3")]),
        ("/etc/my.cnf", "[mysqld]\nskip-name-resolve\n", "[mysqld]\n", [("[mysqld] skip-name-resolve", "", None)]),
        (
            "/etc/systemd/system/x.service",
            "[Service]\nExecStartPre=/a\nExecStartPre=/b\nExecStart=/x \\\n  -v\n",
            "[Service]\nExecStartPre=/a\nExecStart=/x -q\n",
            [("[Service] ExecStartPre", "/b", None), ("[Service] ExecStart", "/x -v", "/x -q")],
        ),
        (
            "/etc/docker/daemon.json",
            '{"a": {"b": [1, 2]}, "c": true}',
            '{"a": {"b": [1, 3]}}',
            [("a.b", "2", "3"), ("c", "true", None)],
        ),
        (
            "/etc/x.yml",
            "users:\n  - {name: a, shell: /bin/sh}\n",
            "users:\n  - {name: b, shell: /bin/sh}\n  - {name: a, shell: /bin/bash}\n",
            [
                ("users[a].shell", "/bin/sh", "/bin/bash"),
                ("users[b].name", None, "b"),
                ("users[b].shell", None, "/bin/sh"),
            ],
        ),
        (
            "/etc/nginx/sites-enabled/x",
            "server { listen 80; location / { root /a; } }",
            "# moved\nserver {\n  listen 80;\n  listen 443 ssl;\n  location / { root /b; }\n}\n",
            [("server.listen", None, "443 ssl"), ("server.location /.root", "/a", "/b")],
        ),
        (
            "/etc/ssh/sshd_config",
            "Port 22\nMatch User a\n  X11Forwarding yes\n",
            "Port 2222\nMatch User a\n  X11Forwarding no\n",
            [("Port", "22", "2222"), ("Match User a.X11Forwarding", "yes", "no")],
        ),
        ("/etc/default/x", "A=1\nB='two'\n", "A=1\nB=three\n", [("B", "two", "three")]),
        ("/etc/sysctl.d/9.conf", "net.ipv4.x = 1\n", "net.ipv4.x=0\n", [("net.ipv4.x", "1", "0")]),
    ],
)
def test_files_of_a_known_form_are_compared_by_their_settings(path, left, right, expected):
    assert changes(path, left, right) == expected


def test_settings_in_another_order_say_so():
    assert changes("/x.json", '{"a": ["x", "y"]}', '{"a": ["y", "x"]}') == [("a", "x, y", "y, x")]
    found = difference("/x.json", b'{"a": 1, "b": 2}', b'{"b": 2, "a": 1}')
    assert (found.changes, found.summary) == ((), "every setting is the same: only how it is written differs")


@pytest.mark.parametrize(
    ("path", "broken"),
    [
        ("/x.json", "{"),
        ("/x.yml", "a: [\n"),
        ("/x.yml", "a: &a [1]\nb: *a\n"),
        ("/x.ini", "[a]\n=\n"),
        ("/etc/nginx/nginx.conf", "server {"),
        ("/x", "just words\n"),
        ("/x.json", "[" * 100_000),
        ("/x.yml", "[" * 2000),
    ],
)
def test_what_does_not_keep_to_its_form_is_text(path, broken):
    found = difference(path, broken.encode(), b"other\n")
    assert found.form == "text"
    assert found.lines


def test_binary_contents_are_told_by_type_and_size():
    found = difference("/bin/x", b"\x7fELF" + bytes(96), b"\x7fELF" + bytes(95) + b"\1")
    assert found.form == "binary"
    assert found.summary == (
        "ELF program or library, 100 bytes against ELF program or library, 100 bytes; 1 bytes differ, the first at 99"
    )
    assert difference("/x", None, gzip.compress(b"x", mtime=0)).summary.startswith("none against gzip, ")
    assert difference("/x", b"text\n", b"SQLite format 3\0" + bytes(9)).summary.startswith(
        "text, 5 bytes against SQLite"
    )
    assert difference("/x", bytes(range(256)), b"\xff\xfe\0").form == "binary"


def test_secrets_differ_without_being_shown():
    found = difference("/etc/x.ini", b"[db]\npassword = hunter2\n", b"[db]\npassword = hunter3\n")
    assert found.lines[-2:] == ("-password = <secret 1>", "+password = <secret 2>")
    assert found.changes == (Change("[db] password", "<secret 1>", "<secret 2>"),)


def test_a_secret_is_masked_by_where_it_stands():
    left, right = '{"passwords": {"app": "hunter2"}}', '{"passwords": {"app": "hunter3"}}'
    assert "hunter" not in str(difference("/x.json", left.encode(), right.encode()).changes)


def test_text_in_an_old_encoding_is_text():
    assert difference("/x", "Grüße\n".encode("latin-1"), b"x\n").lines[1] == "-Grüße"
