from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from labrig.ansible import scenario as scenarios
from labrig.errors import UsageError
from labrig.prove.plan import Planned, choices, find, names, plan
from labrig.prove.proof import Options

DEBIAN_12, DEBIAN_13 = "labrig/debian-12", "labrig/debian-13"


def role(folder: Path, *scenario: str, images: tuple[str, ...] = ("acme/debian:1",), at: str = "molecule") -> Path:
    """Make a role with scenarios of one machine for each image."""
    for name in scenario or ("default",):
        directory = folder / at / name
        directory.mkdir(parents=True)
        platforms = [{"name": f"m{number}", "image": image} for number, image in enumerate(images)]
        (directory / "molecule.yml").write_text(json.dumps({"platforms": platforms}))
        (directory / "converge.yml").write_text("- {hosts: all, tasks: []}\n")
    return folder


def made(
    folder: Path,
    *more: Path,
    images: dict[str, list[str]] | None = None,
    scenario: str | None = None,
    exclude: tuple[str, ...] = (),
) -> tuple[Planned, ...]:
    return plan(Options(Path(), scenario), [folder, *more], {}, images=images or {}, exclude=exclude)


def test_every_scenario_of_the_project_and_of_those_below_it_is_found(tmp_path: Path) -> None:
    role(tmp_path, at="extensions/molecule")
    role(tmp_path / "roles/web", "default", "tls")
    role(tmp_path / "roles/db")
    (tmp_path / "roles/web/molecule/shared").mkdir()

    found = [(one.options.project.relative_to(tmp_path), one.options.scenario) for one in made(tmp_path)]

    assert found == [
        (Path(), "default"),
        (Path("roles/db"), "default"),
        (Path("roles/web"), "default"),
        (Path("roles/web"), "tls"),
    ]


def test_what_git_ignores_is_no_project_but_what_is_not_added_yet_is(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    role(tmp_path / "roles/own")
    role(tmp_path / "roles/installed.role")
    (tmp_path / ".gitignore").write_text("/roles/*.*/\n")
    assert find(tmp_path) == [tmp_path / "roles/own"]
    assert find(tmp_path / "roles/own") == [tmp_path / "roles/own"]


def test_outside_of_git_hidden_folders_are_left_out(tmp_path: Path) -> None:
    role(tmp_path / ".ansible/roles/installed")
    role(tmp_path / "web")
    assert find(tmp_path) == [tmp_path / "web"]


def test_a_molecule_yml_elsewhere_is_no_scenario(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "molecule.yml").write_text("{}")
    with pytest.raises(UsageError, match="no Molecule scenario in"):
        made(tmp_path)


def test_a_folder_that_is_none_is_a_wrong_call(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a folder"):
        made(role(tmp_path / "web"), tmp_path / "wbe")


def test_projects_given_twice_are_proven_once(tmp_path: Path) -> None:
    web = role(tmp_path / "roles/web")
    assert len(made(tmp_path, web)) == 1


def test_a_broken_scenario_is_an_error_of_that_one(tmp_path: Path) -> None:
    role(tmp_path / "right")
    (role(tmp_path / "yaml") / "molecule/default/molecule.yml").write_text("platforms: [\n")
    (role(tmp_path / "play") / "molecule/default/converge.yml").unlink()
    (role(tmp_path / "settings") / "labrig.yml").write_text("productoin: main\n")

    errors = {one.options.project.name: one.error for one in made(tmp_path)}

    assert errors.pop("right") is None
    assert {name: error.message.split(": ", 1)[1][:20] for name, error in errors.items() if error} == {
        "play": "the converge playboo",
        "settings": "unknown key 'product",
        "yaml": "not YAML: expected t",
    }


def test_scenarios_are_chosen_and_left_out_by_patterns(tmp_path: Path) -> None:
    role(tmp_path / "web", "default", "tls", "aws")
    role(tmp_path / "db", "default")

    def chosen(**how: object) -> list[str]:
        return [f"{one.options.project.name}/{one.options.scenario}" for one in made(tmp_path, **how)]  # type: ignore[arg-type]

    assert chosen(scenario="default") == ["db/default", "web/default"]
    assert chosen(exclude=("aws", "db/*")) == ["web/default", "web/tls"]
    with pytest.raises(UsageError, match="left to prove"):
        chosen(exclude=("*",))


def test_a_matrix_proves_each_scenario_on_each_image_that_it_concerns(tmp_path: Path) -> None:
    role(tmp_path / "web")
    role(tmp_path / "db", images=("acme/other:1",))

    found = made(tmp_path, images={"acme/debian*": [DEBIAN_12, DEBIAN_13]})

    assert [(one.name, one.options.images) for one in found] == [
        ("db/default", {"acme/debian*": DEBIAN_12}),
        (f"web/default on {DEBIAN_12}", {"acme/debian*": DEBIAN_12}),
        (f"web/default on {DEBIAN_13}", {"acme/debian*": DEBIAN_13}),
    ]


def test_the_matrix_of_labrig_yml_yields_to_the_command_line(tmp_path: Path) -> None:
    (role(tmp_path / "web") / "labrig.yml").write_text(f"matrix: {{acme/debian*: [{DEBIAN_12}, {DEBIAN_13}]}}\n")
    assert [one.name for one in made(tmp_path)] == [f"web/default on {DEBIAN_12}", f"web/default on {DEBIAN_13}"]
    (one,) = made(tmp_path, images={"acme/debian*": [DEBIAN_13]})
    assert (one.name, one.options.images) == ("web/default", {"acme/debian*": DEBIAN_13})


def test_two_lists_are_combined_and_machines_are_counted(tmp_path: Path) -> None:
    folder = role(tmp_path / "web", images=("acme/front", "acme/back"))
    found = made(folder, images={"acme/front": ["a", "b"], "acme/back": ["c", "d"]})
    assert [one.name.partition(" on ")[2] for one in found] == ["a, c", "a, d", "b, c", "b, d"]
    assert {one.machines for one in found} == {6}


def test_an_image_that_labrig_yml_fixes_first_is_no_choice(tmp_path: Path) -> None:
    folder = role(tmp_path / "web")
    scenario = scenarios.load(folder, folder / "molecule/default/molecule.yml", {})
    assert list(choices(scenario, {"acme/*": ["a", "b"]}, {"acme/debian*": "fixed"})) == [("fixed",)]


def test_projects_of_one_name_are_told_apart() -> None:
    base = Path("/src/mono")
    found = names([base, base / "roles/web", Path("/other/web"), Path("/more/web")], base)
    assert list(found.values()) == ["mono", "roles/web", "/other/web", "/more/web"]
