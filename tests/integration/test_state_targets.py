"""`labrig state` on real machines: over SSH, in containers, of images, here, and in files."""

import gzip
import json
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

import testinfra
from labrig.targets import files
from labrig.targets.read import Wish
from labrig.targets.testinfra import state
from trials.lab import IMAGE, QUIETLY, Lab, fetch
from trials.lab import run as run_in

WAIT_LIMIT = 60.0

PORT = 2222
# In brackets, so that the pattern does not find the command that it stands in.
PROBE = "[p]ython3 -I -S -B - "
SESSION = "[s]shd: root@notty"


def docker(*words, check=True):
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, f"docker {' '.join(words)}: {done.stderr[-2000:]}"
    return done.stdout.strip()


def until(true, what):
    end = time.monotonic() + WAIT_LIMIT
    while not true():
        assert time.monotonic() < end, f"{what}: not within {WAIT_LIMIT:.0f} s"
        time.sleep(0.1)


class Server:
    """A machine that is reached over SSH as root and as an ordinary user who may use sudo."""

    def __init__(self, lab, folder):
        self.machine = lab.start()
        self.name = self.machine.container
        self.folder = folder
        self.config = folder / "config"

    def start(self):
        run_in(self.machine, fetch(f"apt-get install -y {QUIETLY} openssh-server sudo"))
        key = self.folder / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        public = key.with_suffix(".pub").read_text()
        self.run(
            f"""
            useradd --create-home --shell /bin/bash deploy
            useradd --create-home --shell /bin/bash plain
            echo 'deploy ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/deploy
            echo 'plain ALL=(ALL) ALL' > /etc/sudoers.d/plain
            echo 'echo welcome to web' > /home/deploy/.bashrc
            for home in /root /home/deploy /home/plain; do
              mkdir -p -m 700 $home/.ssh
              echo '{public}' > $home/.ssh/authorized_keys
            done
            chown -R deploy: /home/deploy; chown -R plain: /home/plain
            printf 'Port {PORT}\\n' > /etc/ssh/sshd_config.d/port.conf
            systemctl restart ssh
            """
        )
        known = self.folder / "known_hosts"
        host_key = self.run("cat /etc/ssh/ssh_host_ed25519_key.pub").split()[:2]
        known.write_text(f"[{self.address}]:{PORT} {' '.join(host_key)}\n")
        self.config.write_text(f"IdentityFile {key}\nIdentitiesOnly yes\nUserKnownHostsFile {known}\n")
        return self

    @property
    def address(self):
        return docker("inspect", "--format={{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", self.name)

    def run(self, command, *, check=True):
        return docker("exec", "--env=DEBIAN_FRONTEND=noninteractive", self.name, "sh", "-ec", command, check=check)

    def url(self, user="root", port=PORT):
        return f"ssh://{user}@{self.address}:{port}"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Lab() as lab:
        yield Server(lab, tmp_path_factory.mktemp("ssh")).start()


@pytest.fixture
def labrig(server, tmp_path):
    def run(*words, config=server.config):
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "labrig",
                "state",
                *words,
                *(["--ssh-config", config] if words[0] != "rules" else []),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return run


@pytest.fixture(scope="module")
def past(server, tmp_path_factory):
    """The server's state before any test changed it, in a file."""
    file = tmp_path_factory.mktemp("past") / "web.jsonl.gz"
    subprocess.run(
        [sys.executable, "-m", "labrig", "state", "capture", server.url(), "-o", file, "--ssh-config", server.config],
        check=True,
    )
    return str(file)


def last(text):
    return text.strip().splitlines()[-1]


def test_a_server_is_the_same_over_ssh_and_through_its_container(server, past, labrig):
    done = labrig("compare", past, f"container:{server.name}")
    assert (done.returncode, done.stdout.splitlines()[:-1]) == (0, [])
    assert last(done.stdout).startswith(f"same: {server.url()} and {server.name}: no difference of 1")


def test_what_an_ordinary_user_reads_with_sudo_is_what_root_reads(server, past, labrig):
    done = labrig("compare", past, server.url("deploy") + "?become")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_ansible_and_testinfra_see_the_same_over_ssh(server, past, labrig, tmp_path, monkeypatch):
    """Ansible over ssh without pipelining gives the machine a terminal, and the user's shell says something first."""
    seen = state(testinfra.get_host(server.url(), ssh_config=str(server.config)), Wish())
    files.write(str(tmp_path / "testinfra.jsonl"), seen.lines())
    (tmp_path / "play.yml").write_text(
        "- hosts: all\n  gather_facts: false\n  become: true\n"
        "  tasks:\n    - labrig.core.machine_state: {dest: ansible.jsonl.gz}\n"
    )
    host = f"web ansible_host={server.address} ansible_port={PORT} ansible_user=deploy"
    (tmp_path / "hosts").write_text(f"{host} ansible_ssh_common_args='-F {server.config}'\n")
    monkeypatch.setenv("ANSIBLE_COLLECTIONS_PATH", str(Path(__file__).parents[2] / "collections"))
    play = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "-i", "hosts", "play.yml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert play.returncode == 0, play.stdout + play.stderr
    for file in ("testinfra.jsonl", "ansible.jsonl.gz"):
        done = labrig("compare", past, file)
        assert (done.returncode, done.stdout.splitlines()[:-1]) == (0, []), file


def test_without_sudo_it_says_what_it_may_not_read(server, past, labrig, tmp_path):
    done = labrig("capture", server.url("deploy"), "-o", "deploy.jsonl")
    assert done.returncode == 0
    assert "is not read as root: what its user may not read is missing" in done.stderr
    compared = labrig("compare", past, "deploy.jsonl")
    assert compared.returncode == 1
    (shadow,) = [line for line in compared.stdout.splitlines() if line.startswith("  file /etc/shadow:")]
    assert "could not be read" in shadow


def test_sudo_that_wants_a_password_is_an_error_of_the_environment(server, labrig):
    done = labrig("capture", server.url("plain"), "--become")
    assert (done.returncode, done.stdout) == (3, "")
    assert "a password is required" in done.stderr


def test_one_machine_is_compared_with_its_own_past(server, past, labrig):
    server.run("echo 'PermitRootLogin yes' > /etc/ssh/sshd_config.d/root.conf; ssh-keygen -A -f / >/dev/null")
    server.run("rm /etc/ssh/ssh_host_rsa_key*; ssh-keygen -q -t rsa -N '' -f /etc/ssh/ssh_host_rsa_key")
    try:
        done = labrig("compare", past, server.url(), "--json", "told.json")
    finally:
        server.run("rm /etc/ssh/sshd_config.d/root.conf; systemctl reload ssh")
    assert done.returncode == 1
    said = done.stdout.splitlines()
    assert "  file /etc/ssh/sshd_config.d/root.conf is new after" in said
    # Between two machines a host key of one's own means nothing; on one machine it has been changed.
    assert "  file /etc/ssh/ssh_host_rsa_key: content differs" in "\n".join(said)
    assert last(done.stdout).startswith("different: before and after: ")
    as_two = labrig("compare", past, server.url(), "--rules", "two-machines", "--only", "/etc/ssh")
    assert as_two.returncode == 0, as_two.stdout


def test_the_json_says_what_the_sentences_say(server, past, labrig):
    server.run("chmod 0600 /etc/motd")
    try:
        done = labrig("compare", past, server.url(), "--json", "-", "--only", "/etc/motd", "--dimension", "file")
    finally:
        server.run("chmod 0644 /etc/motd")
    told = json.loads(done.stdout)
    (one,) = told["differences"]
    assert (told["schema"], told["same"], told["rules"]) == ("labrig.comparison/1", False, "one-machine")
    assert (one["dimension"], one["key"], one["fields"]) == ("file", "/etc/motd", ["mode"])
    assert one["text"] in done.stderr


def test_rules_are_told_with_how_often_each_applied(server, past, labrig):
    done = labrig("rules", "--of", past, past)
    assert done.returncode == 0
    assert any(line.split()[:3] == ["0", "machine-id", "file"] for line in done.stdout.splitlines())


@pytest.mark.parametrize(
    ("url", "said", "hint"),
    [
        ("ssh://root@{address}:1", "Connection refused", "does sshd run there, on this port?"),
        ("ssh://nobody-known@{address}:2222", "Permission denied", "use a key, an agent or ~/.ssh/config"),
        ("ssh://root@no-such-host.invalid", "Could not resolve hostname", "check the name"),
    ],
)
def test_a_host_that_is_not_reached_is_an_error_of_the_environment(server, labrig, url, said, hint):
    done = labrig("capture", url.format(address=server.address), "-o", "none.jsonl")
    assert done.returncode == 3
    assert said in done.stderr
    assert hint in done.stderr


def test_a_host_key_that_is_not_known_is_not_trusted(server, labrig, tmp_path):
    config = tmp_path / "config"
    config.write_text(server.config.read_text().replace("UserKnownHostsFile", "UserKnownHostsFile /dev/null #"))
    done = labrig("capture", server.url(), config=config)
    assert (done.returncode, done.stdout) == (3, "")
    assert "put its key into ~/.ssh/known_hosts" in done.stderr


def session_killed(server):
    server.run(f"pkill -KILL -f '{SESSION}'")


def machine_frozen(server):
    # Nothing answers any more, and nothing closes the connection either.
    docker("pause", server.name)


@pytest.mark.parametrize("breaks", [session_killed, machine_frozen])
def test_a_connection_that_breaks_midway_leaves_no_file(server, tmp_path, breaks):
    words = ["state", "capture", server.url(), "-o", "web.jsonl", "--ssh-config", server.config]
    process = subprocess.Popen(
        [sys.executable, "-m", "labrig", *words], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    # It stands still halfway, so that it can't be over before the connection breaks.
    until(lambda: server.run(f"pkill -STOP -f '{PROBE}' && echo yes || true"), "the probe runs")
    try:
        breaks(server)
        _, said = process.communicate(timeout=WAIT_LIMIT)
    finally:
        process.kill()
        docker("unpause", server.name, check=False)
        server.run(f"pkill -KILL -f '{PROBE}' || true")
    assert process.returncode == 3, said
    assert "no connection to" in said
    assert list(tmp_path.iterdir()) == []


def test_a_machine_without_python(server, labrig):
    """Over SSH that is an error; of a container at least the files can be read."""
    server.run("chmod 0644 /usr/bin/python3.11")
    try:
        over_ssh = labrig("capture", server.url())
        through_docker = labrig(
            "capture", server.name, "-o", "files.jsonl", "--dimension", "package", "--dimension", "unit"
        )
    finally:
        server.run("chmod 0755 /usr/bin/python3.11")
    assert over_ssh.returncode == 3
    assert "has no Python 3.8 or newer" in over_ssh.stderr
    assert through_docker.returncode == 0
    assert "has no Python: only its files are read" in through_docker.stderr
    assert "unit could not be read completely: only a running machine can be asked" in through_docker.stderr


def test_a_stopped_container_is_read_and_stays_stopped(labrig, tmp_path):
    name = f"labrig-test-targets-{uuid.uuid4().hex[:8]}"
    docker("create", f"--name={name}", "--label=org.labrig.kind=test", IMAGE, "sh", "-c", "chmod 4711 /bin/true")
    try:
        docker("start", "--attach", name)
        done = labrig("capture", f"container:{name}", "-o", "stopped.jsonl", "--only", "/usr/bin")
        assert docker("inspect", "--format={{.State.Status}}", name) == "exited"
    finally:
        docker("rm", "--force", name)
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in (tmp_path / "stopped.jsonl").read_text().splitlines()]
    assert records[0]["target"]["read"] == "the files of a container: exited"
    (true,) = [one["value"] for one in records if one.get("key") == "/usr/bin/true"]
    assert (true["mode"], true["owner"], true["package"]) == ("4711", "root", "coreutils")


def test_an_image_with_systemd_is_booted_and_removed(labrig, tmp_path):
    before = docker("ps", "--all", "--quiet", "--filter=label=org.labrig.kind=machine", "--filter=name=-image$")
    done = labrig("capture", f"image:{IMAGE}", "-o", "image.jsonl", "--dimension", "unit")
    assert done.returncode == 0, done.stderr
    first, *rest = (tmp_path / "image.jsonl").read_text().splitlines()
    assert json.loads(first)["target"]["read"] == "a machine booted from the image"
    assert any('"active":"active"' in line for line in rest)
    after = docker("ps", "--all", "--quiet", "--filter=label=org.labrig.kind=machine", "--filter=name=-image$")
    assert set(after.split()) <= set(before.split())


def test_files_that_are_no_whole_state(past, labrig, tmp_path):
    packed = Path(past).read_bytes()
    whole = gzip.decompress(packed)
    (tmp_path / "cut.jsonl").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "cut.jsonl.gz").write_bytes(packed[:5000])
    (tmp_path / "foreign.jsonl").write_text('{"some": "thing"}\n')
    (tmp_path / "older.jsonl").write_bytes(whole.replace(b"labrig.state/1", b"labrig.state/0", 1))
    found = {
        name: labrig("compare", past, name) for name in ("cut.jsonl", "cut.jsonl.gz", "foreign.jsonl", "older.jsonl")
    }
    assert {name: done.returncode for name, done in found.items()} == {
        "cut.jsonl": 3,
        "cut.jsonl.gz": 3,
        "foreign.jsonl": 2,
        "older.jsonl": 2,
    }
    assert "ends in the middle of line" in found["cut.jsonl"].stderr
    assert "expected the header of a state" in found["foreign.jsonl"].stderr
    assert "has the version labrig.state/0" in found["older.jsonl"].stderr


def test_a_word_that_names_nothing_is_a_usage_error(labrig):
    done = labrig("capture", "no-such-thing")
    assert (done.returncode, done.stdout) == (2, "")
    assert "'no-such-thing' is neither a file nor a container nor an image on this engine" in done.stderr
