"""What an earlier proof still answers, and what of this one is stored for later ones."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import re
import shlex
import sysconfig
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from itertools import dropwhile
from pathlib import Path
from typing import Any

from docker import DockerClient

from labrig import clock
from labrig.ansible.reads import Reads
from labrig.ansible.scenario import Scenario
from labrig.ansible.workspace import RECORDED
from labrig.engine import ownership, sweep
from labrig.engine.client import engine_errors
from labrig.engine.images import look_up
from labrig.engine.machines import Machine
from labrig.engine.mounted_files import MountedFiles
from labrig.errors import EnvironmentFailed
from labrig.prove import archives, outside, snapshots
from labrig.prove.inputs import Change, Input, Trace, World, programs
from labrig.prove.outcome import Outcome, Start, Terms
from labrig.prove.production import Chosen, FromRef
from labrig.prove.repository import Repository
from labrig.prove.run import Run
from labrig.prove.store import Answer, Store, Stored, subject
from labrig.prove.verdict import PATHS, PathName

# The labels of a machine's image that a stored proof starts from: which store refers to it, which run made it.
STORE = snapshots.SNAPSHOT + "store"
MADE_BY = snapshots.SNAPSHOT + "made-by"
LARGEST_TEXT = 1 << 20
# Each machine of these has an image: hundreds of megabytes.
KEPT_IMAGES = 2
LARGEST_BYTES = 20 * 1000**3
# What is younger may be what another proof is about to start from.
IN_USE_FOR = timedelta(hours=1)
# What stands there comes from distributions and registries, whose versions decide.
LIBRARIES = tuple({f"{path}/" for name, path in sysconfig.get_paths().items() if name.endswith(("lib", "stdlib"))})


@dataclass(frozen=True)
class Found:
    """What the store knows of a proof that is asked for.

    Attributes:
        whole: A proof whose inputs are all what they were.
        deployed: One of which only tests have changed, with images of its machines.
        newest: The newest of the same subject.
        changes: What has changed since that.
    """

    whole: Stored | None = None
    deployed: Stored | None = None
    newest: Stored | None = None
    changes: tuple[Change, ...] = ()


class Reuse:
    """The store, as seen from one proof.

    Attributes:
        store: The store itself.
    """

    def __init__(
        self,
        client: DockerClient,
        terms: Terms,
        repository: Repository | None,
        chosen: Chosen,
        images: Mapping[str, str],
        store: Store,
    ) -> None:
        scenario = terms.scenario
        self._client = client
        self._scenario = scenario
        self.store = store
        root = repository.root if repository else scenario.project
        known = settings(client, terms, repository, chosen, images, root)
        self._world = World(root, terms.environment, known, store.key, archives.published)
        # What tests look at comes on top of all that decided the machines.
        self._tests = dataclasses.replace(self._world, settings={})
        self._subject = subject(scenario.project.name, scenario.name, *(one.name for one in scenario.platforms))

    def find(self, max_age: timedelta) -> Found:
        """Return what earlier proofs still answer, of those that are not older than ``max_age``."""
        newest: Stored | None = None
        changes: tuple[Change, ...] = ()
        deployed: Stored | None = None
        for one in self.store.proofs(self._subject):
            changed = list(self._world.changes(one.deployed))
            tests = list(self._tests.changes(one.verified))
            if newest is None:
                newest, changes = one, (*changed, *tests)
            if changed or one.answer is None or one.deployed.outside or clock.now() - one.made > max_age:
                continue
            if not tests and not one.verified.outside:
                return Found(one, deployed, newest, changes)
            if deployed is None and self._has_images(one):
                deployed = one
        return Found(None, deployed, newest, changes)

    def starts(self, stored: Stored) -> dict[PathName, Start]:
        """Return where the paths begin that only tests are to be run on."""
        return {
            path: Start(
                path,
                images=stored.images[path],
                mounted={name: MountedFiles.of_text(text) for name, text in stored.mounted[path].items()},
                prepare=False,
                machines=f"{path}-known",
            )
            for path in PATHS
        }

    def traces(self, run: Run, terms: Terms, outcomes: Mapping[PathName, Outcome]) -> tuple[Trace, Trace]:
        """Return what decided how the machines came out, and what else decided their tests."""
        deployed, verified = Trace(), Trace()
        began = terms.began
        for outcome in outcomes.values():
            looked, taken = outcome.looked, outcome.taken
            if looked is None or taken is None:
                continue
            known = _known(taken.machines)
            trace = self._world.trace(looked.deployment, own=run.folder, began=began)
            seen = {f"archive {one.name}": Input(one.published) for one in looked.archives}
            reasons = [*self._reasons(run, looked.deployment, (), ()), *outside.of_tasks(looked.tasks, known)]
            deployed |= Trace({**trace.inputs, **seen}, (*trace.outside, *reasons))
            trace = self._tests.trace(looked.tests, own=run.folder, began=began)
            containers = [machine.container for machine in taken.machines]
            verified |= dataclasses.replace(
                trace, outside=(*trace.outside, *self._reasons(run, looked.tests, known, containers))
            )
        return deployed | Trace({}, tuple(_of_platforms(terms.scenario))), verified

    def keep(
        self, run: Run, deployed: Trace, verified: Trace, answer: Answer, outcomes: Mapping[PathName, Outcome]
    ) -> None:
        """Store a proof that went well, with its machines where only its tests may change."""
        if deployed.outside:
            self.store.keep(self._subject, deployed, verified, None, {}, {}, {}, made=answer.made)
            return
        images: dict[PathName, dict[str, str]] = {}
        mounted: dict[PathName, dict[str, str]] = {}
        if all(outcome.looked and outcome.looked.untouched for outcome in outcomes.values()):
            images, mounted = self._keep_machines(run, outcomes)
        states = {path: outcome.looked.settled for path, outcome in outcomes.items() if outcome.looked}
        self.store.keep(self._subject, deployed, verified, answer, states, images, mounted, made=answer.made)
        self._forget()

    def keep_tests(self, stored: Stored, verified: Trace, answer: Answer) -> None:
        """Store a proof that went well of which only tests were run; its machines are those of the former."""
        states = {
            path: {name: stored.state(path, name) for name in machines} for path, machines in stored.images.items()
        }
        self.store.keep(
            self._subject, stored.deployed, verified, answer, states, stored.images, stored.mounted, made=stored.made
        )

    def drop(self, stored: Stored) -> None:
        """Forget a proof that turned out not to hold."""
        self.store.drop(stored)

    def _has_images(self, stored: Stored) -> bool:
        ids = [image for machines in stored.images.values() for image in machines.values()]
        return bool(ids) and all(look_up(self._client, one) for one in ids)

    def _keep_machines(
        self, run: Run, outcomes: Mapping[PathName, Outcome]
    ) -> tuple[dict[PathName, dict[str, str]], dict[PathName, dict[str, str]]]:
        labels = {
            **ownership.labels(kind="snapshot", project=run.project, expires=clock.now() + snapshots.STORED_FOR),
            STORE: self.store.name,
            MADE_BY: run.id,
            snapshots.SCENARIO: self._scenario.name,
        }

        def keep(path: PathName, machine: Machine) -> tuple[PathName, str, str, str]:
            text = machine.mounted_files().as_text()
            # In order, so that databases are whole and what is left in memory is gone.
            machine.stop()
            tag = f"{run.id}-{path}-{snapshots.tag_of(machine.name)}"
            own = {**labels, snapshots.PLATFORM: machine.name, snapshots.REF: f"{path}, deployed"}
            return path, machine.name, machine.commit(snapshots.REPOSITORY, tag, own), text

        wanted = [(path, one) for path, outcome in outcomes.items() if outcome.taken for one in outcome.taken.machines]
        images: dict[PathName, dict[str, str]] = {}
        mounted: dict[PathName, dict[str, str]] = {}
        with ThreadPoolExecutor(max_workers=len(wanted), thread_name_prefix="keep") as pool:
            for path, name, image, text in pool.map(lambda one: keep(*one), wanted):
                images.setdefault(path, {})[name] = image
                mounted.setdefault(path, {})[name] = text
        return images, mounted

    def _forget(self) -> None:
        """Remove images that no proof of this store refers to any more, or that a killed run left."""
        wanted = self.store.images(newest=KEPT_IMAGES)
        with contextlib.suppress(EnvironmentFailed), engine_errors("list snapshots"):
            filters = {"label": f"{STORE}={self.store.name}"}
            gone = [
                one["RepoTags"] or []
                for one in self._client.api.images(filters=filters)
                if one["Id"] not in wanted and not ownership.is_alive(one["Labels"].get(MADE_BY, ""))
            ]
            for name in (name for names in gone for name in names if name.startswith(snapshots.REPOSITORY)):
                sweep.remove_image(self._client, name)
            for one in snapshots.beyond(self._client, LARGEST_BYTES, older_than=IN_USE_FOR):
                sweep.remove_image(self._client, one.image)

    def _reasons(self, run: Run, reads: Reads, known: Collection[str], containers: Collection[str]) -> Iterator[str]:
        yield from outside.of_reads(
            reads, ours=lambda words: _enters(words, run, containers), own=run.folder, known=known
        )
        for path in sorted(reads.files):
            text = _text_of(path)
            if text is not None:
                place = path.removeprefix(f"{self._world.root}/")
                yield from outside.of_text(place, text)


def settings(
    client: DockerClient,
    terms: Terms,
    repository: Repository | None,
    chosen: Chosen,
    images: Mapping[str, str],
    root: Path,
) -> dict[str, str]:
    """Return all that decides a proof and is no file and no variable, by name."""
    with engine_errors("describe the engine"):
        engine: dict[str, Any] = client.info()
    production = chosen.production
    where = repository.tree(chosen.commit) if repository and isinstance(chosen, FromRef) else production.id
    found = {
        **programs(),
        "engine": f"{engine.get('ServerVersion')}, Linux {engine.get('KernelVersion')}, "
        f"{engine.get('NCPU')} processors, {int(engine.get('MemTotal', 0)) >> 20} MiB",
        "scenario": _digest(repr(terms.scenario).replace(str(root), ".")),
        "production": f"{production.kind} {where}",
        "restart": "yes" if terms.restart else "no",
        "allowed": _digest(repr(terms.allowed)) if terms.allowed else "none",
    }
    for name, image in images.items():
        found[f"image of {name}"] = str(look_up(client, image))
    return found


def beyond_tree(trace: Trace) -> Trace:
    """Return what decided a snapshot besides its commit's own files, which the commit stands for.

    That production's deployment reached outside is no reason to doubt a proof: what is in production was deployed once,
    and its snapshot stands for that.
    """
    mine = {
        name: one
        for name, one in trace.inputs.items()
        if not name.startswith(("file ", "folder ")) or name.partition(" ")[2].startswith("/")
    }
    return Trace(mine)


def _known(machines: Collection[Machine]) -> set[str]:
    found = {"/var/run/docker.sock", "/run/docker.sock"}
    for machine in machines:
        found.update((*machine.addresses(), machine.name, machine.spec.hostname))
    return found


def _enters(words: str, run: Run, containers: Collection[str]) -> bool:
    """Tell whether a program only enters a machine of this proof, or is recorded by itself."""
    split = shlex.split(words)
    if split[:2] == ["/bin/sh", "-c"]:
        split = _of_shell(split[2]) if len(split) == 3 else []
    split = list(dropwhile(re.compile(r"\w+=").match, split))
    if split[:2] == ["docker", "exec"]:
        return any(container in split for container in containers)
    return bool(split) and (split[0] in RECORDED or split[0].startswith(f"{run.folder}/"))


def _of_shell(command: str) -> list[str]:
    """Return the words of a shell's command; none where it is more than one command."""
    try:
        if any(set(one) <= set("();<>|&") for one in shlex.shlex(command, posix=True, punctuation_chars=True)):
            return []
        return shlex.split(command)
    except ValueError:
        return []


def _of_platforms(scenario: Scenario) -> Iterator[str]:
    """Yield which machines can see something of this one that no input shows."""
    for one in scenario.platforms:
        for volume in one.options.get("volumes") or ():
            source = str(volume).partition(":")[0]
            if source.startswith(("/", ".", "~")) and not source.startswith("/sys/fs/cgroup"):
                yield f"platform {one.name} sees {source} of this machine"
        if str(one.options.get("network_mode") or "").startswith(("host", "container")):
            yield f"platform {one.name} has the network of another machine"


def _text_of(path: str) -> str | None:
    """Return the text of a file that people of the project have written; None for a library's or a large one."""
    if path.startswith(LIBRARIES):
        return None
    package = Path(__file__).resolve().parents[1]
    if path.startswith((str(package), str(package.parents[1] / "collections" / "ansible_collections" / "labrig"))):
        return None
    with contextlib.suppress(OSError, UnicodeDecodeError):
        file = Path(path)
        if file.is_file() and file.stat().st_size <= LARGEST_TEXT:
            return file.read_text(encoding="utf-8")
    return None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]
