from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from labrig.errors import EnvironmentFailed
from labrig.experiments import branches
from labrig.experiments.protocol import LATE, Done


def asked(repository: str, branch: str = "*") -> Done:
    """Ask a real git."""
    done = subprocess.run(branches.question(repository, branch).argv, capture_output=True, text=True, check=False)
    return Done(1, done.returncode, done.stdout, done.stderr)


@pytest.fixture
def repository(tmp_path: Path) -> str:
    def git(*words: str) -> None:
        subprocess.run(["git", "-C", tmp_path, "-c", "user.name=a", "-c", "user.email=a@b", *words], check=True)

    git("init", "--quiet", "--initial-branch=main")
    git("commit", "--quiet", "--allow-empty", "-m", "first")
    for branch in ("feature/login", "x/refs/heads/login"):
        git("branch", branch)
    git("tag", "login")
    return f"file://{tmp_path}"


def test_a_branch_is_found_by_its_whole_name_and_a_tag_is_none(repository: str) -> None:
    """git matches the end of names: the answer may have others than the one that was asked for."""
    found = branches.reached(asked(repository, "login"), repository, "lab1")
    assert "login" not in found
    found = branches.reached(asked(repository, "feature/login"), repository, "lab1")
    assert len(found.pop("feature/login")) == 40
    assert found == {}


def test_all_branches_are_told(repository: str) -> None:
    assert set(branches.reached(asked(repository), repository, "lab1")) == {
        "main",
        "feature/login",
        "x/refs/heads/login",
    }


def test_of_a_branch_that_is_missing_the_nearest_is_told() -> None:
    error = branches.missing("feature/lgoin", ["main", "feature/login"], "https://anna:hunter2@git.example/shop.git")
    assert (error.exit_code, error.hint) == (2, "did you mean feature/login?")
    assert error.message == "there is no branch 'feature/lgoin' in https://git.example/shop.git"
    assert "git push" in branches.missing("x", [], "u").hint


def test_a_repository_that_is_not_reached_is_told_in_gits_words(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailed, match=r"lab1 does not reach the repository file:.*: fatal: .*nothing"):
        branches.reached(asked(f"file://{tmp_path}/nothing"), f"file://{tmp_path}/nothing", "lab1")


@pytest.mark.parametrize("password", ["hunter2", "p@hunter2", "@@hunter2"])
def test_no_error_tells_a_password_that_stands_in_the_url(password: str) -> None:
    url = f"https://anna:{password}@git.example/shop.git"
    for done in (Done(1, 128, "", f"fatal: unable to access '{url}': 403"), Done(1, LATE)):
        with pytest.raises(EnvironmentFailed) as caught:
            branches.reached(done, url, "lab1")
        assert "hunter2" not in caught.value.message
        assert "https://git.example/shop.git" in caught.value.message
