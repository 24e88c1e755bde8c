"""The image that lab hosts of tests start from: a bare Debian made a lab host by labrig.core.lab, as anybody's is.

It is built once and found again by a key of all that goes into it. The first half, packages and images for the host's
engine, only saves time: a host that has them already is what the playbook meets the second time, too.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from labrig import clock
from labrig.engine import ownership
from labrig.engine.images import look_up
from labrig.engine.machines import PRIVILEGED_CAPABILITIES, Machine, MachineSpec
from labrig.experiments import programs
from labrig.prove.run import Run
from trials.lab import IMAGE, QUIETLY, fetch, run

ROOT = Path(__file__).parents[2]
COLLECTION = ROOT / "collections/ansible_collections/labrig/core"
SHOP = ROOT / "examples/shop"
POSTGRESQL = Path(__file__).parent / "images/postgresql"

REPOSITORY = "labrig/lab-host"
DOMAIN = "lab.test"
DEVELOPERS = ("anna", "ben")
# What a bare host of a provider has, and what the roles install: here so that it is fetched once.
PACKAGES = "openssh-server docker.io iptables nftables nginx git curl sudo"
# Every lab host of a test begins with these images on a disk of its own: to unpack them is quicker than `docker load`.
ENGINE_FOLDER = "/var/lib/docker"
ENGINE_ARCHIVE = "/srv/engine.tar"
UNIT = "engine-archive.service"
UNPACK = f"""\
[Unit]
ConditionPathIsDirectory=!{ENGINE_FOLDER}/overlay2
Before=docker.service
[Service]
Type=oneshot
ExecStart=tar --extract --file={ENGINE_ARCHIVE} --directory={ENGINE_FOLDER} --xattrs --xattrs-include=*
[Install]
RequiredBy=docker.service
"""
KEYS = "/root/developers"
# What is done to a bare host, and then with its engine: packages and keys; images, and the archive of them.
GROUND = (
    fetch(f"apt-get install -y {QUIETLY} {PACKAGES}"),
    "apt-get clean; rm -f /etc/ssh/ssh_host_*; ssh-keygen -A",
    *(f"mkdir -p {KEYS}; ssh-keygen -q -t ed25519 -N '' -C {name}@desk -f {KEYS}/{name}" for name in DEVELOPERS),
)
ENGINE = (
    "systemctl stop docker.socket docker containerd",
    f"tar --create --file={ENGINE_ARCHIVE} --directory={ENGINE_FOLDER} --xattrs --xattrs-include='*' .",
    f"cat > /etc/systemd/system/{UNIT} <<'END'\n{UNPACK}END\nsystemctl enable --quiet {UNIT}",
)
# The images that experiments need, and one whose layers a branch of the shop begins with: the engine keeps them.
IMAGES = {"postgres:15": POSTGRESQL, "shop-ground:1": SHOP}
VARIABLES = {
    "ansible_connection": "community.docker.docker_api",
    "ansible_python_interpreter": "/usr/bin/python3",
    "lab_become": False,
    "lab_host_domain": DOMAIN,
}
OF_THE_COLLECTION = tuple(
    COLLECTION / name
    for name in (
        *("playbooks/lab.yml", "plugins/action", "plugins/modules"),
        *("roles/docker_engine", "roles/edge", "roles/lab_host"),
    )
)


def spec(name: str, image: str, *, disk: str = "") -> MachineSpec:
    """What a machine with an engine of its own is made of; ``disk``: the size of the engine's, then in memory."""
    own = {"tmpfs": {ENGINE_FOLDER: f"exec,suid,dev,size={disk}"}} if disk else {"volumes": (ENGINE_FOLDER,)}
    return MachineSpec(
        name=name,
        image=image,
        hostname=name,
        capabilities=(*PRIVILEGED_CAPABILITIES, "SYSLOG", "SYS_MODULE"),
        extra={"security_opt": ["seccomp=unconfined", "apparmor=unconfined"]},
        **own,
    )


def lab_image(run_: Run) -> str:
    """Return the image of a lab host, built where it is not there; several processes wait for one of them."""
    bare = look_up(run_.client, IMAGE)
    if bare is None:
        missing = f"{IMAGE} is not there: script/bootstrap images"
        raise RuntimeError(missing)
    ground_key = key([bare, *GROUND, *ENGINE, UNPACK], [POSTGRESQL, SHOP / "Dockerfile"])
    of_programs = hashlib.sha256(programs.build()).hexdigest()
    host_key = key([ground_key, of_programs, json.dumps(VARIABLES)], OF_THE_COLLECTION)
    name = f"{REPOSITORY}:host-{host_key}"
    if look_up(run_.client, name) is None:
        with ownership.turn("trials-lab-image"):
            ground = kept(run_, f"ground-{ground_key}", IMAGE, lay_ground)
            kept(run_, f"host-{host_key}", ground, provision)
    return name


def key(words: Sequence[str], paths: Iterable[Path]) -> str:
    """Return sixteen digits for words and for the content of files, also those in folders."""
    digest = hashlib.sha256(json.dumps(words).encode())
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"{file.relative_to(ROOT)}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:16]


def kept(run_: Run, tag: str, source: str, make) -> str:
    """Return an image, made by what ``make`` does to a machine of another image where it is not there."""
    name = f"{REPOSITORY}:{tag}"
    if look_up(run_.client, name) is None:
        machine = run_.start_machine(spec("lab", source), tag)
        make(machine)
        machine.stop()
        # It outlives the run, as a stored snapshot does.
        expires = clock.now() + ownership.KEPT_FOR
        machine.commit(REPOSITORY, tag, ownership.labels(kind="snapshot", project="trials", expires=expires))
        machine.remove()
    return name


def lay_ground(machine: Machine) -> None:
    """Install packages and fill the engine with the images that experiments need, and with the layers of the shop's."""
    for script in GROUND:
        run(machine, script)
    sent(["docker", "save", IMAGE], machine, "docker load")
    for tag, folder in IMAGES.items():
        sent(["tar", "-C", str(folder), "-c", "."], machine, f"docker build --quiet --tag {tag} -")
    for script in ENGINE:
        run(machine, script)


def sent(command: Sequence[str], machine: Machine, receiver: str) -> None:
    """Let a command in a machine read what one here writes."""
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        argv = ["docker", "exec", "-i", machine.container, "sh", "-c", receiver]
        done = subprocess.run(argv, stdin=process.stdout, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode or process.returncode:
        told = f"{command} | {receiver}: {done.stdout}{done.stderr}"
        raise RuntimeError(told)


def provision(machine: Machine) -> None:
    """Make a lab host of a machine, as `ansible-playbook -i hosts labrig.core.lab` does of any."""
    developers = [{"name": name, "keys": [run(machine, f"cat {KEYS}/{name}.pub").strip()]} for name in DEVELOPERS]
    variables = {**VARIABLES, "ansible_host": machine.container, "lab_host_developers": developers}
    playbook({"lab": {"hosts": {"lab": variables}}}, "labrig.core.lab")


def playbook(hosts: object, *words: str) -> str:
    """Run ansible-playbook with an inventory; return what it said."""
    with tempfile.TemporaryDirectory(prefix="labrig-trials-") as folder:
        inventory = Path(folder, "hosts.yml")
        inventory.write_text(json.dumps(hosts))
        env = {
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
            "ANSIBLE_PIPELINING": "true",
            "ANSIBLE_HOST_KEY_CHECKING": "true",
            "PYTHONPATH": f"{ROOT / 'src'}:{os.environ.get('PYTHONPATH', '')}",
        }
        argv = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(inventory), *words]
        done = subprocess.run(argv, env=env, cwd=folder, capture_output=True, text=True, timeout=900, check=False)
    if done.returncode:
        told = f"{' '.join(argv)} ended with {done.returncode}:\n{done.stdout[-6000:]}\n{done.stderr[-2000:]}"
        raise RuntimeError(told)
    return done.stdout
