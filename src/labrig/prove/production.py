"""Where production's state comes from, first found: the call, labrig.yml, the platforms' images, the history."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from docker import DockerClient

from labrig.ansible import scenario as scenarios
from labrig.ansible.scenario import Scenario
from labrig.engine.images import look_up
from labrig.engine.machines import require_image
from labrig.errors import UsageError
from labrig.prove import snapshots
from labrig.prove.repository import Repository
from labrig.prove.snapshots import Snapshot, Source
from labrig.prove.verdict import Production


@dataclass(frozen=True)
class FromImages:
    """Production's state is in images, one for each platform."""

    production: Production
    snapshots: Mapping[str, Snapshot]


@dataclass(frozen=True)
class FromRef:
    """Production's state is what a commit deploys."""

    production: Production
    ref: str
    commit: str


Chosen = FromImages | FromRef


def choose(
    client: DockerClient,
    scenario: Scenario,
    repository: Repository | None,
    *,
    asked: str | None,
    configured: str | None,
    main: str | None,
) -> Chosen:
    """Return production's state.

    Args:
        client: The engine, which knows images.
        scenario: HEAD's scenario.
        repository: The history; None for a project that has none.
        asked: What ``--production`` says.
        configured: What ``production:`` in labrig.yml says.
        main: The branch that production is deployed from, if the project names one.

    Raises:
        UsageError: What is named is neither a ref nor an image, or there is nothing to go by.
        EnvironmentFailed: An image that is named is not to be had.
    """
    for name, source in ((asked, "--production"), (configured, "`production:` in labrig.yml")):
        if name:
            return _named(client, scenario, repository, name, source)
    from_platforms = _platforms_images(client, scenario)
    if from_platforms is not None:
        return from_platforms
    if repository is None:
        raise UsageError(
            f"{scenario.project} is not in a git repository, so nothing tells what is in production",
            hint="name production's state with --production IMAGE, or `production:` in labrig.yml",
        )
    ref, commit = repository.released(main)
    return FromRef(Production("ref", ref, commit), ref, commit)


def _named(client: DockerClient, scenario: Scenario, repository: Repository | None, name: str, source: str) -> Chosen:
    commit = repository.commit(name) if repository else None
    if commit is not None:
        return FromRef(Production("ref", name, commit), name, commit)
    if look_up(client, name) is None and not _looks_like_image(name):
        near = repository.like(name) if repository else []
        hint = f"did you mean {' or '.join(near)}?" if near else "name a branch, a tag, a commit or an image"
        raise UsageError(
            f"{source}: {name!r} is neither a git ref of the project nor an image on this engine", hint=hint
        )
    identifier = require_image(client, name)
    if len(scenario.platforms) > 1:
        names = ", ".join(platform.name for platform in scenario.platforms)
        raise UsageError(
            f"{source}: one image cannot be the production state of {len(scenario.platforms)} machines ({names})",
            hint="name a git ref, or give each platform its `production_image:` in molecule.yml",
        )
    platform = scenario.platforms[0].name
    snapshot = snapshots.of_image(client, name, platform)
    assert snapshot is not None  # noqa: S101  # it was found a moment ago
    return FromImages(Production("image", name, identifier), {platform: snapshot})


def _platforms_images(client: DockerClient, scenario: Scenario) -> FromImages | None:
    found: dict[str, Snapshot] = {}
    for platform in scenario.platforms:
        if platform.production_image is None:
            return None
        if _is_in_registry(platform.production_image):
            require_image(client, platform.production_image)
        snapshot = snapshots.of_image(client, platform.production_image, platform.name)
        if snapshot is None:
            return None
        found[platform.name] = snapshot
    names = ", ".join(snapshot.image for snapshot in found.values())
    ids = ", ".join(snapshot.id for snapshot in found.values())
    return FromImages(Production("image", names, ids), found)


def source(
    chosen: FromRef,
    scenario: Scenario,
    repository: Repository,
    folder: Path,
    environment: Mapping[str, str],
    image_of: Callable[[str], str],
) -> Source:
    """Return what to deploy for a commit: its own files and scenario, on the base images that HEAD starts from.

    A commit from before the scenario existed is deployed with HEAD's scenario.
    """
    project = repository.export(chosen.commit, folder)
    tree = folder / repository.root.name
    images = {platform.name: image_of(platform.image) for platform in scenario.platforms}
    if scenario.file is None:
        playbook = project / scenario.playbooks["converge"].relative_to(scenario.project)
        if not playbook.is_file():
            raise UsageError(f"{playbook.relative_to(project)} does not exist in {chosen.ref} ({chosen.commit[:12]})")
        former = scenarios.of_playbook(project, playbook, scenario.platforms[0].image)
        return Source(chosen.ref, chosen.commit, former, images, tree)
    file = project / scenario.file.resolve().relative_to(scenario.project)
    if not file.is_file():
        _copy_scenario(scenario, project)
    former = scenarios.load(project, file, environment)
    # Production's machines are compared with HEAD's, so they are HEAD's machines.
    return Source(chosen.ref, chosen.commit, dataclasses.replace(former, platforms=scenario.platforms), images, tree)


def _copy_scenario(scenario: Scenario, project: Path) -> None:
    target = project / scenario.directory.relative_to(scenario.project)
    shutil.copytree(scenario.directory, target, symlinks=True, dirs_exist_ok=True)


def _looks_like_image(name: str) -> bool:
    return ":" in name or "@" in name or _is_in_registry(name)


def _is_in_registry(name: str) -> bool:
    first, slash, _ = name.partition("/")
    return bool(slash) and ("." in first or ":" in first or first == "localhost")
