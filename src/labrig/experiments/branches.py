"""Which commit a branch is at, as the lab host sees the repository: what is deployed is what it can fetch."""

from __future__ import annotations

import re
from collections.abc import Iterable

from labrig.errors import EnvironmentFailed, UsageError
from labrig.experiments.command import Command
from labrig.experiments.protocol import LATE, Done
from labrig.project_file import nearest

_HEADS = "refs/heads/"
_PASSWORD = re.compile(r"(?<=://)[^/\s]*@")


def question(repository: str, branch: str = "*") -> Command:
    """Return what asks a repository for a branch, or for all of them."""
    return Command(("git", "ls-remote", "--heads", "--", repository, f"{_HEADS}{branch}"), may_fail=True)


def read(text: str) -> dict[str, str]:
    r"""Return the commits of branches by name.

    >>> read("0123\trefs/heads/main\n")
    {'main': '0123'}
    """
    rows = (line.split("\t", 1) for line in text.splitlines() if "\t" in line)
    return {ref.removeprefix(_HEADS): commit for commit, ref in rows if ref.startswith(_HEADS)}


def reached(done: Done, repository: str, host: str) -> dict[str, str]:
    """Return the commits of the branches in an answer.

    Raises:
        EnvironmentFailed: The host does not reach the repository; git's own last words are told.
    """
    if done.code == 0:
        return read(done.out)
    said = "it does not answer" if done.code == LATE else _last(done.err)
    raise EnvironmentFailed(
        f"{host} does not reach the repository {_PASSWORD.sub('', repository)}: {said}",
        hint="the lab host needs a deploy key that the repository knows; `git ls-remote` there tells more",
    )


def missing(branch: str, known: Iterable[str], repository: str) -> UsageError:
    """Return the error for a branch that a repository has not."""
    near = nearest(branch, known)
    return UsageError(
        f"there is no branch {branch!r} in {_PASSWORD.sub('', repository)}",
        hint=f"did you mean {near}?" if near else "is it pushed? `git push --set-upstream origin BRANCH` does it",
    )


def _last(text: str) -> str:
    """Return the line of git's words that tells most: the first that is an error, else the last."""
    lines = [_PASSWORD.sub("", line.strip()) for line in text.splitlines() if line.strip()]
    return next((line for line in lines if line.startswith(("fatal:", "ssh:", "error:"))), lines[-1] if lines else "")
