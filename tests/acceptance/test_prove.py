"""`labrig prove` on projects as people have them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

from conftest import CONVERGE, IMAGE, TASKS, TEST, Done, Project, environment, molecule

Labrig = Callable[..., Done]

FAST = ("--no-restart",)
# A playbook that writes one file.
COPY = "- {hosts: all, gather_facts: false, tasks: [{ansible.builtin.copy: {dest: PATH, content: x, mode: '0644'}}]}\n"


def test_a_right_change_on_main_is_proven_against_its_first_parent(
    labrig: Labrig, project: Project, tmp_path: Path
) -> None:
    released = project.git("rev-parse", "HEAD").strip()
    project.commit(
        tasks__main_yml=TASKS.replace("welcome", "welcome back"), molecule__default__tests__test_motd_py=TEST
    )
    report, junit = tmp_path / "report", tmp_path / "junit.xml"
    done = labrig("prove", "--profile", "--report", str(report), "--junit", str(junit), cwd=project.folder)
    assert done.code == 0, done.err
    assert done.verdict is not None
    assert done.verdict["production"] == {"kind": "ref", "name": "first parent on main", "id": released}
    assert {check["result"] for check in done.verdict["checks"]} == {"pass"}
    assert done.verdict["compared"] > 10_000
    page = (report / "index.html").read_text()
    assert "Proven" in page
    bars = re.findall(r'class="bar changed"[^>]*title="motd : Write the message, changed, [\d.]+ s; (\S+) on web', page)
    assert bars == ["deploy", "deploy"]
    assert len(ElementTree.parse(junit).findall(".//testcase")) == 9
    assert done.err.strip().splitlines()[-1].startswith("proven: safe")
    took, floor = times_of(
        done.err, r"(?m)^\s*([\d.]+)\s+([\d.]+)\s+[\d.]+\s+upgrade\s+deploy\s+motd : Write the message"
    )
    assert 0 < floor < took
    whole, slower = times_of(done.err, r"([\d.]+) s, of which the commands and tests of the slower path are ([\d.]+) s")
    assert floor < slower < whole


def times_of(said: str, pattern: str) -> tuple[float, float]:
    found = re.search(pattern, said)
    assert found, said
    return float(found[1]), float(found[2])


def test_a_failing_task_is_shown_with_name_place_host_and_message(labrig: Labrig, project: Project) -> None:
    project.write(tasks__main_yml=TASKS + "- {name: Break it, ansible.builtin.command: /bin/false}\n")
    done = labrig("prove", "--production", "HEAD", *FAST, cwd=project.folder)
    assert done.code == 1
    assert done.failing == {("deploys", "fresh"), ("deploys", "upgrade")}
    assert "'motd : Break it'" in done.err
    assert f"{project.folder}/tasks/main.yml:4" in done.err
    assert "on web" in done.err
    assert "non-zero return code" in done.err
    assert done.err.strip().splitlines()[-1].startswith("disproved: cannot be deployed")


def test_files_of_the_production_ref_come_from_git(labrig: Labrig, project: Project) -> None:
    """What production deploys is read by its playbook from beside it: the work tree's version must not be taken."""
    role = '- {name: Copy, ansible.builtin.copy: {src: note, dest: /etc/note, mode: "0644"}}\n'
    project.commit(tasks__main_yml=role, files__note="old")
    project.write(files__note="new", tasks__main_yml=role.replace("src:", "force: false, src:"))
    done = labrig("prove", "--production", "HEAD", *FAST, cwd=project.folder)
    assert done.failing == {("same-state", None)}, done.err
    assert done.verdict is not None
    assert [one["key"] for one in done.verdict["differences"]] == ["/etc/note"]


def test_several_machines_with_groups_networks_and_variables(labrig: Labrig, project: Project) -> None:
    front = {
        "name": "front",
        "image": "acme/debian:${TAG:-12}",
        "groups": ["doors"],
        "networks": [{"name": "lab"}],
        "privileged": True,
    }
    back = {
        "name": "back",
        "image": "acme/debian:${TAG:-12}",
        "groups": ["stores"],
        "networks": [{"name": "lab", "aliases": ["store"]}],
    }
    provisioner = {
        "name": "ansible",
        "inventory": {"group_vars": {"doors": {"port": 8080}}, "host_vars": {"back": {"size": 3}}},
    }
    converge = """
- hosts: doors
  tasks:
    - {ansible.builtin.command: getent hosts store, changed_when: false}
    - {ansible.builtin.copy: {dest: /etc/door, content: "{{ port }} {{ ansible_default_ipv4.address }}", mode: "644"}}
    - ansible.builtin.copy:
        dest: /etc/peer
        content: "{{ hostvars['back'].ansible_facts.default_ipv4.address }}"
        mode: "644"
- hosts: stores
  tasks: [{ansible.builtin.copy: {dest: /etc/store, content: "{{ size }}", mode: "0644"}}]
"""
    converge = "- {hosts: all, gather_facts: true, become: true, tasks: []}\n" + converge.lstrip()
    verify = (
        "- {hosts: stores, gather_facts: false, "
        "tasks: [{ansible.builtin.command: grep -q 3 /etc/store, changed_when: false}]}\n"
    )
    project.commit(
        molecule__default__molecule_yml=molecule(front, back, provisioner=provisioner, verifier={"name": "ansible"}),
        molecule__default__converge_yml=converge,
        molecule__default__verify_yml=verify,
    )
    done = labrig("prove", "--production", "HEAD", "--image", f"acme/*={IMAGE}", *FAST, cwd=project.folder)
    assert done.code == 0, done.err
    assert done.result("verified", "upgrade") == "pass"


def test_a_change_of_one_of_several_machines_names_it(labrig: Labrig, project: Project) -> None:
    machines = [{"name": name, "image": IMAGE} for name in ("front", "back")]
    converge = COPY.replace("PATH", "/etc/old")
    project.commit(molecule__default__molecule_yml=molecule(*machines), molecule__default__converge_yml=converge)
    project.write(molecule__default__converge_yml=converge.replace("all", "front"))
    done = labrig("prove", "--production", "HEAD", *FAST, cwd=project.folder)
    assert done.verdict is not None
    assert [one["key"] for one in done.verdict["differences"]] == ["back: /etc/old"]


def test_a_role_is_found_by_its_namespace_and_prepared_on_both_paths(labrig: Labrig, project: Project) -> None:
    project.commit(
        meta__main_yml="galaxy_info: {role_name: motd, namespace: acme, author: acme}\n",
        molecule__default__converge_yml="- {hosts: all, roles: [{role: acme.motd}]}\n",
        molecule__default__prepare_yml=(
            "- {hosts: all, tasks: [{ansible.builtin.file: {path: /srv/ground, state: directory, mode: '755'}}]}\n"
        ),
        tasks__main_yml='- {ansible.builtin.copy: {dest: /srv/ground/x, content: x, mode: "0644"}}\n',
    )
    done = labrig("prove", "--production", "HEAD", *FAST, cwd=project.folder)
    assert done.code == 0, done.err


def test_a_playbook_without_molecule_and_without_history(labrig: Labrig, tmp_path: Path) -> None:
    project = Project(tmp_path / "plain").write(site_yml=COPY.replace("PATH", "/etc/x"))
    words = ("prove", "--playbook", "site.yml", "--image", IMAGE, *FAST)
    done = labrig(*words, "--production", IMAGE, cwd=project.folder)
    assert done.code == 0, done.err
    assert done.verdict is not None
    assert done.verdict["production"]["kind"] == "image"
    assert labrig(*words, cwd=project.folder).code == 2


def test_what_is_set_only_at_run_time_does_not_survive_a_restart(labrig: Labrig, project: Project) -> None:
    unit = "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"
    project.commit(
        tasks__main_yml=(
            "- ansible.builtin.copy:\n"
            f"    {{dest: /etc/systemd/system/idle.service, content: {json.dumps(unit)}, mode: '644'}}\n"
            "- {ansible.builtin.systemd_service: {name: idle, state: started, daemon_reload: true}}\n"
        )
    )
    done = labrig("prove", "--production", "HEAD", cwd=project.folder)
    assert ("survives-restart", "fresh") in done.failing, done.err
    assert "idle.service" in done.err


def test_what_is_written_into_the_hosts_file_stays_through_snapshot_and_restart(
    labrig: Labrig, project: Project
) -> None:
    line = '- {ansible.builtin.lineinfile: {path: /etc/hosts, line: "192.0.2.1 NAME", unsafe_writes: true}}\n'
    project.commit(tasks__main_yml=line.replace("NAME", "old.example"))
    project.commit(tasks__main_yml=line.replace("NAME", "new.example"))
    done = labrig("prove", cwd=project.folder)
    assert done.failing == {("same-state", None)}, done.err
    assert done.verdict is not None
    assert [one["key"] for one in done.verdict["differences"]] == ["/etc/hosts"]


def test_an_expected_failure_of_a_test_is_shown_with_its_name(labrig: Labrig, project: Project) -> None:
    project.commit(molecule__default__tests__test_motd_py=TEST.replace("welcome", "farewell"))
    done = labrig("prove", "--production", "HEAD", *FAST, cwd=project.folder)
    assert done.failing == {("verified", "fresh"), ("verified", "upgrade")}
    assert "test_message" in done.err


def test_kept_machines_can_be_entered_and_are_removed_by_clean(labrig: Labrig, project: Project) -> None:
    done = labrig("prove", "--production", "HEAD", "--keep", *FAST, cwd=project.folder)
    kept = [line.split()[4] for line in done.err.splitlines() if line.startswith("kept: docker exec -it")]
    assert any("fresh" in name for name in kept)
    assert any("upgrade" in name for name in kept)
    planned = labrig("clean", "--dry-run").out
    assert all(f"would remove container {name}" in planned for name in kept)
    cleaned = labrig("clean").out
    assert all(f"removed container {name}" in cleaned for name in kept)


def test_environment_variables_choose_in_molecule_yml(labrig: Labrig, project: Project) -> None:
    platform = {"name": "web", "image": "${DISTRO_IMAGE:-acme/none:1}"}
    project.commit(molecule__default__molecule_yml=molecule(platform), molecule__default__converge_yml=CONVERGE)
    env = environment(DISTRO_IMAGE=IMAGE)
    assert labrig("prove", "--production", "HEAD", *FAST, cwd=project.folder, env=env).code == 0
