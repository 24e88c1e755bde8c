"""``labrig experiment init``: the section of labrig.yml to begin with."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import click

from labrig import yaml_file
from labrig.cli.console import words
from labrig.cli.options import project_option
from labrig.errors import EnvironmentFailed
from labrig.experiments import configuration, naming, template
from labrig.project_file import FILE


@click.command()
@project_option
def init(*, project: Path) -> None:
    """Write the section `experiment`, with every option and its meaning, into labrig.yml.

    A section that is there already stays as it is.
    """
    path = project / FILE
    before = ""
    if path.exists():
        before = yaml_file.read_text(path)
        if configuration.SECTION in yaml_file.parse_mapping(before, path):
            words.print(f"left as it is  {path}: it has a section {configuration.SECTION}", markup=False)
            return
        before = before.rstrip("\n") + "\n\n" if before.strip() else ""
    own = template.text(
        host="lab.example.com",
        domain="lab.example.com",
        app=naming.label(project.resolve().name),
        repository=_origin(project),
    )
    try:
        path.write_text(before + own, encoding="utf-8")
    except OSError as error:
        raise EnvironmentFailed(f"{path} cannot be written: {error.strerror}") from error
    words.print(f"written  {path}", markup=False)
    words.print("next: name your lab host and its domain there, then: labrig experiment check-config", markup=False)


def _origin(project: Path) -> str:
    """Return the URL of the repository's remote, without a password; an example where there is none."""
    argv = ["git", "-C", str(project), "remote", "get-url", "origin"]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return _EXAMPLE
    # Over HTTP the user may be a token; over SSH it is needed, git in most cases.
    url = re.sub(r"^(https?://)[^/]*@", r"\1", done.stdout.strip(), flags=re.IGNORECASE)
    return re.sub(r"(://[^/:@]*):[^/]*@", r"\1@", url) or _EXAMPLE


_EXAMPLE = "git@git.example.com:team/project.git"
