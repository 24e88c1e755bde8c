"""What a lab host finds out before it removes anything, of real repositories."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from labrig.experiments import naming
from labrig.experiments.command import Command
from labrig.experiments.host import sweeping
from labrig.experiments.host.local import Local
from labrig.experiments.kept import Kept
from labrig.experiments.listing import Listed
from labrig.experiments.naming import Names
from labrig.experiments.protocol import LATE, NOT_FOUND, Done
from labrig.experiments.record import Record
from labrig.experiments.running import Hear
from labrig.experiments.standing import Service, Standing
from labrig.experiments.survey import Survey

NOW = datetime(2027, 1, 1, tzinfo=UTC)
GONE = Listed("shop", "gone", "serves", branch="feature/gone")


def repository(folder: Path, *branches: str) -> str:
    git = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@localhost"]
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", str(folder)], check=True)
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", "--message=x"], check=True)
    for one in branches:
        subprocess.run([*git, "branch", one], check=True)
    return str(folder)


def test_branches_are_asked_for_and_a_repository_that_does_not_answer_is_told(tmp_path: Path) -> None:
    there = repository(tmp_path / "there", "feature/a", "main-2")
    told: list[str] = []
    found = sweeping.ask(Local(), [there, there, "", "/no/such"], told.append)
    assert found == {there: frozenset({"main", "feature/a", "main-2"}), "/no/such": None}
    (line,) = told
    assert "/no/such" in line
    assert "only the time" in line


def test_over_is_whose_branch_is_gone_or_whose_time_is_over_and_nobody_pinned_it() -> None:
    there = {"/r": frozenset({"main"}), "/silent": None}
    late = (NOW.replace(year=2026)).isoformat()
    experiments = [
        replace(GONE, repository="/r"),
        replace(GONE, name="pinned", repository="/r", pinned=True),
        replace(GONE, name="main", repository="/r", branch="main"),
        replace(GONE, name="silent", repository="/silent"),
        replace(GONE, name="late", repository="/silent", expires=late),
        # Nothing but labels is left of it.
        replace(GONE, name="left", expires=late),
        replace(GONE, name="young"),
    ]
    found = sweeping.judged(experiments, there, NOW)
    assert {one.name: reason.split()[0] for one, reason in found} == {"gone": "branch", "late": "its", "left": "its"}


def test_the_journal_is_told_that_a_command_failed_but_nothing_that_it_wrote() -> None:
    """It may have written a password, and the host knows none of those that it would have to mask."""

    class Failing(Local):
        def run(self, command: Command, *, seconds: float | None = 0, hear: Hear | None = None) -> Done:
            del seconds
            is_hook = command.argv[:2] == ("docker", "run")
            if is_hook and hear:
                hear("no: hunter2\n", is_hook)
            return Done(1, int(is_hook))

    there = Service(has_server=True, made_of={"kind": "postgresql"})
    standing = Standing(images=frozenset({"b1"}), environments=frozenset({"v1"}), services={"db": there})
    record = Record("login", "git", "anna@desk", "", "", kept=Kept(on_delete={"db": "./forget"}))
    error = sweeping._carried_out(Failing(), Names("shop", "login"), Survey(standing, record))
    assert "on_delete of db: " in error
    assert "docker run ended with 1" in error
    assert "hunter2" not in error


def test_a_host_runs_commands_as_it_runs_those_of_a_client() -> None:
    heard: list[tuple[str, bool]] = []
    shell = ("sh", "-c", "cat; echo wrong >&2; exit 3")
    done = Local().run(Command(shell, stdin="given"), hear=lambda text, is_error: heard.append((text, is_error)))
    assert (done.code, done.out, done.err) == (3, "given", "wrong\n")
    assert heard == [("given", False), ("wrong\n", True)]
    assert Local().run(Command(("sleep", "60")), seconds=0.1).code == LATE
    assert Local().run(Command(("no-such-program",))).code == NOT_FOUND
    many = Local().run_all({str(number): Command(("echo", str(number))) for number in range(20)})
    assert {name: one.out for name, one in many.items()} == {str(number): f"{number}\n" for number in range(20)}


NAMES = Names("shop", "gone")
LISTED = replace(GONE, repository="/r", deployed="2026-12-01T08:00:00+00:00")


class Host:
    """Has a folder of one experiment, with a record in it, and nothing else."""

    host = "lab1"

    def __init__(self, record: str) -> None:
        self.record = record
        self.ran: list[str] = []

    def run(self, command: Command, *, seconds: float | None = 0, hear: Hear | None = None) -> Done:
        del seconds, hear
        words = str(command)
        self.ran.append(words)
        if "--include=experiment.json" in words:
            return Done(1, 0, f"{NAMES.folder}/experiment.json:{self.record}\n" if self.record else "")
        return Done(1, 0, "gone\n" if "-maxdepth 0" in words else "")

    def run_all(self, commands: Mapping[str, Command]) -> dict[str, Done]:
        return {name: self.run(one) for name, one in commands.items()}


@pytest.mark.parametrize(
    ("branch", "deployed", "is_removed"),
    [
        ("feature/gone", LISTED.deployed, True),
        # Pushed and deployed after the sweep has asked for the branches.
        ("feature/new", "2027-01-01T00:00:01+00:00", False),
        ("feature/gone", "2027-01-01T00:00:01+00:00", False),
        # Deleted, and half made anew.
        ("", "", False),
    ],
)
def test_what_was_deployed_again_since_the_branches_were_asked_for_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, branch: str, deployed: str, is_removed: bool
) -> None:
    monkeypatch.setattr(naming, "LOCKS", str(tmp_path))
    host = Host(Record(branch, "/r", "anna@desk", deployed, deployed).text().strip() if branch else "")
    there = {"/r": frozenset({"main"})}
    swept = sweeping.remove_all(host, [(LISTED, "branch feature/gone is gone")], there, NOW, lambda _: None)
    assert [one.result for one in swept] == (["removed"] if is_removed else [])
    assert any(one.startswith("rm --recursive") for one in host.ran) == is_removed
