"""Which proofs several projects ask for: every scenario that is found, on each of the images that it is to run on."""

from __future__ import annotations

import dataclasses
import fnmatch
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from labrig.ansible import scenario as scenarios
from labrig.ansible.scenario import SCENARIO_FOLDERS, Scenario
from labrig.errors import UsageError
from labrig.prove import platforms, proof
from labrig.prove.proof import Options
from labrig.prove.repository import Repository
from labrig.prove.verdict import PATHS

SCENARIO_FILE = "molecule.yml"
# One on each path, and one in production's state, which is made before them and looked at where something differs.
MACHINES_OF_A_PLATFORM = len(PATHS) + 1

Matrix = Mapping[str, Sequence[str]]
"""For an image that scenarios name, or a pattern of images: those to use instead, each in a proof of its own."""


@dataclass(frozen=True)
class Planned:
    """One proof among several.

    Attributes:
        name: What it is called among them, such as ``roles/web/default``; no two are called the same.
        options: What is proven, against what.
        machines: How many machines it may have at once.
        error: Why it cannot be made; that stops none of the others.
    """

    name: str
    options: Options
    machines: int = 0
    error: UsageError | None = None


def plan(
    asked: Options,
    folders: Iterable[Path],
    environment: Mapping[str, str],
    *,
    images: Matrix,
    exclude: Sequence[str] = (),
) -> tuple[Planned, ...]:
    """Return a proof for each scenario of the projects in these folders and below, on each of its images.

    Args:
        asked: What all of them have in common. Its scenario is a pattern, and without one all are taken; its project
            and images are not read.
        folders: Where the projects are.
        environment: Variables that a molecule.yml may refer to.
        images: What the command line says; an entry replaces one of the same pattern in a project's ``matrix``.
        exclude: Patterns of the names of scenarios, or of proofs without their image, that are left out.

    Raises:
        UsageError: A folder is none, or there is nothing to prove.
    """
    given = list(folders)
    projects = list(dict.fromkeys(project for folder in given for project in find(folder)))
    where = ", ".join(map(str, given))
    if not projects:
        raise UsageError(
            f"no Molecule scenario in {where} or below: expected molecule/<name>/{SCENARIO_FILE}",
            hint="name the projects with --project DIR; what git ignores is not looked at",
        )
    called = names(projects, Path.cwd())
    found: list[Planned] = []
    for project in projects:
        for scenario in scenarios.find(project):
            name = f"{called[project]}/{scenario}"
            excluded = any(fnmatch.fnmatchcase(one, pattern) for one in (name, scenario) for pattern in exclude)
            if fnmatch.fnmatchcase(scenario, asked.scenario or "*") and not excluded:
                one = dataclasses.replace(asked, project=project, scenario=scenario)
                found += _of_scenario(name, one, environment, images)
    if not found:
        raise UsageError(f"no scenario in {where} is left to prove", hint="look at --scenario and --exclude")
    return tuple(found)


def find(folder: Path) -> list[Path]:
    """Return the projects in a folder and below it, absolute, in order: those that have a Molecule scenario.

    What git ignores, such as installed roles, is none of the projects; outside of git, what is in hidden folders.

    Raises:
        UsageError: It is no folder.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder", hint="name a project's folder with --project DIR")
    root = folder.resolve()
    repository = Repository.of(root)
    files = repository.files(SCENARIO_FILE) if repository else _walk(root)
    return sorted({project for file in files if (project := project_of(file)) and project.is_relative_to(root)})


def project_of(file: Path) -> Path | None:
    """Return the project that a molecule.yml belongs to; None where it is no scenario's.

    >>> project_of(Path("/src/roles/web/molecule/default/molecule.yml"))
    PosixPath('/src/roles/web')
    """
    folder = file.parent.parent
    for name in sorted(SCENARIO_FOLDERS, key=len, reverse=True):
        parts = Path(name).parts
        if folder.parts[-len(parts) :] == parts:
            return Path(*folder.parts[: -len(parts)])
    return None


def names(projects: Sequence[Path], base: Path) -> dict[Path, str]:
    """Return what each project is called: its path below ``base``, else its folder's name where no other has it."""
    short = {
        project: str(project.relative_to(base)) if base in project.parents else project.name for project in projects
    }
    taken = list(short.values())
    return {project: name if taken.count(name) == 1 else str(project) for project, name in short.items()}


def choices(scenario: Scenario, matrix: Matrix, fixed: Mapping[str, str]) -> dict[tuple[str, ...], dict[str, str]]:
    """Return the substitutions to prove a scenario with, by the images that its machines then have.

    A pattern that matches none of its images makes no further proof of it.

    Args:
        scenario: The scenario.
        matrix: The images to choose from.
        fixed: Substitutions that hold in all of them; a proof reads them first, but for those of the same pattern.
    """
    found: dict[tuple[str, ...], dict[str, str]] = {}
    for chosen in itertools.product(*matrix.values()):
        substitutions = dict(zip(matrix, chosen, strict=True))
        used = (platforms.image_for(one.image, {**fixed, **substitutions}) for one in scenario.platforms)
        found.setdefault(tuple(dict.fromkeys(used)), substitutions)
    return found


def _of_scenario(name: str, asked: Options, environment: Mapping[str, str], images: Matrix) -> Iterator[Planned]:
    try:
        scenario, settings = proof.load(asked, environment)
    except UsageError as error:
        yield Planned(name, asked, error=error)
        return
    found = choices(scenario, {**settings.matrix, **images}, settings.images)
    for used, substitutions in found.items():
        yield Planned(
            f"{name} on {', '.join(used)}" if len(found) > 1 else name,
            dataclasses.replace(asked, images=substitutions),
            MACHINES_OF_A_PLATFORM * len(scenario.platforms),
        )


def _walk(root: Path) -> Iterator[Path]:
    for folder, below, files in os.walk(root):
        below[:] = sorted(name for name in below if not name.startswith("."))
        if SCENARIO_FILE in files:
            yield Path(folder) / SCENARIO_FILE
