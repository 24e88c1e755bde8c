"""Where software comes from and what was decided about it: apt, alternatives, diversions, debconf, languages."""

import base64
import hashlib

import pytest

from labrig.state.probe import alternatives, apt, debconf, diversions, languages, links
from labrig.state.probe.machine import Machine, Unreadable
from labrig.state.probe.mounts import mounts
from labrig.state.probe.openpgp import fingerprints


@pytest.fixture
def put(tmp_path):
    def write(files):
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return Machine({"root": str(tmp_path)})

    return write


ALTERNATIVE = """\
manual
/usr/bin/editor
editor.1.gz
/usr/share/man/man1/editor.1.gz

/usr/bin/vim
50
/usr/share/man/man1/vim.1.gz
/bin/nano
40

"""


def test_an_alternative_has_mode_target_and_choices(put, tmp_path):
    machine = put({"var/lib/dpkg/alternatives/editor": ALTERNATIVE})
    (tmp_path / "etc/alternatives").mkdir(parents=True)
    (tmp_path / "etc/alternatives/editor").symlink_to("/bin/nano")
    assert dict(alternatives.read(machine)) == {
        "editor": {
            "mode": "manual",
            "link": "/usr/bin/editor",
            "target": "/bin/nano",
            "choices": ["/bin/nano (40)", "/usr/bin/vim (50)"],
        }
    }


def test_an_alternative_that_points_nowhere_says_so(put):
    machine = put({"var/lib/dpkg/alternatives/editor": ALTERNATIVE})
    assert dict(alternatives.read(machine))["editor"]["target"] == "unreadable: No such file or directory"


def test_diversions_and_overrides_are_read(put):
    machine = put(
        {
            "var/lib/dpkg/diversions": "/usr/bin/tool\n/usr/bin/tool.real\n:\n/bin/sh\n/bin/sh.distrib\ndash\n",
            "var/lib/dpkg/statoverride": "root adm 755 /usr/bin/with space\n#12 root 4754 /usr/bin/x\n",
        }
    )
    assert dict(diversions.diversions(machine)) == {
        "/bin/sh": {"to": "/bin/sh.distrib", "by": "dash"},
        "/usr/bin/tool": {"to": "/usr/bin/tool.real", "by": "local"},
    }
    assert dict(diversions.overrides(machine)) == {
        "/usr/bin/with space": {"owner": "root", "group": "adm", "mode": "0755"},
        "/usr/bin/x": {"owner": "#12", "group": "root", "mode": "4754"},
    }


TEMPLATES = """\
Name: app/mode
Type: select
Description: Mode
 more: text

Name: app/hello
Type: note

Name: app/secret
Type: password

"""

CONFIG = """\
Name: app/mode
Template: app/mode
Value: fast
Owners: b, a
Flags: seen
Variables:
 choices = fast, slow

Name: app/hello
Template: app/hello
Flags: seen

Name: app/unasked
Template: app/mode
Owners: app

Name: app/empty
Template: app/mode
Flags: seen

"""

PASSWORDS = "Name: app/secret\nTemplate: app/secret\nValue: hunter2\nOwners: app\n\nName: app/none\nValue: \n\n"


def test_answers_are_told_and_passwords_are_not(put):
    machine = put(
        {
            "var/cache/debconf/templates.dat": TEMPLATES,
            "var/cache/debconf/config.dat": CONFIG,
            "var/cache/debconf/passwords.dat": PASSWORDS,
        }
    )
    found = dict(debconf.read(machine))
    assert found == {
        "app/empty": {"value": "", "seen": True, "owners": []},
        "app/mode": {"value": "fast", "seen": True, "owners": ["a", "b"]},
        "app/none": {"value": "unset", "seen": False, "owners": []},
        "app/secret": {"value": "set", "seen": False, "owners": ["app"]},
    }
    assert "hunter2" not in str(found)


def test_passwords_that_cannot_be_read_are_said(put, monkeypatch):
    machine = put({"var/cache/debconf/templates.dat": TEMPLATES, "var/cache/debconf/config.dat": CONFIG})
    real = machine.text

    def refuse(path):
        if path.endswith("passwords.dat"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(machine, "text", refuse)
    answers = debconf.read(machine)
    assert [next(answers)[0] for _ in range(2)] == ["app/empty", "app/mode"]
    with pytest.raises(Unreadable, match=r"passwords\.dat: Permission denied"):
        next(answers)


ONE_LINE = """\
# comment
deb [arch=amd64,arm64 signed-by=/etc/apt/keyrings/x.asc] http://example.org/debian/ stable main contrib # why
deb-src http://example.org/debian stable main
deb https://me:secret@example.org/private ./
nonsense here
"""

DEB822 = """\
Types: deb
URIs: http://example.org/debian
Suites: stable
Components: contrib
 main
Architectures: arm64 amd64
Signed-By: /etc/apt/keyrings/x.asc

# comment
Types: deb-src
URIs: http://example.org/debian
Suites: stable
Components: main

Enabled: no
Types: deb
URIs: http://example.org/off
Suites: stable
Components: main
"""


def test_both_forms_of_sources_read_the_same():
    line = {key: value for key, value in apt.one_line(ONE_LINE) if "private" not in key and "understood" not in key}
    assert line == dict(apt.deb822(DEB822))
    assert line["deb http://example.org/debian stable main"] == {
        "options": ["architectures=amd64,arm64", "signed-by=/etc/apt/keyrings/x.asc"]
    }


def test_a_login_in_a_source_is_not_told_and_nonsense_stays():
    found = dict(apt.one_line(ONE_LINE))
    assert "deb https://<login>@example.org/private ./" in found
    assert "not understood: nonsense here" in found
    assert "secret" not in str(found)


def packet(body, *, old=False):
    if old:
        return bytes([0x80 | 6 << 2 | 1]) + len(body).to_bytes(2, "big") + body
    return bytes([0xC0 | 6, 255]) + len(body).to_bytes(4, "big") + body


KEY = b"\x04" + bytes(range(60))
OTHER = b"\x04" + bytes(range(1, 61))
USER_ID = bytes([0xC0 | 13, 3]) + b"me!"


def fingerprint(body):
    return hashlib.sha1(b"\x99" + len(body).to_bytes(2, "big") + body).hexdigest().upper()


def armored(content):
    text = base64.encodebytes(content).decode()
    return f"-----BEGIN PGP PUBLIC KEY BLOCK-----\nVersion: x\n\n{text}=abcd\n-----END PGP PUBLIC KEY BLOCK-----\n"


def test_a_key_has_one_fingerprint_in_every_form():
    expected = [fingerprint(KEY)]
    assert fingerprints(packet(KEY) + USER_ID) == expected
    assert fingerprints(packet(KEY, old=True) + USER_ID) == expected
    assert fingerprints(armored(packet(KEY) + USER_ID).encode()) == expected
    assert fingerprints(armored(packet(KEY)).replace("\n", "\r\n").encode()) == expected
    both = armored(packet(KEY)) + armored(packet(OTHER))
    assert fingerprints(both.encode()) == sorted([fingerprint(KEY), fingerprint(OTHER)])


@pytest.mark.parametrize("content", [b"KBXf...", packet(KEY)[:-1], b"\xc6", b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n"])
def test_what_is_no_key_is_told_by_its_hash(content):
    assert fingerprints(content) == ["sha256:" + hashlib.sha256(content).hexdigest()]


def test_apt_tells_sources_keys_and_pins(put):
    key = armored(packet(KEY))
    machine = put(
        {
            "etc/apt/sources.list": ONE_LINE,
            "etc/apt/sources.list.d/more.sources": DEB822,
            "etc/apt/sources.list.d/more.sources.bak": "Types: deb\nURIs: http://bad\nSuites: x\n",
            "etc/apt/trusted.gpg.d/a.asc": key,
            "etc/apt/keyrings/b.gpg": packet(KEY),
            "etc/apt/preferences.d/pin": "Package: nginx  nginx-core\nPin: release   a=stable\nPin-Priority: 900\n",
        }
    )
    found = dict(apt.read(machine))
    assert found["key " + fingerprint(KEY)] == {"files": ["/etc/apt/trusted.gpg.d/a.asc", "/etc/apt/keyrings/b.gpg"]}
    assert found["pin nginx: release a=stable"] == {"priority": "900"}
    assert "source deb http://example.org/debian stable main" in found
    assert not any("bad" in key for key in found)


def test_a_key_inside_a_source_is_told_by_its_fingerprint():
    lines = armored(packet(KEY)).strip().splitlines()
    inside = "\n".join(f" {line or '.'}" for line in lines)
    text = f"Types: deb\nURIs: http://example.org\nSuites: ./\nSigned-By:\n{inside}\n"
    (value,) = dict(apt.deb822(text)).values()
    assert value == {"options": [f"signed-by={fingerprint(KEY)}"]}


def test_packages_of_languages_are_told_unless_dpkg_brought_them(put):
    place = "srv/app/venv/lib/python3.11/site-packages"
    machine = put(
        {
            f"{place}/Flask_Login-2.0.1.dist-info/METADATA": "",
            f"{place}/old.thing-1.2-py3.11.egg-info": "",
            f"{place}/editable.egg-info/PKG-INFO": "Metadata-Version: 2.1\nName: editable\nVersion: 0.9\n",
            "usr/lib/python3/dist-packages/six-1.16.egg-info": "",
            "var/lib/dpkg/info/six.list": "/.\n/usr/lib/python3/dist-packages/six-1.16.egg-info\n",
            "usr/local/lib/node_modules/pm2/package.json": '{"version": "5.0.0"}',
            "usr/local/lib/node_modules/@scope/tool/package.json": '{"version": "1.0.0"}',
            "usr/local/lib/node_modules/broken/package.json": "[",
            "srv/app/node_modules/dep/package.json": '{"version": "1.0.0"}',
            "var/lib/gems/3.1.0/specifications/rack-2.2.4.gemspec": "",
            "var/lib/gems/3.1.0/specifications/nokogiri-1.15-x86_64-linux.gemspec": "",
        }
    )
    assert dict(languages.read(machine)) == {
        f"python flask-login in /{place}": {"versions": ["2.0.1"]},
        f"python old-thing in /{place}": {"versions": ["1.2"]},
        f"python editable in /{place}": {"versions": ["0.9"]},
        "npm pm2 in /usr/local/lib": {"versions": ["5.0.0"]},
        "npm @scope/tool in /usr/local/lib": {"versions": ["1.0.0"]},
        "npm broken in /usr/local/lib": {"versions": [""]},
        "gem rack in /var/lib/gems/3.1.0/specifications": {"versions": ["2.2.4"]},
        "gem nokogiri in /var/lib/gems/3.1.0/specifications": {"versions": ["1.15"]},
    }


def test_names_of_one_file_are_told_by_the_first(put, tmp_path):
    machine = put({"b/first": "x", "single": ""})
    (tmp_path / "b/second").hardlink_to(tmp_path / "b/first")
    (tmp_path / "a\n").hardlink_to(tmp_path / "b/first")
    assert dict(links.read(machine)) == {r"/a\x0a": {"names": ["/b/first", "/b/second"]}}
    part = Machine({"root": str(tmp_path), "only": ["/b"]})
    assert dict(links.read(part)) == {"/b/first": {"names": ["/b/second"], "elsewhere": 1}}


def test_on_layers_only_names_that_are_there_count(put, tmp_path):
    put({"b/first": "x", "lone": ""})
    (tmp_path / "b/second").hardlink_to(tmp_path / "b/first")
    (tmp_path / "c").hardlink_to(tmp_path / "lone")
    machine = Machine({"root": str(tmp_path), "only": ["/b", "/lone"]})
    assert dict(links.read(machine))["/lone"] == {"names": [], "elsewhere": 1}
    machine.mounts = mounts([b"539 417 0:76 / / rw - overlay overlay rw"])
    assert dict(links.read(machine)) == {"/b/first": {"names": ["/b/second"]}}


def test_very_many_names_are_told_by_number_and_hash(put, tmp_path, monkeypatch):
    machine = put({"00": ""})
    for number in range(1, 61):
        (tmp_path / f"{number:02}").hardlink_to(tmp_path / "00")
    (value,) = dict(links.read(machine)).values()
    assert len(value["names"]) == 50
    assert value["more"] == 10
    monkeypatch.setattr("labrig.state.probe.files.LINKS_LIMIT", 30)
    with pytest.raises(Unreadable, match="further names"):
        dict(links.read(Machine({"root": str(tmp_path)})))
