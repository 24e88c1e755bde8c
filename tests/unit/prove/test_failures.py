from __future__ import annotations

from pathlib import Path

import pytest

from labrig.ansible.events import Stats
from labrig.ansible.playbook import PlaybookRun
from labrig.ansible.scenario import Scenario, Verifier
from labrig.ansible.workspace import Workspace
from labrig.prove.failures import environment_failure


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    scenario = Scenario("default", tmp_path, tmp_path, None, "", (), {}, Verifier("", tmp_path, {}, {}, ()))
    (tmp_path / "ansible_collections" / "acme" / "there").mkdir(parents=True)
    return Workspace(scenario, tmp_path, {}, (), (tmp_path,))


def failed(tail: str) -> PlaybookRun:
    return PlaybookRun(
        Path("converge.yml"), 4, (Stats({}),), 1.0, timed_out=False, running=(), tail=tail, log=Path("log")
    )


@pytest.mark.parametrize(
    ("tail", "said"),
    [
        (
            "[ERROR]: the role 'acme.gone' was not found in /x:/y",
            "role acme.gone, which converge.yml needs, is not installed",
        ),
        (
            "couldn't resolve module/action 'acme.absent.thing'. This often",
            "collection acme.absent, which converge.yml needs",
        ),
        ("fatal: [web]: FAILED! => No space left on device", "a disk is full"),
        ("fatal: [web]: UNREACHABLE! => No such container: labrig-x", "a machine was lost"),
    ],
)
def test_what_the_surroundings_did_is_not_blamed_on_the_change(space: Workspace, tail: str, said: str) -> None:
    failure = environment_failure(failed(tail), space)
    assert failure is not None
    assert said in failure.message


@pytest.mark.parametrize("reason", ["No space left on device", "No such container: labrig-x"])
def test_a_secret_that_ansible_prints_is_in_no_message(space: Workspace, reason: str) -> None:
    failure = environment_failure(failed(f"fatal: [web]: FAILED! => db_password=geheim-5317 {reason}"), space)
    assert failure is not None
    assert "geheim" not in failure.message
    assert "db_password=<secret 1>" in failure.message


@pytest.mark.parametrize(
    "tail",
    [
        "couldn't resolve module/action 'acme.there.typo'",
        "couldn't resolve module/action 'ansible.builtin.cpoy'",
        "fatal: [web]: FAILED! => the file does not exist",
    ],
)
def test_what_the_change_does_wrong_is_no_failure_of_the_surroundings(space: Workspace, tail: str) -> None:
    assert environment_failure(failed(tail), space) is None
