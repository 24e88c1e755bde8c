"""Several proofs as one page, which leads to the page of each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from labrig import __version__
from labrig.errors import EnvironmentFailed
from labrig.prove import report
from labrig.prove.meaning import meaning, summary
from labrig.prove.several import Answer, Answers
from labrig.prove.verdict import PATH_CHECKS, PATHS


def folders(names: Iterable[str]) -> dict[str, str]:
    """Return a folder for each proof's report, named after it; no two are the same, whatever a file system folds.

    >>> folders(["roles/web/default on labrig/debian-12:latest"])
    {'roles/web/default on labrig/debian-12:latest': 'roles-web-default-on-labrig-debian-12-latest'}
    """
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.") or "proof"
        folder, number = plain, 1
        while folder.lower() in taken:
            number += 1
            folder = f"{plain}-{number}"
        taken.add(folder.lower())
        found[name] = folder
    return found


def write_one(answer: Answer, directory: Path, folder: str) -> str:
    """Write the report of one of the proofs below the common directory; return its page, relative to that.

    Raises:
        EnvironmentFailed: It cannot be written.
    """
    report.write(answer.verdict, directory / folder, answer.proven.logs)
    return f"{folder}/{report.PAGE}"


def write(answers: Answers, directory: Path, pages: Mapping[str, str]) -> Path:
    """Write the common page; return its path.

    Args:
        answers: What came of the proofs.
        directory: Where their reports are.
        pages: The page of each proof, relative to the directory.

    Raises:
        EnvironmentFailed: It cannot be written.
    """
    page = directory / report.PAGE
    try:
        directory.mkdir(parents=True, exist_ok=True)
        page.write_text(render(answers, pages), encoding="utf-8")
    except OSError as error:
        raise EnvironmentFailed(f"the report cannot be written to {directory}: {error}") from error
    return page


def render(answers: Answers, pages: Mapping[str, str]) -> str:
    """Return the page; like the report of one proof it loads nothing, and it needs no script."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=report.visible
    )
    environment.filters["meaning"] = meaning
    return environment.from_string(report.part("overview.html.j2")).render(
        answers=answers,
        says=summary([answer.verdict for answer in answers.each]),
        questions=[*((name, path) for name in PATH_CHECKS for path in PATHS), ("same-state", None)],
        names=PATH_CHECKS,
        pages=pages,
        checks={
            answer.planned.name: {(check.name, check.path): check for check in answer.verdict.checks}
            for answer in answers.each
        },
        version=__version__,
        style=Markup(report.part("report.css")),  # noqa: S704  # the page's own, nothing that was found
    )
