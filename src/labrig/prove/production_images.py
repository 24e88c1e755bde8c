"""Building, pushing and pruning the images that hold production's state, for people and for after a merge."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from docker import DockerClient

from labrig import clock
from labrig.engine import ownership, sweep
from labrig.engine.client import engine_errors
from labrig.engine.images import look_up
from labrig.errors import EnvironmentFailed, UsageError
from labrig.prove import platforms, production, proof, snapshots
from labrig.prove.production import FromRef
from labrig.prove.proof import Options
from labrig.prove.repository import Repository
from labrig.prove.run import Run, Say
from labrig.prove.store import Store
from labrig.prove.verdict import Production

REPOSITORY = "labrig/production"
# What an engine says of a layer before it is pushed.
PASSING = ("Preparing", "Waiting", "Pushing")


@dataclass(frozen=True)
class Made:
    """An image that holds production's state, and where it came from."""

    name: str
    what: str


def build(
    options: Options, ref: str | None, tag: str | None, environment: Mapping[str, str], *, if_missing: bool, say: Say
) -> list[Made]:
    """Deploy a ref and give the snapshot of each machine its name.

    Raises:
        UsageError: The ref is unknown, or the project has no history.
        EnvironmentFailed: The ref does not deploy on a blank machine.
    """
    scenario, settings = proof.load(options, environment)
    names = {
        platform.name: tag or platform.production_image or _default_name(scenario.project.name, platform.name)
        for platform in scenario.platforms
    }
    if tag and len(names) > 1:
        raise UsageError(
            f"--tag {tag}: the scenario has {len(names)} machines, and each needs a name of its own",
            hint="give each platform its `production_image:` in molecule.yml",
        )
    repository = Repository.of(scenario.project)
    if repository is None:
        raise UsageError(f"{scenario.project} is not in a git repository: there is no ref to deploy")
    with Run(scenario.project.name) as run:
        if if_missing and all(look_up(run.client, name) for name in names.values()):
            return [Made(name, "is there") for name in names.values()]
        chosen = _choose(repository, ref, settings.main)
        substitutions = {**settings.images, **options.images}
        source = production.source(
            chosen,
            scenario,
            repository,
            run.folder / "production-tree",
            environment,
            lambda image: platforms.image_for(image, substitutions),
        )
        timeout = options.timeout or settings.timeout.total_seconds()
        found, _ = snapshots.build(run, source, scenario.project, environment, timeout=timeout, say=say, store=Store())
        for name, snapshot in found.items():
            repository_name, _, version = (
                names[name].rpartition(":") if ":" in names[name].rsplit("/", 1)[-1] else (names[name], "", "latest")
            )
            with engine_errors(f"tag {names[name]}"):
                run.client.images.get(snapshot.id).tag(repository_name, version)
        return [Made(names[name], f"{chosen.ref} ({chosen.commit[:12]})") for name in found]


def push(client: DockerClient, image: str, target: str, say: Callable[[str], None]) -> None:
    """Push a snapshot under another name; the name is removed from this engine again.

    Raises:
        UsageError: There is no such snapshot.
        EnvironmentFailed: The registry refuses.
    """
    if look_up(client, image) is None:
        raise UsageError(f"image {image} is not on this engine", hint="`labrig snapshot list` shows what is")
    name, _, version = target.rpartition(":") if ":" in target.rsplit("/", 1)[-1] else (target, "", "latest")
    with engine_errors(f"push {target}"):
        client.images.get(image).tag(name, version)
        try:
            for line in client.api.push(name, tag=version, stream=True, decode=True):
                if "error" in line:
                    raise EnvironmentFailed(
                        f"{target} could not be pushed: {line['error']}", hint="docker login, or another name"
                    )
                # How far each layer has come is told a hundred times; what came of it, once.
                if line.get("status") and not line.get("progressDetail") and line["status"] not in PASSING:
                    say(": ".join(str(line[key]) for key in ("id", "status") if key in line))
        finally:
            client.api.remove_image(f"{name}:{version}", noprune=True)


def prune(client: DockerClient, age: timedelta, *, limit: int | None, dry_run: bool) -> list[str]:
    """Remove this seat's snapshots that were made longer ago than ``age``, or are too much; return their names.

    ``limit`` is how many bytes of their own the others may have together.
    """
    much = set() if limit is None else {one.image for one in snapshots.beyond(client, limit)}
    old = [
        thing
        for thing in sweep.find(client)
        if thing.ownership.kind == "snapshot"
        and thing.ownership.seat == ownership.here()
        and (_older(thing.ownership.created, age) or thing.name in much)
    ]
    return [thing.name for thing in (old if dry_run else sweep.remove(client, old))]


def _older(created: str, age: timedelta) -> bool:
    try:
        return clock.now() - datetime.fromisoformat(created) > age
    except (ValueError, TypeError):
        return False


def _choose(repository: Repository, ref: str | None, main: str | None) -> FromRef:
    if ref is None:
        name, commit = repository.released(main)
        return FromRef(Production("ref", name, commit), name, commit)
    found = repository.commit(ref)
    if found is None:
        near = repository.like(ref)
        raise UsageError(
            f"{ref!r} is no git ref of {repository.root}", hint=f"did you mean {' or '.join(near)}?" if near else ""
        )
    return FromRef(Production("ref", ref, found), ref, found)


def _default_name(project: str, platform: str) -> str:
    return f"{REPOSITORY}/{project.lower()}-{platform.lower()}:latest"
