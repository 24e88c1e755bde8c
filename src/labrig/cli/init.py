"""``labrig init``: give a project its first scenario."""

from __future__ import annotations

from pathlib import Path

import click

from labrig.ansible import scaffold
from labrig.ansible import scenario as molecule
from labrig.ansible.project import Project, recognise
from labrig.cli.console import words
from labrig.cli.options import project_option
from labrig.errors import EnvironmentFailed, UsageError
from labrig.prove.repository import Repository

KINDS = {"role": "role", "collection": "collection", "playbooks": "playbook project"}
DEFAULT_IMAGE = "labrig/debian-12:latest"


@click.command()
@project_option
@click.option(
    "--scenario",
    metavar="NAME",
    help="Add one scenario of this name [default: `default`, or one for each role of a collection].",
)
@click.option("--image", metavar="IMAGE", default=DEFAULT_IMAGE, show_default=True, help="What machines start from.")
def init(*, project: Path, scenario: str | None, image: str) -> None:
    """Add a Molecule scenario to a role, a collection or a project of playbooks.

    What the project is, it finds out itself. A file that is there already stays as it is.
    """
    found = recognise(project)
    if scenario is not None and (not scenario or Path(scenario).name != scenario or scenario.startswith(".")):
        raise UsageError(f"--scenario {scenario!r}: expected the name of a folder")
    words.print(f"{found.folder} is {_described(found)}", markup=False)
    chosen = scaffold.scenarios(found, scenario)
    written = 0
    for name, deployment in chosen.items():
        for path, text in scaffold.files(found, name, deployment, image).items():
            written += _write(found.folder, path, text)
    _say_what_next(found, list(chosen), written)


def _described(project: Project) -> str:
    deployed = [one.role or str(one.playbook) for one in project.deployments]
    kind = f"{KINDS[project.kind]} {project.name}"
    return kind if project.kind == "role" else f"{kind}, which deploys {', '.join(deployed)}"


def _write(folder: Path, path: Path, text: str) -> bool:
    """Write a file that is not there; tell, and return whether it was written."""
    target = folder / path
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # Not even one that appears at this very moment is overwritten.
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        words.print(f"  left as it is  {path}", markup=False)
        return False
    except OSError as error:
        raise EnvironmentFailed(f"{target} cannot be written: {error.strerror}") from error
    words.print(f"  written        {path}", markup=False)
    return True


def _say_what_next(project: Project, scenarios: list[str], written: int) -> None:
    if not written:
        words.print("nothing to write: all of it is there", markup=False)
    first = scenarios[0]
    option = f" --scenario {first}" if len(molecule.find(project.folder)) > 1 else ""
    word = f" -s {first}" if first != "default" else ""
    steps = {
        f"labrig prove{option}": "deploys it on a blank machine and on one in the state of what is live",
        f"molecule test{word}": "runs the same scenario with Molecule, from labrig[molecule]",
        f"{scaffold.folder(project, first) / 'tests'}": "is where to say what has to hold on the machine",
    }
    if Repository.of(project.folder) is None:
        steps = {"git init, and a commit": "is what a proof takes as live", **steps}
    words.print("next:", markup=False)
    width = max(map(len, steps))
    for step, why in steps.items():
        words.print(f"  {step:<{width}}  {why}", markup=False)
