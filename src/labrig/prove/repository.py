"""The project's git history: what HEAD is, what production is, and the files of a commit."""

from __future__ import annotations

import difflib
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from labrig.errors import EnvironmentFailed, UsageError

MAIN_BRANCHES = ("main", "master")


@dataclass(frozen=True)
class Head:
    """What is proven: ``dirty`` says that uncommitted changes are part of it."""

    ref: str
    commit: str
    dirty: bool


NO_HEAD = Head(ref="", commit="", dirty=True)


class Repository:
    """A git work tree; ``project`` is its root or a folder in it."""

    def __init__(self, root: Path, project: Path) -> None:
        self.root = root
        self.project = project

    @classmethod
    def of(cls, project: Path) -> Repository | None:
        """Return the repository that a project is in; None where it is in none."""
        project = project.resolve()
        found = _git(["rev-parse", "--show-toplevel"], project, check=False)
        return cls(Path(found), project) if found else None

    def head(self) -> Head:
        """Return what is checked out; in a repository without commits the commit is empty."""
        commit = self._ask("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        if not commit:
            return NO_HEAD
        ref = self._ask("symbolic-ref", "--short", "--quiet", "HEAD") or commit[:12]
        dirty = bool(self._ask("status", "--porcelain", "--untracked-files=normal", "--", str(self.project)))
        return Head(ref, commit, dirty)

    def commit(self, ref: str) -> str | None:
        """Return the commit that a branch, tag or other revision names, or None."""
        if ref.startswith("-"):
            return None
        return self._ask("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}") or None

    def tree(self, commit: str) -> str:
        """Return the hash of all files of a commit."""
        return self._ask("rev-parse", "--verify", "--quiet", f"{commit}^{{tree}}") or commit

    def like(self, ref: str) -> list[str]:
        """Return branches and tags with names like the given one."""
        names = self._ask(
            "for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/tags", "refs/remotes"
        ).splitlines()
        return difflib.get_close_matches(ref, names, n=3)

    def files(self, name: str) -> list[Path]:
        """Return the files of that name in the project's folder and below that git does not ignore, absolute."""
        listed = _git(
            ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", f":(glob)**/{name}"], self.project
        )
        found = (self.project / path for path in dict.fromkeys(listed.split("\0")) if path)
        return [path for path in found if path.is_file()]

    def released(self, main: str | None = None) -> tuple[str, str]:
        """Return the ref and commit that stand for production: the merge base with main; on main its first parent.

        Raises:
            UsageError: There is no main branch, no common commit or no parent.
        """
        advice = "name production's state with --production REF or IMAGE, or `production:` in labrig.yml"
        branch = self._main(main)
        if branch is None:
            tried = main or ", ".join(("origin/HEAD", *MAIN_BRANCHES))
            raise UsageError(f"{self.root} has no main branch (looked for {tried})", hint=advice)
        head = self.commit("HEAD")
        if head is None:
            raise UsageError(f"{self.root} has no commit yet, so nothing is in production", hint=advice)
        base = self._ask("merge-base", "HEAD", branch)
        if not base:
            raise UsageError(f"HEAD and {branch} have no commit in common{self._shallow()}", hint=advice)
        if base != head:
            return f"merge base with {branch}", base
        parent = self.commit("HEAD^1")
        if parent is None:
            raise UsageError(
                f"HEAD is {branch}'s first commit{self._shallow()}, so nothing is in production before it", hint=advice
            )
        return f"first parent on {branch}", parent

    def export(self, commit: str, folder: Path) -> Path:
        """Write the files of a commit below ``folder``; return the project's folder among them.

        The tree has the name that the work tree has, since playbooks look at it. Filters apply as in a checkout, and
        what a ``export-ignore`` attribute leaves out of archives is there. Ignored files of the work tree, such as
        installed roles, are linked where the commit has none of that name.
        """
        tree = folder / self.root.name
        tree.mkdir(parents=True)
        index = {**os.environ, "GIT_INDEX_FILE": str(folder / "index")}
        _git(["read-tree", commit], self.root, env=index)
        _git(["checkout-index", "--all", "--force", f"--prefix={tree}/"], self.root, env=index)
        (folder / "index").unlink(missing_ok=True)
        self._export_modules(commit, tree)
        self._link_ignored(tree)
        project = tree / self.project.relative_to(self.root)
        if not project.is_dir():
            raise UsageError(f"{self.project.relative_to(self.root)} does not exist in commit {commit[:12]}")
        return project

    def _export_modules(self, commit: str, tree: Path) -> None:
        for line in self._ask("ls-tree", "-r", "-z", commit).split("\0"):
            description, _, path = line.partition("\t")
            if not description.startswith("160000"):
                continue
            module_commit = description.split()[2]
            module = self.root / path
            if not (module / ".git").exists():
                raise EnvironmentFailed(
                    f"submodule {path} is not checked out, and commit {commit[:12]} needs it",
                    hint="git submodule update --init --recursive",
                )
            inner = Repository(module.resolve(), module.resolve())
            if inner.commit(module_commit) is None:
                raise EnvironmentFailed(
                    f"submodule {path} lacks commit {module_commit[:12]}, which commit {commit[:12]} needs",
                    hint=f"git -C {path} fetch origin {module_commit}",
                )
            staging = tree.parent / f"module-{module_commit[:12]}"
            exported = inner.export(module_commit, staging)
            target = tree / path
            if target.is_dir():
                target.rmdir()
            exported.rename(target)

    def _link_ignored(self, tree: Path) -> None:
        listed = self._ask("ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory")
        for name in filter(None, listed.split("\0")):
            link = tree / name.rstrip("/")
            if not os.path.lexists(link) and link.parent.is_dir():
                link.symlink_to(self.root / name.rstrip("/"))

    def _main(self, main: str | None) -> str | None:
        if main is not None:
            candidates = [main]
        else:
            default = self._ask("symbolic-ref", "--short", "--quiet", "refs/remotes/origin/HEAD")
            candidates = [default, *(f"origin/{name}" for name in MAIN_BRANCHES), *MAIN_BRANCHES]
        return next((name for name in candidates if name and self.commit(name)), None)

    def _shallow(self) -> str:
        is_shallow = self._ask("rev-parse", "--is-shallow-repository") == "true"
        return " (the clone is shallow: `git fetch --unshallow` brings the rest)" if is_shallow else ""

    def _ask(self, *arguments: str) -> str:
        return _git(list(arguments), self.root, check=False)


def _git(arguments: list[str], folder: Path, *, env: Mapping[str, str] | None = None, check: bool = True) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env=env,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            check=False,
        )
    except FileNotFoundError as error:
        if not folder.is_dir():
            raise UsageError(f"{folder} is not a folder") from error
        raise EnvironmentFailed("git is not installed here", hint="install git") from error
    if done.returncode != 0:
        if check:
            raise EnvironmentFailed(f"git {arguments[0]} failed in {folder}: {done.stderr.strip()}")
        if "dubious ownership" in done.stderr:
            raise EnvironmentFailed(
                f"git does not trust {folder}: it belongs to somebody else",
                hint=f"git config --global --add safe.directory {folder}",
            )
        return ""
    return done.stdout.rstrip("\n")
