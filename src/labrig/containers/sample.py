"""Reading a user's compose or stack file with all that a tailoring looks at, and copying build contexts."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import yaml

from labrig.containers import context
from labrig.containers.tailoring import Build, ContextCopy, Sample, Tailoring
from labrig.engine import cli, compose
from labrig.engine.compose import ComposeFile, Model
from labrig.errors import EnvironmentFailed, UsageError

CONFIG_SECONDS = 60.0
# What docker commands of different ages say to words that they do not know.
_NO_SUCH_COMMAND = re.compile(r"unknown flag|unknown shorthand flag|unknown command|is not a docker command")
STACK_PARTS = ("services", "networks", "volumes", "secrets", "configs")


def of_composition(source: ComposeFile, how: Tailoring) -> Sample:
    """Return what compose files say, in their normal form.

    Raises:
        UsageError: They are none.
        EnvironmentFailed: There is no Compose v2.
    """
    model = compose.load(source)
    return Sample(source.files[0], source.directory, model, _dockerfiles(model, how))


def of_stack(source: ComposeFile, how: Tailoring) -> Sample:
    """Return what the files of a stack say, in the normal form of ``docker stack config``.

    Raises:
        UsageError: They are none.
        EnvironmentFailed: The docker command is older than 25, and does not know ``stack config``.
    """
    arguments = ["stack", "config"]
    for path in source.files:
        if not path.is_file():
            raise UsageError(f"{path}: there is no such stack file")
        arguments += ["--compose-file", str(path.resolve())]
    done = cli.attempt(
        arguments, f"read {source.files[0]}", env=source.environment, seconds=CONFIG_SECONDS, cwd=source.directory
    )
    if done.code != 0:
        if _NO_SUCH_COMMAND.search(done.stderr):
            raise EnvironmentFailed(
                "the docker command does not know `docker stack config`", hint="install docker's command of 25 or newer"
            )
        raise compose.refusal(source, done)
    model: Model = yaml.safe_load(done.stdout)
    for part in STACK_PARTS:
        model[part] = model.get(part) or {}
    for service in model["services"].values():
        if "build" in service:
            written = source.directory / service["build"].get("context", ".")
            # As in the normal form of Compose, which takes `..` out of a path without a look at links.
            service["build"]["context"] = os.path.abspath(written)  # noqa: PTH100
            service["build"].setdefault("dockerfile", "Dockerfile")
    return Sample(source.files[0], source.directory, model, _dockerfiles(model, how))


def copy_contexts(copies: Iterable[ContextCopy]) -> None:
    """Copy build contexts, with links as they are, and add files to the copies.

    Raises:
        UsageError: A context or a file that is to be added does not exist, or would lie outside of the context.
    """
    for one in copies:
        if one.target.exists():
            shutil.rmtree(one.target)
        context.copied(one.source, one.files, one.target)


def _dockerfiles(model: Model, how: Tailoring) -> Mapping[Path, str]:
    """Return the text of each Dockerfile that may be used: the sample's own, and those of contexts in their place."""
    others = [Build(one) if not isinstance(one, Build) else one for one in how.builds.values()]
    found: dict[Path, str] = {}
    for service in model["services"].values():
        if "build" not in service:
            continue
        name = service["build"].get("dockerfile", "Dockerfile")
        candidates: Sequence[Path] = [
            Path(service["build"]["context"]) / name,
            *(Path(os.path.abspath(other.context)) / (other.dockerfile or name) for other in others),  # noqa: PTH100
        ]
        for path in candidates:
            if path.is_file():
                found[path] = path.read_text(encoding="utf-8", errors="surrogateescape")
    return found
