from __future__ import annotations

from pathlib import Path

import pytest

from labrig.ansible import scenario
from labrig.errors import UsageError

MINIMAL = "platforms: [{name: web, image: debian}]\n"


def project(root: Path, text: str = MINIMAL, name: str = "default", folder: str = "molecule") -> Path:
    directory = root / folder / name
    directory.mkdir(parents=True)
    (directory / "molecule.yml").write_text(text)
    (directory / "converge.yml").write_text("[]")
    return directory / "molecule.yml"


def test_the_only_scenario_is_chosen_unnamed(tmp_path: Path) -> None:
    file = project(tmp_path, name="install")
    assert scenario.choose(tmp_path, None) == file


def test_scenarios_of_collections_are_found(tmp_path: Path) -> None:
    file = project(tmp_path, folder="extensions/molecule")
    assert scenario.choose(tmp_path, "default") == file


@pytest.mark.parametrize(
    ("name", "said"), [(None, "2 scenarios and none is named: default, upgrade"), ("x", "no scenario 'x'")]
)
def test_a_choice_that_is_unclear_is_an_error_that_lists_what_there_is(
    tmp_path: Path, name: str | None, said: str
) -> None:
    project(tmp_path)
    project(tmp_path, name="upgrade")
    with pytest.raises(UsageError, match=said):
        scenario.choose(tmp_path, name)


def test_no_scenario_is_an_error_that_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"expected molecule/<name>/molecule\.yml") as caught:
        scenario.choose(tmp_path, None)
    assert "--playbook" in caught.value.hint


def test_variables_have_defaults_and_molecules_own_values(tmp_path: Path) -> None:
    file = project(
        tmp_path,
        "platforms: [{name: '${N:-web}', image: 'docker-${DISTRO:-debian12}'}]\n"
        "provisioner: {env: {ROOT: '${MOLECULE_PROJECT_DIRECTORY}'}}\n",
    )
    found = scenario.load(tmp_path, file, {"DISTRO": "debian13"})
    assert (found.platforms[0].name, found.platforms[0].image) == ("web", "docker-debian13")
    assert found.env["ROOT"] == str(tmp_path)


def test_both_styles_of_configuration_are_read_and_the_newer_one_counts(tmp_path: Path) -> None:
    file = project(
        tmp_path,
        MINIMAL
        + """
provisioner: {env: {A: old, B: old}, config_options: {defaults: {timeout: 5}}}
ansible: {env: {A: new}, cfg: {defaults: {forks: 2}}, executor: {args: {ansible_playbook: [--diff]}}}
""",
    )
    found = scenario.load(tmp_path, file, {})
    assert found.env == {"A": "new", "B": "old"}
    assert found.settings == {"defaults": {"timeout": 5, "forks": 2}}
    assert found.arguments == ("--diff",)


def test_the_playbook_may_bear_its_former_name(tmp_path: Path) -> None:
    file = project(tmp_path)
    (file.parent / "converge.yml").rename(file.parent / "playbook.yml")
    assert scenario.load(tmp_path, file, {}).playbooks["converge"].name == "playbook.yml"


def test_fresh_and_production_are_one_machine_and_its_production_image(tmp_path: Path) -> None:
    file = project(tmp_path, "platforms: [{name: fresh, image: base, hostname: edge}, {name: production, image: snap}]")
    platforms = scenario.load(tmp_path, file, {}).platforms
    assert [(one.hostname, one.image, one.production_image) for one in platforms] == [("edge", "base", "snap")]


def test_snapshot_of_the_production_machine_is_its_production_image(tmp_path: Path) -> None:
    file = project(tmp_path, "platforms: [{name: fresh, image: base}, {name: production, image: base, snapshot: snap}]")
    platforms = scenario.load(tmp_path, file, {}).platforms
    assert [(one.image, one.production_image) for one in platforms] == [("base", "snap")]


def test_a_project_wide_configuration_is_the_base_of_all_scenarios(tmp_path: Path) -> None:
    base = tmp_path / ".config" / "molecule" / "config.yml"
    base.parent.mkdir(parents=True)
    base.write_text("provisioner: {env: {SHARED: yes-it-is}}")
    assert scenario.load(tmp_path, project(tmp_path), {}).env == {"SHARED": "yes-it-is"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("platforms: [\n  {name: a\n", r"molecule.yml:\d+:\d+: not YAML"),
        ("- a list", "expected a mapping, found list"),
        ("platforms: {}\nprovisioner: {}", "platforms: expected"),
        ("platforms: []", "expected at least one machine"),
        ("platforms: [{name: a}]", r"platforms\[0\] \(a\): expected a image"),
        ("platforms: [{name: a, image: x}, {name: a, image: x}]", "two machines are called 'a'"),
        (MINIMAL + "provisioner: nonsense", "provisioner: expected a mapping, found str"),
        (MINIMAL + "provisioner: {playbooks: {prepare: no.yml}}", "the prepare playbook .*no.yml does not exist"),
    ],
)
def test_a_file_that_cannot_be_used_is_an_error_that_says_where(tmp_path: Path, text: str, said: str) -> None:
    file = project(tmp_path, text)
    with pytest.raises(UsageError, match=said):
        scenario.load(tmp_path, file, {})
