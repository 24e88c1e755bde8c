"""Every difference is explained: its class, the task that made it, what it did, and what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from conftest import IMAGE, Done, Project, molecule

Labrig = Callable[..., Done]

BUILD = """
- name: Build the package
  ansible.builtin.shell: |
    mkdir -p /tmp/note/DEBIAN /tmp/note/usr/share/note
    echo VERSION > /tmp/note/usr/share/note/text
    printf 'Package: note\\nVersion: VERSION\\nArchitecture: all\\nMaintainer: x <x@example.com>\\nDescription: x\\n' \\
      > /tmp/note/DEBIAN/control
    dpkg-deb --root-owner-group --build /tmp/note /tmp/note.deb
  changed_when: false
"""
RELEASED = (
    """
- name: Write the old name
  ansible.builtin.copy: {dest: /etc/old-name, content: "x\\n", mode: "0644"}
- name: Write once
  ansible.builtin.shell: {cmd: "echo one > /etc/once", creates: /etc/once}
- name: Write the setting
  ansible.builtin.copy: {dest: /etc/setting, content: "x\\n", mode: "0644"}
  notify: Fill the cache
"""
    + BUILD.replace("VERSION", "1.0")
    + """
- name: Install the package
  ansible.builtin.apt: {deb: /tmp/note.deb}
"""
)
HEAD = (
    """
- name: Look for the old name
  ansible.builtin.stat: {path: /etc/old-name}
  register: old
- name: Write once
  ansible.builtin.shell: {cmd: "echo two > /etc/once", creates: /etc/once}
- name: Run a command
  ansible.builtin.command: find /etc/old-name -fprint /etc/by-command
  changed_when: false
  failed_when: false
- name: Run a shell
  ansible.builtin.shell: if [ -e /etc/old-name ]; then echo old; else echo new; fi > /etc/by-shell
  changed_when: false
- name: Look away
  ansible.builtin.debug: {msg: nothing}
- name: Write the template
  ansible.builtin.template: {src: app.ini.j2, dest: /etc/app.ini, mode: "0644"}
- name: Write several
  ansible.builtin.copy: {dest: "/etc/several-{{ item }}", content: "{{ old.stat.exists }}\\n", mode: "0644"}
  loop: [one, two]
- name: Write the setting
  ansible.builtin.copy: {dest: /etc/setting, content: "x\\n", mode: "0644"}
  notify: Fill the cache
"""
    + BUILD.replace("VERSION", "2.0")
    + """
- name: Look for the package
  ansible.builtin.stat: {path: /usr/share/note/text}
  register: note
- name: Install the package
  ansible.builtin.apt: {deb: /tmp/note.deb}
  when: not note.stat.exists
- name: Append a line
  ansible.builtin.shell: date +%s%N >> /etc/lines
  changed_when: false
- name: Write the unit
  ansible.builtin.copy:
    dest: /etc/systemd/system/idle.service
    content: "[Service]\\nExecStart=/bin/sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n"
    mode: "0644"
- name: Start the unit
  ansible.builtin.systemd_service: {name: idle, state: started, daemon_reload: true}
"""
)
CACHE = '- {name: Fill the cache, ansible.builtin.shell: "echo VALUE > /etc/cache", changed_when: true}\n'
TEMPLATE = """[db]
host = localhost
password = {{ 'hunter2hunter2' if old.stat.exists else 'hunter3hunter3' }}
pool = {{ 5 if old.stat.exists else 10 }}
"""


def of(done: Done, key: str, check: str = "same-state") -> dict[str, Any]:
    assert done.verdict is not None
    found = [one for one in done.verdict["differences"] if (one["key"], one["check"]) == (key, check)]
    assert found, f"{key} is not among {[one['key'] for one in done.verdict['differences']]}"
    return found[0]["explanation"]


def did(explanation: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (one["on"], one["task"].removeprefix("motd : "), one["did"])
        for one in explanation["tasks"]
        if not one["did"].startswith("looked")
    ]


def test_each_kind_of_task_is_found_for_what_it_did(labrig: Labrig, project: Project, tmp_path: Path) -> None:
    project.commit(tasks__main_yml=RELEASED, handlers__main_yml=CACHE.replace("VALUE", "one"))
    project.write(tasks__main_yml=HEAD, handlers__main_yml=CACHE.replace("VALUE", "two"))
    (project.folder / "templates").mkdir()
    (project.folder / "templates" / "app.ini.j2").write_text(TEMPLATE)
    report, junit = tmp_path / "report", tmp_path / "junit.xml"
    done = labrig("prove", "--production", "HEAD", "--report", str(report), "--junit", str(junit), cwd=project.folder)
    assert ("same-state", None) in done.failing, done.err

    left = of(done, "/etc/old-name")
    assert left["class"] == "left behind"
    assert did(left) == [("production", "Write the old name", "created it")]
    assert left["cause"] == (
        "no task of HEAD touches it; production's tasks/main.yml:2 ('motd : Write the old name') created it"
    )
    assert "state: absent" in left["hint"]
    assert left["diff"]["lines"] == ["@@ -0,0 +1 @@", "+x"]

    once = of(done, "/etc/once")
    assert once["class"] == "not updated"
    assert did(once) == [("fresh", "Write once", "created it"), ("production", "Write once", "created it")]
    assert "`creates: /etc/once`" in once["hint"]
    assert "on upgrade no task of HEAD touches it" in once["cause"]
    assert once["diff"]["lines"][-2:] == ["-two", "+one"]

    for key, task in (("/etc/by-command", "Run a command"), ("/etc/by-shell", "Run a shell")):
        found = of(done, key)
        assert found["class"] == "created differently"
        assert did(found) == [("fresh", task, "created it"), ("upgrade", task, "created it")]

    template = of(done, "/etc/app.ini")
    assert did(template) == [(on, "Write the template", "created it") for on in ("fresh", "upgrade")]
    assert template["diff"]["form"] == "structure"
    assert template["diff"]["changes"] == [
        {"at": "[db] password", "left": "<secret 1>", "right": "<secret 2>"},
        {"at": "[db] pool", "left": "10", "right": "5"},
    ]
    pages = [page.read_text() for page in report.rglob("*") if page.is_file()]
    assert not any("hunter" in text for text in (json.dumps(done.verdict), done.err, junit.read_text(), *pages))

    several = of(done, "/etc/several-two")
    assert did(several) == [(on, "Write several", "created it, item two") for on in ("fresh", "upgrade")]

    cache = of(done, "/etc/cache")
    assert cache["class"] == "not updated"
    assert did(cache) == [("fresh", "Fill the cache", "created it"), ("production", "Fill the cache", "created it")]
    assert cache["tasks"][0]["path"] == f"{project.folder}/handlers/main.yml:1"

    package = of(done, "note")
    assert package["class"] == "not updated"
    assert did(package)[0] == ("fresh", "Install the package", "created it")
    assert "`when:`" in package["hint"]
    # What a package brings is told with it.
    assert "/usr/share/note/text" not in {one["key"] for one in done.verdict["differences"]}

    again = of(done, "/etc/lines", "idempotent")
    assert again["class"] == "created differently"
    assert did(again) == [("fresh", "Append a line", "changed its content")]

    restarted = of(done, "idle.service", "survives-restart")
    assert restarted["class"] == "only after a restart"
    assert ("fresh", "Start the unit", "changed its active and sub") in did(restarted)
    assert "enable" in restarted["hint"]

    assert "left behind" in done.err
    assert "tasks/main.yml:2 ('motd : Write the old name')" in done.err
    assert "left behind" in junit.read_text()


SEVERAL = """
- hosts: all
  gather_facts: false
  strategy: free
  tasks:
    - name: Take different times
      ansible.builtin.command: "sleep {{ {'front': 1.5, 'middle': 0.5, 'back': 0}[inventory_hostname] }}"
      changed_when: false
    - name: Write on every machine
      ansible.builtin.copy: {dest: /etc/everywhere, content: "x\\n", mode: "0644"}
"""
OLD_NAME = """
    - name: Write the old name
      ansible.builtin.copy: {dest: /etc/old-name, content: "x\\n", mode: "0644"}
      when: inventory_hostname == 'middle'
"""
BACKGROUND = """
    - name: Write in the background
      ansible.builtin.shell: |
        until [ -e /run/go ]; do sleep 0.1; done
        test -e /etc/old-name; echo $? > /etc/by-background
      async: 30
      poll: 0
      register: begun
      changed_when: false
    - name: Let it go
      ansible.builtin.command: touch /run/go
      changed_when: false
    - name: Wait for it
      ansible.builtin.async_status: {jid: "{{ begun.ansible_job_id }}"}
      register: ended
      until: ended.finished
      delay: 1
      retries: 20
"""


def test_of_several_machines_the_right_one_and_its_task_are_named(labrig: Labrig, project: Project) -> None:
    machines = [{"name": name, "image": IMAGE} for name in ("front", "middle", "back")]
    project.commit(
        molecule__default__molecule_yml=molecule(*machines), molecule__default__converge_yml=SEVERAL + OLD_NAME
    )
    project.write(molecule__default__converge_yml=SEVERAL + BACKGROUND)
    done = labrig("prove", "--production", "HEAD", "--no-restart", cwd=project.folder)
    assert ("same-state", None) in done.failing, done.err
    assert done.verdict is not None
    assert {one["key"] for one in done.verdict["differences"]} == {
        "middle: /etc/old-name",
        "middle: /etc/by-background",
    }

    left = of(done, "middle: /etc/old-name")
    assert left["class"] == "left behind"
    assert did(left) == [("production", "Write the old name", "created it")]
    assert left["cause"].startswith("no task of HEAD touches it; production's molecule/default/converge.yml:12 ")

    # It ends while another task runs: that may have been either.
    background = of(done, "middle: /etc/by-background")
    assert background["class"] == "created differently"
    assert [on for on, _, _ in did(background)] == ["fresh", "upgrade"]
    assert {task for _, task, _ in did(background)} <= {"Let it go", "Wait for it"}
    place = f"{project.folder}/molecule/default/converge.yml:12"
    assert all(f"'Write in the background ({place})' that ran meanwhile" in what for _, _, what in did(background))
    assert background["cause"].count("created it, perhaps") == 2


def test_without_explaining_nothing_is_deployed_once_more(labrig: Labrig, project: Project) -> None:
    project.commit(tasks__main_yml=RELEASED.split("- name: Write once")[0])
    project.write(tasks__main_yml="- {name: Look, ansible.builtin.debug: {msg: x}}\n")
    done = labrig("prove", "--production", "HEAD", "--no-restart", "--no-explain", cwd=project.folder)
    found = of(done, "/etc/old-name")
    assert (found["class"], found["cause"], found["tasks"]) == ("left behind", "", [])
    assert found["diff"]["lines"] == ["@@ -0,0 +1 @@", "+x"]
    assert "explain: " not in done.err
