"""On a real machine: what files have besides mode and content, what is mounted, where software comes from."""

import pytest

from labrig.state.capture import capture
from labrig.state.compare import compare
from labrig.state.explain import sentence
from labrig.state.rules import ONE_MACHINE_RULES
from trials.lab import QUIETLY, Lab, fetch, run, told

RPM = r"""
mkdir -p /root/rpmbuild /opt/tiny
cat > /root/tiny.spec <<'SPEC'
Name: tiny
Version: 1.2
Release: 3
Summary: tiny
License: MIT
BuildArch: noarch
%description
tiny
%install
mkdir -p %{buildroot}/opt/tiny
echo hello > %{buildroot}/opt/tiny/same
echo hello > %{buildroot}/opt/tiny/altered
%files
%dir /opt/tiny
/opt/tiny/same
/opt/tiny/altered
SPEC
rpmbuild -bb /root/tiny.spec
rpm -i --nodeps /root/rpmbuild/RPMS/noarch/tiny-1.2-3.noarch.rpm
echo more >> /opt/tiny/altered
"""

# What it is, how it is done, dimension, key, fields, and what the sentence says.
CHANGES = [
    (
        "an access list",
        "setfacl -m u:www-data:rw /etc/hello.conf",
        ("file", "/etc/hello.conf"),
        {"acl", "mode"},
        "access list entry user:www-data:rw-",
    ),
    (
        "a default access list",
        "setfacl -d -m g:adm:rx /srv/data",
        ("file", "/srv/data"),
        {"default_acl"},
        "default access list entry group:adm:r-x",
    ),
    (
        "a capability",
        "setcap cap_net_raw=ep /usr/local/bin/tool",
        ("file", "/usr/local/bin/tool"),
        {"capabilities"},
        "cap_net_raw=ep",
    ),
    (
        "an attribute",
        "setfattr -n user.origin -v backup /etc/hello.conf",
        ("file", "/etc/hello.conf"),
        {"attributes"},
        "attribute user.origin was not set before and is backup after",
    ),
    (
        "a hard link",
        "ln /usr/local/bin/tool /usr/local/bin/twin",
        ("hard link", "/usr/local/bin/tool"),
        set(),
        "hard link /usr/local/bin/tool (and /usr/local/bin/twin) is new after",
    ),
    (
        "a mount that no file asks for",
        "mkdir -p /var/cache/fast && mount -t tmpfs none /var/cache/fast",
        ("mount", "/var/cache/fast"),
        set(),
        "mount /var/cache/fast (none, tmpfs) is new after",
    ),
    (
        "an entry of fstab",
        "echo 'nas:/export /mnt/nas nfs4 _netdev,noauto 0 0' >> /etc/fstab",
        ("mount", "/mnt/nas"),
        set(),
        "mount /mnt/nas (nas:/export, nfs4) is new after",
    ),
    (
        "swap",
        "echo '/swapfile none swap sw 0 0' >> /etc/fstab",
        ("mount", "swap /swapfile"),
        set(),
        "mount swap /swapfile (/swapfile, swap) is new after",
    ),
    (
        "an alternative that was chosen by hand",
        "update-alternatives --install /usr/bin/pager pager /bin/cat 10 && update-alternatives --set pager /bin/cat",
        ("alternative", "pager"),
        {"mode", "target", "choices"},
        "mode was auto before and is manual after",
    ),
    (
        "a diversion",
        "dpkg-divert --local --rename --add /usr/bin/hello",
        ("diversion", "/usr/bin/hello"),
        set(),
        "dpkg's diversion of /usr/bin/hello (to /usr/bin/hello.distrib, local) is new after",
    ),
    (
        "an override",
        "dpkg-statoverride --add root adm 0750 /etc/hello.conf",
        ("statoverride", "/etc/hello.conf"),
        set(),
        "dpkg's override for /etc/hello.conf (root, adm, 0750) is new after",
    ),
    (
        "an answer",
        "echo 'tzdata tzdata/Zones/Etc select Greenwich' | debconf-set-selections",
        ("debconf", "tzdata/Zones/Etc"),
        {"value"},
        "value was UTC before and is Greenwich after",
    ),
    (
        "a source",
        "echo 'deb [trusted=yes] file:/srv/archive ./' > /etc/apt/sources.list.d/local.list",
        ("apt", "source deb file:/srv/archive ./"),
        set(),
        "(trusted=yes) is new after",
    ),
    (
        "a key",
        "cp /usr/share/keyrings/debian-archive-removed-keys.gpg /etc/apt/trusted.gpg.d/old.gpg",
        ("apt", "key 80D15823B7FD1561F9F7BCDDDC30D7C23CBBABEE"),
        {"files"},
        "in /etc/apt/trusted.gpg.d/old.gpg only after",
    ),
    (
        "a pin",
        r"printf 'Package: hello\nPin: release a=stable\nPin-Priority: 900\n' > /etc/apt/preferences.d/hello",
        ("apt", "pin hello: release a=stable"),
        set(),
        "(900) is new after",
    ),
    (
        "a Python package that pip brought",
        "mkdir -p /opt/app/lib/python3.11/site-packages/Thing-1.0.dist-info",
        ("language package", "python thing in /opt/app/lib/python3.11/site-packages"),
        set(),
        "python thing in /opt/app/lib/python3.11/site-packages (1.0) is new after",
    ),
]


@pytest.fixture(scope="module")
def lab():
    with Lab() as made:
        yield made


@pytest.fixture(scope="module")
def machine(lab):
    started = lab.start()
    run(started, fetch(f"apt-get install -y {QUIETLY} acl attr libcap2-bin rpm"))
    run(
        started,
        "echo x > /etc/hello.conf; chmod 0644 /etc/hello.conf; mkdir -p /srv/data; cp /bin/true /usr/local/bin/tool",
    )
    return started


@pytest.fixture(scope="module")
def before(lab, machine):
    return lab.state(machine)


def test_a_package_too_many_is_one_difference_with_its_files(lab, machine, before):
    run(machine, "apt-get install -y -qq --no-install-recommends hello")
    comparison = compare(before, lab.state(machine), rules=ONE_MACHINE_RULES)
    found = {(difference.dimension, difference.key): difference for difference in comparison.differences}
    package = found.pop(("package", "hello"))
    assert package.files > 3
    assert f"with {package.files} files of its own" in sentence(package)
    assert {key for _, key in found} <= {
        "/var/lib/dpkg/status",
        "/var/lib/dpkg/triggers/File",
        "/usr/share/info/dir",
        "/etc/ld.so.cache",
    }, told(comparison)


@pytest.fixture(scope="module")
def installed(lab, machine, before):
    """The state with hello, before anything else is done; the test above must have run before."""
    run(machine, "dpkg -s hello >/dev/null 2>&1 || apt-get install -y -qq --no-install-recommends hello")
    return lab.state(machine)


def test_what_a_packages_file_was_altered_to_is_a_difference_of_its_own(lab, machine, before, installed):
    run(machine, "echo more >> /usr/share/doc/hello/copyright")
    try:
        altered = told(compare(before, lab.state(machine), rules=ONE_MACHINE_RULES))
    finally:
        run(machine, "apt-get install -y -qq --reinstall hello")
    assert any(
        "/usr/share/doc/hello/copyright of package hello" in one or "hello/copyright exists" in one for one in altered
    )
    assert len([one for one in altered if "hello" in one]) == 2, altered


@pytest.fixture(scope="module")
def changed(lab, machine, installed):
    for _, command, *_ in CHANGES:
        run(machine, command)
    comparison = compare(installed, lab.state(machine), rules=ONE_MACHINE_RULES)
    return {(found.dimension, found.key): found for found in comparison.differences}


@pytest.mark.parametrize(
    ("change", "command", "place", "fields", "said"), CHANGES, ids=[change[0] for change in CHANGES]
)
def test_a_change_is_found_and_told(changed, change, command, place, fields, said):
    assert place in changed, f"{change} ({command}) was not found"
    assert fields <= set(changed[place].fields)
    assert said in sentence(changed[place], left="before", right="after")


def test_a_machine_that_was_tinkered_with_looks_the_same_twice(lab, machine, changed):
    states = [lab.state(machine) for _ in range(2)]
    assert told(compare(*states, rules=ONE_MACHINE_RULES)) == []
    assert states[0].unreadable == {}


def test_a_mount_is_not_read_and_the_header_names_it(lab, machine, changed):
    run(machine, "touch /var/cache/fast/inside")
    state = lab.state(machine)
    assert state.header["left_out"]["/var/cache/fast"] == "tmpfs"
    assert ("file", "/var/cache/fast/inside") not in state.entries
    assert ("file", "/etc/hosts") in state.entries


def test_rpm_tells_its_packages_and_their_files(lab, machine, changed):
    run(machine, RPM)
    # Without dpkg's database it is a machine of rpm's.
    run(machine, "mv /var/lib/dpkg /var/lib/dpkg.away")
    try:
        state = lab.state(machine)
    finally:
        run(machine, "mv /var/lib/dpkg.away /var/lib/dpkg")
    assert {key: value for (dimension, key), value in state.entries.items() if dimension == "package"} == {
        "tiny:noarch": {"version": "0:1.2-3", "architecture": "noarch", "status": "installed"}
    }
    same, altered = (state.entries["file", f"/opt/tiny/{name}"] for name in ("same", "altered"))
    assert (same["package"], same.get("as_packaged")) == ("tiny", True)
    assert (altered["package"], altered.get("as_packaged")) == ("tiny", None)


def test_a_user_without_rights_is_told_what_could_not_be_read(machine):
    state = capture(lambda argv, stdin: machine.stream(argv, stdin, user="nobody"))
    assert "Permission denied" in state.unreadable["debconf"]
    assert state.entries["file", "/etc/shadow"]["unreadable"] == "Permission denied"
