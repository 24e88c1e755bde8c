"""A verdict as one self-contained HTML page, with the logs beside it."""

from __future__ import annotations

import json
import shutil
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from labrig import __version__
from labrig.errors import EnvironmentFailed
from labrig.prove.meaning import meaning
from labrig.prove.verdict import PATH_CHECKS, PATHS, Verdict

PAGE = "index.html"


def write(verdict: Verdict, directory: Path, logs: Path | None) -> Path:
    """Write the page, and copies of the logs if there are any; return the page's path.

    Raises:
        EnvironmentFailed: The directory cannot be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        names = []
        if logs is not None:
            target = directory / "logs"
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(logs, target)
            names = sorted(path.name for path in target.iterdir())
        page = directory / PAGE
        page.write_text(render(verdict, names), encoding="utf-8")
    except OSError as error:
        raise EnvironmentFailed(f"the report cannot be written to {directory}: {error}") from error
    return page


def render(verdict: Verdict, logs: list[str]) -> str:
    """Return the page: no script, no font and no picture from elsewhere, so that it opens from disk."""
    template = (resources.files("labrig.prove") / "report.html.j2").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["fields"] = _fields
    return environment.from_string(template).render(
        verdict=verdict,
        meaning=meaning(verdict),
        checks={(check.name, check.path): check for check in verdict.checks},
        failed=[check for check in verdict.checks if check.result in ("fail", "error")],
        rows=PATH_CHECKS,
        paths=PATHS,
        logs=logs,
        version=__version__,
    )


def _fields(side: Any) -> str:
    """Return one side of a difference, a field a line; nothing where there is no such thing."""
    if side is None:
        return "(not there)"
    return "\n".join(
        f"{name}: {value if isinstance(value, str) else json.dumps(value)}" for name, value in side.items()
    )
