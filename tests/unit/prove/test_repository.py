from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from labrig.errors import UsageError
from labrig.prove.repository import Repository


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=tester", "-c", "user.email=tester@localhost", "-c", "init.defaultBranch=main"]
    return subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def commit(folder: Path, **files: str) -> str:
    for name, content in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "change")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def role(tmp_path: Path) -> Path:
    folder = tmp_path / "my-role"
    folder.mkdir()
    git(folder, "init", "--quiet")
    return folder


def of(folder: Path) -> Repository:
    found = Repository.of(folder)
    assert found is not None
    return found


def test_a_folder_without_history_has_no_repository(tmp_path: Path) -> None:
    assert Repository.of(tmp_path) is None


def test_on_a_branch_production_is_the_merge_base_with_main(role: Path) -> None:
    base = commit(role, a="1")
    git(role, "switch", "--quiet", "--create", "feature")
    commit(role, a="2")
    commit(role, a="3")
    assert of(role).released() == ("merge base with main", base)


def test_on_main_production_is_its_first_parent_even_with_uncommitted_changes(role: Path) -> None:
    base = commit(role, a="1")
    commit(role, a="2")
    (role / "a").write_text("3")
    assert of(role).released() == ("first parent on main", base)


def test_ahead_of_the_remote_main_production_is_what_the_remote_has(role: Path, tmp_path: Path) -> None:
    base = commit(role, a="1")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(role), str(clone))
    commit(clone, a="2")
    commit(clone, a="3")
    assert of(clone).released() == ("merge base with origin/main", base)


def test_a_projects_own_main_branch_counts(role: Path) -> None:
    base = commit(role, a="1")
    git(role, "branch", "stable")
    commit(role, a="2")
    assert of(role).released("stable") == ("merge base with stable", base)


def test_the_first_commit_has_no_production(role: Path) -> None:
    commit(role, a="1")
    with pytest.raises(UsageError, match="first commit, so nothing is in production") as caught:
        of(role).released()
    assert "--production" in caught.value.hint


def test_a_shallow_clone_says_so(role: Path, tmp_path: Path) -> None:
    commit(role, a="1")
    commit(role, a="2")
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{role}", "shallow")
    with pytest.raises(UsageError, match="git fetch --unshallow"):
        of(tmp_path / "shallow").released()


def test_head_tells_uncommitted_changes(role: Path) -> None:
    made = commit(role, a="1")
    assert of(role).head().dirty is False
    (role / "new").write_text("untracked")
    head = of(role).head()
    assert (head.ref, head.commit, head.dirty) == ("main", made, True)


def test_a_commits_files_are_those_of_git_and_not_of_the_work_tree(role: Path, tmp_path: Path) -> None:
    first = commit(role, tasks__main="old", gone="x")
    (role / "gone").unlink()
    commit(role, tasks__main="new")
    (role / "tasks" / "main").write_text("dirty")
    tree = of(role).export(first, tmp_path / "out")
    assert tree.name == "my-role"
    assert (tree / "tasks" / "main").read_text() == "old"
    assert (tree / "gone").exists()


def test_what_archives_leave_out_is_exported_and_ignored_files_are_linked(role: Path, tmp_path: Path) -> None:
    made = commit(
        role,
        **{
            ".gitattributes": "molecule export-ignore\n",
            ".gitignore": "roles/acme.*\n",
            "molecule__x": "m",
            "roles__own": "r",
        },
    )
    (role / "roles" / "acme.dep").mkdir()
    tree = of(role).export(made, tmp_path / "out")
    assert (tree / "molecule" / "x").read_text() == "m"
    assert (tree / "roles" / "acme.dep").resolve() == role / "roles" / "acme.dep"
    assert git(role, "status", "--porcelain") == ""


def test_a_project_in_a_folder_of_its_repository_is_exported_with_the_rest(role: Path, tmp_path: Path) -> None:
    made = commit(role, ansible__web__tasks="t", shared="s")
    tree = of(role / "ansible" / "web").export(made, tmp_path / "out")
    assert tree == tmp_path / "out" / "my-role" / "ansible" / "web"
    assert (tree.parents[1] / "shared").exists()


def test_names_that_look_like_options_are_no_refs(role: Path) -> None:
    commit(role, a="1")
    assert of(role).commit("--all") is None
    assert of(role).commit("no-such-branch") is None


def test_similar_names_are_offered(role: Path) -> None:
    commit(role, a="1")
    git(role, "tag", "release-2.0")
    assert of(role).like("relase-2.0") == ["release-2.0"]
