from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from labrig.ansible import playbook
from labrig.ansible.playbook import Processes
from labrig.ansible.scenario import Scenario, Verifier
from labrig.ansible.workspace import Workspace
from labrig.errors import Interrupted

STATS = json.dumps({"event": "stats", "hosts": {"web": {"ok": 1}}})


def space(folder: Path, **options: object) -> Workspace:
    scenario = Scenario(
        "default",
        folder,
        folder,
        None,
        "",
        (),
        {"converge": folder / "c.yml"},
        Verifier("", folder, {}, {}, ()),
        options=options,
    )
    return Workspace(scenario, folder, {"PATH": "/usr/bin:/bin"}, (), ())


def processes() -> Processes:
    return Processes(lambda _: None, lambda _: None)


def play(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str, **over: object) -> playbook.PlaybookRun:
    """Run a shell script in the place of ansible-playbook."""
    monkeypatch.setattr(playbook, "arguments", lambda *_, **__: [])
    monkeypatch.setattr(playbook, "recorded", lambda *_: ["/bin/sh", "-c", script])
    options = {"name": "deploy", "processes": processes(), "timeout": 30.0, **over}
    return playbook.run(space(folder), folder / "c.yml", **options)  # type: ignore[arg-type]


def test_a_playbook_that_ends_while_its_events_are_read_has_its_own_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = play(
        tmp_path, monkeypatch, f"echo '{STATS}' >> $LABRIG_EVENTS_FILE; sleep 0.1", on_event=lambda _: time.sleep(0.4)
    )
    assert (done.code, done.ok) == (0, True)


def test_a_playbook_is_ended_when_its_time_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = play(tmp_path, monkeypatch, "sleep 60", timeout=0.1)
    assert (done.timed_out, done.ok) == (True, False)


def test_the_last_lines_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = play(tmp_path, monkeypatch, "echo ERROR! bad >&2; exit 4")
    assert (done.code, done.tail) == (4, "ERROR! bad")


def test_nothing_starts_once_a_run_is_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = processes()
    own.cancel()
    with pytest.raises(Interrupted):
        play(tmp_path, monkeypatch, "true", processes=own)


def test_options_of_the_scenario_become_arguments(tmp_path: Path) -> None:
    where = space(tmp_path, vvv=True, diff=True, check=False, become=True, **{"extra-vars": "a=1", "skip-tags": "slow"})
    found = playbook.arguments(where, tmp_path / "c.yml", again=True)
    assert {"-vvv", "--diff", "--extra-vars=a=1", "--become"} <= set(found)
    assert "--skip-tags=slow,molecule-notest,notest,molecule-idempotence-notest" in found
    assert "--check" not in found
    assert "--become" not in playbook.arguments(where, tmp_path / "prepare.yml", again=False)


@pytest.mark.parametrize("kind", ["callback", "connection"])
def test_plugins_of_the_scenario_are_found_beside_labrigs(tmp_path: Path, kind: str) -> None:
    plain = space(tmp_path)
    own = playbook.plugin_path(plain, kind)
    assert Path(own).name == kind
    configured = replace(plain.scenario, settings={"defaults": {f"{kind}_plugins": "/the/project/plugins"}})
    assert playbook.plugin_path(replace(plain, scenario=configured), kind) == f"{own}:/the/project/plugins"
    asked = replace(plain, scenario=configured, env={f"ANSIBLE_{kind.upper()}_PLUGINS": "/asked"})
    assert playbook.plugin_path(asked, kind) == f"{own}:/asked"
