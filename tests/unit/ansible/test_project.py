"""What a project is, and the scenario that it gets."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from labrig.ansible import scaffold
from labrig.ansible.project import recognise
from labrig.errors import UsageError

PLAY = "- {hosts: 'web:db:!old', roles: [x]}\n"


def tree(folder: Path, **files: str) -> Path:
    for name, content in files.items():
        path = folder / (name.replace("__", "/") + ".yml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


def scenario(folder: Path, name: str | None = None) -> dict[str, str]:
    project = recognise(folder)
    return {
        str(path): text
        for one, deployment in scaffold.scenarios(project, name).items()
        for path, text in scaffold.files(project, one, deployment, "image:1").items()
    }


def test_role_is_deployed_under_the_name_that_molecule_installs_it_by(tmp_path):
    written = scenario(tree(tmp_path, tasks__main="[]", meta__main="galaxy_info: {namespace: acme, role_name: motd}"))

    assert yaml.safe_load(written["molecule/default/converge.yml"])[0]["roles"] == [{"role": "acme.motd"}]
    content = yaml.safe_load(written["molecule/default/molecule.yml"])
    assert content["driver"] == content["verifier"] == {"name": "labrig"}
    assert content["platforms"] == [{"name": "server", "image": "image:1"}]


def test_role_without_a_namespace_is_no_reason_to_refuse_it(tmp_path):
    written = scenario(tree(tmp_path / "ansible-role-motd", tasks__main="[]"))

    assert yaml.safe_load(written["molecule/default/converge.yml"])[0]["roles"] == [{"role": "motd"}]
    assert yaml.safe_load(written["molecule/default/molecule.yml"])["role_name_check"] == 1


def test_collection_gets_a_scenario_for_each_role(tmp_path):
    folder = tree(
        tmp_path, galaxy="{namespace: acme, name: tools}", roles__one__tasks__main="[]", roles__two__tasks__main="[]"
    )

    assert {path.split("/")[2] for path in scenario(folder)} == {"one", "two"}
    assert "role: acme.tools.two" in scenario(folder, "two")["extensions/molecule/two/converge.yml"]


def test_playbook_gets_a_machine_in_all_its_groups_and_the_project_s_variables(tmp_path):
    folder = tree(
        tmp_path, site="- import_playbook: web.yml\n", web=PLAY, group_vars__web="{}", roles__x__tasks__main="[]"
    )
    written = scenario(folder)
    content = yaml.safe_load(written["molecule/default/molecule.yml"])

    assert "../../site.yml" in written["molecule/default/converge.yml"]
    assert content["platforms"][0]["groups"] == ["web", "db"]
    assert content["provisioner"]["inventory"]["links"] == {"group_vars": "../../group_vars"}
    assert content["provisioner"]["env"] == {"ANSIBLE_ROLES_PATH": "${MOLECULE_PROJECT_DIRECTORY}/roles"}


def test_playbooks_of_which_none_is_the_main_one_get_a_scenario_each(tmp_path):
    assert {path.split("/")[1] for path in scenario(tree(tmp_path, web=PLAY, db=PLAY, vars="a: 1"))} == {"web", "db"}


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"README": "a: 1"}, "neither a role .* nor a collection .*, and has no playbook"),
        ({"galaxy": "{namespace: acme, name: tools}"}, "collection acme.tools without a role"),
        ({"galaxy": "{name: tools}"}, "expected a namespace and a name"),
    ],
)
def test_project_in_which_nothing_is_to_be_deployed_is_told(tmp_path, files, said):
    with pytest.raises(UsageError, match=said):
        recognise(tree(tmp_path, **files))
