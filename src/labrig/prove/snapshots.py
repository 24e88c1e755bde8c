"""Snapshots: production's state, deployed from a git ref and kept as images."""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO

from docker import DockerClient

from labrig import clock
from labrig.ansible import playbook, workspace
from labrig.ansible.events import Event, Started
from labrig.ansible.reads import Reads
from labrig.ansible.scenario import Scenario
from labrig.engine import ownership
from labrig.engine.client import engine_errors, is_full_disk
from labrig.engine.images import look_up
from labrig.engine.machines import Machine, require_image
from labrig.engine.mounted_files import MountedFiles
from labrig.engine.ownership import Ownership
from labrig.errors import EnvironmentFailed
from labrig.prove import archives
from labrig.prove.failures import failed_tasks, headline, missing_content
from labrig.prove.inputs import Input, Trace, World, programs
from labrig.prove.run import Run, Say
from labrig.prove.store import Store

REPOSITORY = "labrig/snapshot"
SNAPSHOT = ownership.PREFIX + "snapshot."
KEY = SNAPSHOT + "key"
PLATFORM = SNAPSHOT + "platform"
SCENARIO = SNAPSHOT + "scenario"
REF = SNAPSHOT + "ref"
COMMIT = SNAPSHOT + "commit"
DEFINITION = SNAPSHOT + "definition"
PREPARED = SNAPSHOT + "prepared"
PACKAGES = SNAPSHOT + "packages"
MOUNTED = SNAPSHOT + "mounted"

# Archives move: what was installed from them longer ago is deployed anew.
FRESH_FOR = timedelta(hours=24)
STORED_FOR = timedelta(days=14)
WAIT_SECONDS = 0.2
_LIST_PACKAGES = (
    "dpkg-query -W -f '${Package}=${Version}\\n' 2>/dev/null || rpm -qa --qf '%{NAME}=%{VERSION}-%{RELEASE}\\n'"
)


@dataclass(frozen=True)
class Source:
    """What a snapshot is made of.

    Attributes:
        ref: The ref as it was named.
        commit: The commit that it stands for.
        scenario: The scenario as it is in that commit's tree.
        images: The base image of each platform.
        tree: The root of that commit's tree.
    """

    ref: str
    commit: str
    scenario: Scenario
    images: Mapping[str, str]
    tree: Path


@dataclass(frozen=True)
class Snapshot:
    """The image of one machine in production's state."""

    platform: str
    image: str
    id: str
    labels: Mapping[str, str]

    @property
    def prepared(self) -> str | None:
        """The digest of the preparation that the machine had; None for an image that labrig did not make."""
        return self.labels.get(PREPARED)

    @property
    def mounted(self) -> MountedFiles | None:
        """The machine's files that no image holds, with the addresses that it had when it was deployed."""
        return MountedFiles.of_text(self.labels[MOUNTED]) if self.labels.get(MOUNTED) else None


def preparation(scenario: Scenario) -> str:
    """Return a digest of how the scenario prepares its machines; of one that does not, a digest too.

    What the playbook reads stands beside it: all files of the scenario count but those that have other uses.
    """
    digest = hashlib.sha256()
    if "prepare" in scenario.playbooks:
        others = {scenario.file, scenario.playbooks["converge"], scenario.playbooks.get("verify")}
        tests = scenario.verifier.directory
        for path in sorted({*scenario.directory.rglob("*"), scenario.playbooks["prepare"]}):
            if path.is_file() and path not in others and not path.is_relative_to(tests):
                digest.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:16]


def definition(client: DockerClient, source: Source) -> str:
    """Return the hash of what decides a snapshot: its base images, the commit, the scenario, and labrig itself."""
    facts = {
        **programs(),
        "commit": source.commit,
        "scenario": source.scenario.name,
        "molecule.yml": source.scenario.text.replace(str(source.scenario.project), "."),
        "playbooks": {
            name: hashlib.sha256(path.read_bytes()).hexdigest()
            for name, path in sorted(source.scenario.playbooks.items())
        },
        "images": {name: require_image(client, image) for name, image in sorted(source.images.items())},
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def find(
    client: DockerClient, key: str, platforms_wanted: tuple[str, ...], *, max_age: timedelta | None = FRESH_FOR
) -> dict[str, Snapshot] | None:
    """Return the stored snapshots of a definition, one for each platform, or None if one is missing or too old."""
    found: dict[str, Snapshot] = {}
    for name in platforms_wanted:
        snapshot = of_image(client, f"{REPOSITORY}:{key}-{tag_of(name)}", name)
        if snapshot is None or (max_age is not None and _age(snapshot.labels) > max_age):
            return None
        found[name] = snapshot
    return found


def of_image(client: DockerClient, image: str, platform: str) -> Snapshot | None:
    """Return an image as a snapshot of a platform; None if the engine does not have it."""
    identifier = look_up(client, image)
    if identifier is None:
        return None
    with engine_errors(f"look at image {image}"):
        labels = client.api.inspect_image(identifier)["Config"].get("Labels") or {}
    return Snapshot(platform, image, identifier, labels)


def build(
    run: Run,
    source: Source,
    origin: Path,
    environment: Mapping[str, str],
    *,
    timeout: float,
    say: Say,
    store: Store,
    max_age: timedelta = FRESH_FOR,
) -> tuple[dict[str, Snapshot], Trace]:
    """Return the snapshots of a source, deployed now unless they are stored already, and what decided them.

    A stored one is production's state also where its deployment reached outside: what is in production was deployed
    from what was there then.

    Raises:
        EnvironmentFailed: The ref does not deploy: there is no state of production to upgrade from.
    """
    key = definition(run.client, source)
    names = tuple(platform.name for platform in source.scenario.platforms)
    world = World(source.tree, environment, {}, store.key, archives.published)
    with _one_at_a_time(run, key):
        stored = find(run.client, key, names, max_age=max_age)
        trace = store.snapshot(key) if stored is not None else None
        if stored is not None and trace is not None and next(world.changes(trace), None) is None:
            return stored, trace
        made, trace = _deploy(run, source, key, origin, environment, timeout, say, world)
        store.keep_snapshot(key, trace)
        return made, trace


def _deploy(
    run: Run,
    source: Source,
    key: str,
    origin: Path,
    environment: Mapping[str, str],
    timeout: float,
    say: Say,
    world: World,
) -> tuple[dict[str, Snapshot], Trace]:
    began = clock.now().timestamp()
    step = f"production {source.commit[:12]}"
    say("upgrade", step, "")
    scenario = source.scenario
    machines = {
        machine.name: machine for machine in run.start_machines(scenario.platforms, source.images, "production")
    }
    space = workspace.lay_out(
        scenario,
        run.folder / "production",
        {name: machine.container for name, machine in machines.items()},
        origin,
        environment,
    )

    def on_event(event: Event) -> None:
        if isinstance(event, Started):
            say("upgrade", step, event.task)

    deadline = clock.monotonic() + timeout
    looked = Reads()
    for name, step in (("prepare", "prepare"), ("converge", "deploy")):
        path = scenario.playbooks.get(name)
        if path is None:
            continue
        left = deadline - clock.monotonic()
        with run.sessions(space):
            done = playbook.run(space, path, name=step, processes=run.processes, timeout=left, on_event=on_event)
        if not done.ok:
            _raise_not_built(run, space, source, done, step, timeout)
        looked |= done.reads
    trace = world.trace(looked, own=run.folder, began=began)
    seen = {archive for machine in machines.values() for archive in archives.seen(machine)}
    inputs = {**trace.inputs, **{f"archive {one.name}": Input(one.published) for one in seen}}
    return {name: _keep(run, source, key, machine) for name, machine in machines.items()}, Trace(inputs, trace.outside)


def _raise_not_built(
    run: Run, space: workspace.Workspace, source: Source, done: playbook.PlaybookRun, step: str, timeout: float
) -> None:
    missing = missing_content(done, space)
    if missing is not None:
        raise missing
    said = headline(done, timeout)
    logs = run.save_logs({f"production-{step}.log": done.log})
    hint = (
        "free some disk space"
        if is_full_disk(said + done.tail)
        else (f"name another state of production with --production REF or IMAGE; all that was said is in {logs}")
    )
    details = "".join(
        f"\n  {task['task']} ({task['path'] or 'no file'}), on {task['host']}: {task['message']}"
        for task in failed_tasks(done)
    )
    raise EnvironmentFailed(
        f"production's state could not be made: {source.ref} ({source.commit[:12]}) does not {step} on a blank "
        f"machine: {said}{details}",
        hint=hint,
    )


def _keep(run: Run, source: Source, key: str, machine: Machine) -> Snapshot:
    run.check()
    machine.settle()
    packages = machine.execute(["/bin/sh", "-c", _LIST_PACKAGES]).stdout.decode(errors="replace").split()
    labels = {
        # The run is left out: a stored snapshot belongs to no run, and is not swept with one.
        **ownership.labels(kind="snapshot", project=run.project, expires=clock.now() + STORED_FOR),
        KEY: key,
        PLATFORM: machine.name,
        SCENARIO: source.scenario.name,
        REF: source.ref,
        COMMIT: source.commit,
        DEFINITION: key,
        PREPARED: preparation(source.scenario),
        MOUNTED: machine.mounted_files().as_text(),
        PACKAGES: " ".join(sorted(packages)),
    }
    # Shut down in order, so that databases are whole and what is left in memory is gone.
    machine.stop()
    tag = f"{key}-{tag_of(machine.name)}"
    identifier = machine.commit(REPOSITORY, tag, labels)
    # It has done its work, even in a run whose machines are kept.
    machine.remove()
    run.machines.remove(machine)
    return Snapshot(machine.name, f"{REPOSITORY}:{tag}", identifier, labels)


def stored(client: DockerClient) -> list[Snapshot]:
    """Return all snapshots on the engine, newest first."""
    with engine_errors("list snapshots"):
        found = client.api.images(filters={"label": f"{ownership.KIND}=snapshot"})
    snapshots = [
        Snapshot(image["Labels"].get(PLATFORM, ""), name, image["Id"], image["Labels"])
        for image in found
        for name in image["RepoTags"] or []
        # Docker passes labels on: an image that was made from a snapshot is none.
        if name.startswith(ownership.IMAGES)
    ]
    return sorted(snapshots, key=lambda one: one.labels.get(ownership.CREATED, ""), reverse=True)


def own_sizes(client: DockerClient) -> dict[str, int]:
    """Return how many bytes of each image no other image has, by id: what its removal gives back."""
    with engine_errors("measure images"):
        images = client.df()["Images"] or []
    return {image["Id"]: max(0, image["Size"] - max(0, image["SharedSize"])) for image in images}


def beyond(client: DockerClient, limit: int, *, older_than: timedelta = timedelta(0)) -> list[Snapshot]:
    """Return the oldest snapshots of this seat without which the others are not larger than ``limit`` bytes together.

    Those that people have named are counted by nobody and stay; what is younger than ``older_than`` may be in use.
    """
    sizes = own_sizes(client)
    total = 0
    gone = []
    for one in stored(client):
        whose = Ownership.read(one.labels)
        if whose is None or whose.seat != ownership.here() or one.image.startswith(ownership.NAMED_IMAGES):
            continue
        total += sizes.get(one.id, 0)
        if total > limit and _age(one.labels) > older_than:
            gone.append(one)
    return gone


def _age(labels: Mapping[str, str]) -> timedelta:
    try:
        return clock.now() - datetime.fromisoformat(labels.get(ownership.CREATED, ""))
    except (ValueError, TypeError):
        return timedelta.max


def tag_of(name: str) -> str:
    """Return a machine's name as a part of an image's tag."""
    return "".join(char if char.isalnum() or char in "-_." else "-" for char in name)


@contextmanager
def _one_at_a_time(run: Run, key: str) -> Iterator[None]:
    """Let one process at a time build a snapshot; the others wait, as long as their own run goes on, and find it."""
    folder = ownership.cache_directory() / "snapshots"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{key}.lock").open("w") as file:
        while not _locked(file):
            run.check()
            clock.sleep(WAIT_SECONDS)
        yield


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
