"""Whether this machine and its engine have what labrig needs, and what to do where not."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from docker import DockerClient

from labrig import clock
from labrig.engine import client as engine
from labrig.engine import images, ownership, sweep
from labrig.engine.machines import USUAL_CAPABILITIES, Machine, MachineSpec
from labrig.engine.ownership import RunLock
from labrig.engine.reaper import Reaper
from labrig.errors import LabrigError

NEEDED_BYTES = 5_000_000_000
NEEDED_MEMORY = 2_000_000_000
# The kernel counts them for each user, and all machines are root's; measured on debian-12 with a service or two.
WATCHES_LIMIT = Path("/proc/sys/fs/inotify/max_user_instances")
WATCHES_OF_A_MACHINE = 7
NEEDED_MACHINES = 16

Health = Literal["ok", "warning", "bad"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; ``advice`` says what to do where it is not ``ok``."""

    about: str
    health: Health
    found: str
    advice: str = ""


def examine() -> Iterator[Finding]:
    """Yield what is found, the basics first; what needs an engine is left out where none answers."""
    yield _commands()
    try:
        client = engine.connect()
        facts = engine.facts(client)
    except LabrigError as error:
        yield Finding("engine", "bad", error.message, error.hint)
        return
    yield Finding("engine", "ok", f"Docker {facts.version}, API {facts.api}, {facts.cpus} CPUs, {facts.storage}")
    yield _memory(facts)
    yield _disk(facts)
    yield from _watches(WATCHES_LIMIT)
    yield from _images(client)
    yield _attempt("boot", lambda: _boot(client, facts))
    yield _leftovers(client)


def _commands() -> Finding:
    missing = [name for name in ("git", "docker") if shutil.which(name) is None]
    if missing:
        return Finding("commands", "bad", f"not found: {', '.join(missing)}", f"install {' and '.join(missing)}")
    if shutil.which("mmdebstrap") is None:
        return Finding(
            "commands", "warning", "mmdebstrap is not found", "install mmdebstrap, or use images of `source: registry`"
        )
    return Finding("commands", "ok", f"git, docker and mmdebstrap; Python {platform.python_version()}")


def _memory(facts: engine.EngineFacts) -> Finding:
    found = f"{facts.memory_bytes / 1e9:.1f} GB of memory"
    if facts.memory_bytes < NEEDED_MEMORY:
        return Finding("memory", "warning", found, f"two machines want {NEEDED_MEMORY / 1e9:.0f} GB")
    return Finding("memory", "ok", found)


def _disk(facts: engine.EngineFacts) -> Finding:
    root = Path(facts.root)
    if not root.is_dir():
        return Finding("disk", "warning", f"{root} is not on this machine", "look at the engine's own disk")
    free = shutil.disk_usage(root).free
    found = f"{free / 1e9:.1f} GB free at {root}"
    if free < NEEDED_BYTES:
        return Finding("disk", "bad", found, "free some: `labrig clean`, `labrig snapshot prune`, `docker system df`")
    return Finding("disk", "ok", found)


def machines_at_once(limit: Path = WATCHES_LIMIT) -> int | None:
    """Return how many machines can run at once before units of systemd fail for want of an inotify instance.

    None where that cannot be seen from here, since the engine is on another system.
    """
    try:
        return int(limit.read_text(encoding="ascii")) // WATCHES_OF_A_MACHINE
    except (OSError, ValueError):
        return None


def _watches(limit: Path) -> Iterator[Finding]:
    machines = machines_at_once(limit)
    if machines is None:
        return
    instances = limit.read_text(encoding="ascii").strip()
    found = f"{instances} inotify instances for each user, enough for about {machines} machines at once"
    if machines < NEEDED_MACHINES:
        yield Finding("inotify", "warning", found, f"sysctl -w {_setting(limit)}=1024, and a file in /etc/sysctl.d")
    else:
        yield Finding("inotify", "ok", found)


def _setting(path: Path) -> str:
    return ".".join(path.parts[path.parts.index("sys") + 1 :])


def _images(client: DockerClient) -> Iterator[Finding]:
    for definition in images.definitions().values():
        built = images.look(client, definition)
        build = f"labrig image build {definition.name}"
        if built.id is None:
            yield Finding("image", "bad", f"{definition.tag} is missing", build)
        elif not built.current:
            yield Finding("image", "warning", f"{definition.tag} is of a former definition", build)
        else:
            yield Finding("image", "ok", f"{definition.tag}, {definition.digest}")


def _boot(client: DockerClient, facts: engine.EngineFacts) -> Finding:
    """Boot a machine: that answers for cgroups and capabilities at once."""
    about = f"cgroup v{facts.cgroup}, capabilities {', '.join(USUAL_CAPABILITIES)}"
    definition = next(iter(images.definitions().values()))
    if images.look(client, definition).id is None:
        return Finding("boot", "warning", f"{about}: not tried without {definition.tag}", "labrig image build")
    run = ownership.new_run_id()
    spec = MachineSpec(name="doctor", image=definition.tag, hostname="doctor")
    with RunLock(run), Reaper(run):
        try:
            began = clock.monotonic()
            labels = ownership.labels(kind="machine", project="doctor", run=run)
            machine = Machine.create(client, spec, container=f"labrig-{run}-doctor", labels=labels)
            state = machine.wait_until_booted()
            seconds = clock.monotonic() - began
        finally:
            sweep.remove_run(client, run)
    if not state.startswith("running"):
        return Finding("boot", "warning", f"{about}: a machine boots, but systemd says {state}", "see the units named")
    return Finding("boot", "ok", f"{about}: a machine boots in {seconds:.1f} s")


def _leftovers(client: DockerClient) -> Finding:
    left = sweep.orphans(client)
    if left:
        return Finding("leftovers", "warning", f"{len(left)} objects of runs that are over", "labrig clean")
    return Finding("leftovers", "ok", "none")


def _attempt(about: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except LabrigError as error:
        return Finding(about, "bad", error.message, error.hint or "the engine has to let containers have these")
