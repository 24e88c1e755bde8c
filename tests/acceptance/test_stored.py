"""What has been proven is not done twice, and never answers for something else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import TASKS, TEST, Done, Project, environment

Labrig = Callable[..., Done]

README = "# motd\n"
# What Python's audit events do not show: a C library opens the file.
HIDDEN = """
import ctypes

def hidden(name):
    libc = ctypes.CDLL(None)
    libc.fopen.restype = ctypes.c_void_p
    libc.fgets.restype = ctypes.c_char_p
    libc.fgets.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p]
    room = ctypes.create_string_buffer(100)
    return libc.fgets(room, 100, libc.fopen(name.encode(), b"r")).decode()

class FilterModule:
    def filters(self):
        return {"hidden": hidden}
"""


@pytest.fixture(autouse=True)
def empty_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin with nothing stored, of other tests neither."""
    monkeypatch.setenv("LABRIG_CACHE", str(tmp_path / "store"))


def cached(done: Done) -> dict[tuple[str, str | None], bool]:
    assert done.verdict is not None, done.err
    return {(check["name"], check["path"]): check["cached"] for check in done.verdict["checks"]}


def test_only_what_has_changed_is_done_again(labrig: Labrig, project: Project) -> None:
    project.commit(molecule__default__tests__test_motd_py=TEST)
    first = labrig("prove", "--why", cwd=project.folder)
    assert first.code == 0, first.err
    assert not any(cached(first).values())
    assert "why: no earlier proof of this scenario is stored" in first.err

    # Nothing of this is looked at by the role or its tests.
    project.write(README_md=README, tasks__unused_yml="[]\n")
    env = environment(UNHEARD_OF="x")
    same = labrig("prove", "--why", cwd=project.folder, env=env)
    assert same.code == 0, same.err
    assert same.verdict is not None
    assert first.verdict is not None
    assert same.verdict["cached"], same.err
    assert all(cached(same).values())
    assert same.verdict["made"] <= first.verdict["made"]
    assert same.verdict["compared"] == first.verdict["compared"]
    assert "from the store: nothing that decides it has changed since" in same.err
    assert "boot" not in same.err

    # Another test: the machines are deployed already.
    project.write(
        molecule__default__tests__test_motd_py=TEST + "\ndef test_more(host):\n    assert host.file('/').exists\n"
    )
    tested = labrig("prove", "--why", cwd=project.folder)
    assert tested.code == 0, tested.err
    assert "file molecule/default/tests/test_motd.py: as it was -> another content" in tested.err
    assert {name for (name, _), is_cached in cached(tested).items() if not is_cached} == {"verified"}
    assert "2 tests" in tested.err
    assert "deploy-again" not in tested.err
    assert labrig("prove", cwd=project.folder).verdict["cached"]  # type: ignore[index]

    # A test that fails fails, and is not stored.
    project.write(molecule__default__tests__test_motd_py="def test_no(host):\n    assert not host.file('/').exists\n")
    for _ in range(2):
        failing = labrig("prove", cwd=project.folder)
        assert failing.code == 1, failing.err
        assert failing.failing == {("verified", "fresh"), ("verified", "upgrade")}

    # Another role: everything is done again.
    project.write(molecule__default__tests__test_motd_py=TEST, tasks__main_yml=TASKS.replace("welcome", "welcome home"))
    changed = labrig("prove", "--why", cwd=project.folder)
    assert changed.code == 0, changed.err
    assert not any(cached(changed).values())
    assert "  - file tasks/main.yml: as it was -> another content" in changed.err

    audited = labrig("prove", "--audit", cwd=project.folder)
    assert audited.code == 0, audited.err
    assert not any(cached(audited).values())
    assert "holds: the machines are the same" in audited.err


def test_an_audit_finds_an_input_that_was_forgotten(labrig: Labrig, project: Project, tmp_path: Path) -> None:
    hidden = tmp_path / "hidden"
    hidden.write_text("one\n")
    content = "{{ '" + str(hidden) + "' | hidden }}"
    task = f"- name: Write it\n  ansible.builtin.copy: {{dest: /etc/motd, content: \"{content}\", mode: '0644'}}\n"
    project.commit(tasks__main_yml=task, filter_plugins__hidden_py=HIDDEN)
    project.commit(README_md=README)
    assert labrig("prove", "--no-restart", cwd=project.folder).code == 0
    hidden.write_text("two\n")
    wrong = labrig("prove", "--no-restart", cwd=project.folder)
    assert wrong.verdict is not None
    assert wrong.verdict["cached"]
    audited = labrig("prove", "--no-restart", "--audit", cwd=project.folder)
    assert audited.code == 1
    assert "does not hold, although no input of it has changed" in audited.err
    assert "file /etc/motd" in audited.err
    # What does not hold is forgotten; what the audit found out answers now.
    assert labrig("prove", "--no-restart", "--audit", cwd=project.folder).code == 0


def test_what_reaches_outside_is_proven_each_time(labrig: Labrig, project: Project) -> None:
    content = "{{ lookup('pipe', 'echo welcome') }}"
    task = f"- name: Write it\n  ansible.builtin.copy: {{dest: /etc/motd, content: \"{content}\", mode: '0644'}}\n"
    project.commit(tasks__main_yml=task)
    project.commit(README_md=README)
    for _ in range(2):
        done = labrig("prove", "--no-restart", "--why", cwd=project.folder)
        assert done.code == 0, done.err
        assert not any(cached(done).values())
        assert (
            "why: not stored for the next time: a program on this machine is started: /bin/sh -c 'echo welcome'"
            in done.err
        )


@pytest.mark.parametrize("words", [["--no-cache", "--audit"], ["--max-age", "soon"], ["--calibrate", "--why"]])
def test_a_wrong_call_is_told(labrig: Labrig, project: Project, words: list[str]) -> None:
    assert labrig("prove", *words, cwd=project.folder).code == 2
