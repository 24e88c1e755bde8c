"""Base images that machines start from: their definitions, and building them.

A definition is ``images/<name>/image.yml``. It is built from a distribution's archive, or pulled where it says
``source: registry``; the image carries the hash of its definition and is built again only when that changes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import subprocess
import tempfile
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from docker import DockerClient
from docker.errors import APIError, ImageNotFound
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from labrig import yaml_file
from labrig.engine import ownership
from labrig.engine.client import engine_errors, is_full_disk
from labrig.engine.reaper import Reaper
from labrig.errors import EnvironmentFailed, UsageError

DEFINITION = ownership.PREFIX + "definition"
# Part of every definition's hash: raise it when this module makes another image of the same definition.
RECIPE = 1
LAST_LINES = 15


class Bootstrap(BaseModel):
    """An image made from a Debian archive; mirrors are those that mmdebstrap finds on this machine."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    source: Literal["mmdebstrap"]
    suite: str
    variant: str = "apt"
    components: tuple[str, ...] = ("main",)
    packages: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()
    command: tuple[str, ...] = ("/lib/systemd/systemd",)
    stop_signal: str = "SIGRTMIN+3"
    env: dict[str, str] = Field(default_factory=dict)


class FromRegistry(BaseModel):
    """An image taken from a registry and given labrig's name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    source: Literal["registry"]
    image: str


class _File(BaseModel):
    definition: Annotated[Bootstrap | FromRegistry, Field(discriminator="source")]


@dataclass(frozen=True)
class Definition:
    """One folder of ``images/``; ``digest`` is the hash of its content and of the way it is built."""

    name: str
    path: Path
    digest: str
    content: Bootstrap | FromRegistry

    @property
    def tag(self) -> str:
        """The name that machines refer to it by."""
        return f"{self.content.name}:latest"


def definitions_directory() -> Path:
    """Return the folder of the definitions: inside the installed package, or the project's own in a checkout."""
    installed = Path(str(resources.files("labrig"))) / "images"
    return installed if installed.is_dir() else Path(__file__).parents[3] / "images"


def definitions(directory: Path | None = None) -> dict[str, Definition]:
    """Read all definitions, by the names of their folders."""
    found = sorted((directory or definitions_directory()).glob("*/image.yml"))
    return {path.parent.name: _read(path) for path in found}


def _read(path: Path) -> Definition:
    try:
        content = _File.model_validate({"definition": yaml_file.read(path)}).definition
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][2:]) or "source"
        raise UsageError(f"{path}: {where}: {first['msg']}") from error
    return Definition(path.parent.name, path, _digest(path.parent), content)


def _digest(folder: Path) -> str:
    """Return the hash of everything in a definition's folder, and of the way it is built."""
    digest = hashlib.sha256(f"recipe {RECIPE}\n".encode())
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder)} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Built:
    """What the engine has of a definition; ``id`` is None where it has nothing."""

    definition: Definition
    id: str | None
    current: bool
    bytes: int
    created: str


def look(client: DockerClient, definition: Definition) -> Built:
    """Tell whether the engine has the image and whether it is of the definition as it stands."""
    with engine_errors(f"look for image {definition.tag}"):
        try:
            found = client.api.inspect_image(definition.tag)
        except ImageNotFound:
            return Built(definition, None, current=False, bytes=0, created="")
    labels: Mapping[str, str] = found["Config"].get("Labels") or {}
    return Built(
        definition,
        str(found["Id"]),
        current=labels.get(DEFINITION) == definition.digest,
        bytes=int(found["Size"]),
        created=str(found["Created"]),
    )


def build(client: DockerClient, definition: Definition, say: Callable[[str], None]) -> str:
    """Build or pull the image whatever the engine has; return its id.

    Args:
        client: The engine that gets it.
        definition: What to build.
        say: Called with each step as it begins.

    Raises:
        EnvironmentFailed: A step failed; the message names it and has its last lines.
    """
    labels = {
        **ownership.labels(kind="image", project=definition.name),
        DEFINITION: definition.digest,
    }
    if isinstance(definition.content, FromRegistry):
        return _pull(client, definition, definition.content, labels, say)
    return _bootstrap(client, definition, definition.content, labels, say)


def _pull(
    client: DockerClient,
    definition: Definition,
    content: FromRegistry,
    labels: Mapping[str, str],
    say: Callable[[str], None],
) -> str:
    say(f"pulling {content.image}")
    with engine_errors(f"pull {content.image} for {definition.tag}"):
        client.images.pull(content.image)
    return _labelled(client, content.image, content.name, labels)


def _bootstrap(
    client: DockerClient,
    definition: Definition,
    content: Bootstrap,
    labels: Mapping[str, str],
    say: Callable[[str], None],
) -> str:
    if shutil.which("mmdebstrap") is None:
        raise EnvironmentFailed(
            f"image {definition.name} is made with mmdebstrap, which is not installed here",
            hint="apt-get install mmdebstrap, or give the definition `source: registry` and `image:`",
        )
    run = ownership.new_run_id()
    with Reaper(run) as reaper, tempfile.TemporaryDirectory(prefix=f"labrig-{run}-") as folder:
        reaper.watch_folder(folder)
        archive = Path(folder) / "root.tar"
        _mmdebstrap(content, archive, reaper, say)
        say("importing into Docker")
        with engine_errors(f"import {definition.tag}"):
            said: str = client.api.import_image(src=str(archive))
            imported = json.loads(said.strip().splitlines()[-1])["status"]
        return _labelled(
            client,
            imported,
            content.name,
            labels,
            command=list(content.command),
            stop_signal=content.stop_signal,
            environment=content.env,
        )


def _labelled(client: DockerClient, source: str, name: str, labels: Mapping[str, str], **options: Any) -> str:
    """Give an image labrig's name and labels; return the new id.

    Labels and a stop signal cannot be put on an image that exists, nor can an import set them all: a container that
    never starts is committed with them. The image that had the name before goes, unless something still uses it.
    """
    former = look_up(client, f"{name}:latest")
    with engine_errors(f"label image {name}"):
        made = client.containers.create(source, labels=dict(labels), **options)
        try:
            kept = made.commit(repository=name, tag="latest")
        finally:
            made.remove(force=True)
        if former is not None and former != kept.id:
            with contextlib.suppress(APIError):
                client.api.remove_image(former)
    return str(kept.id)


def _mmdebstrap(content: Bootstrap, archive: Path, reaper: Reaper, say: Callable[[str], None]) -> None:
    command = [
        "mmdebstrap",
        f"--variant={content.variant}",
        f"--components={','.join(content.components)}",
        f"--include={','.join(content.packages)}",
        *(f"--customize-hook={hook}" for hook in content.hooks),
        content.suite,
        str(archive),
    ]
    last: deque[str] = deque(maxlen=LAST_LINES)
    step = "starting mmdebstrap"
    environment_folder = str(archive.parent)
    with subprocess.Popen(
        ["env", f"TMPDIR={environment_folder}", *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        reaper.watch_group(process.pid)
        for line in process.stdout or ():
            last.append(line.rstrip())
            if line.startswith("I: "):
                step = line[3:].strip()
                say(step)
        code = process.wait()
        reaper.forget_group(process.pid)
    if code != 0:
        said = "\n".join(last)
        hint = "free some disk space" if is_full_disk(said) else "the lines above are mmdebstrap's own"
        raise EnvironmentFailed(
            f"image {content.name} could not be built; the step '{step}' failed:\n{said}", hint=hint
        )


def look_up(client: DockerClient, name: str) -> str | None:
    """Return the id of a local image, or None; also for what no image can be called, such as a tag with capitals."""
    with engine_errors(f"look for image {name}"):
        try:
            return str(client.api.inspect_image(name)["Id"])
        except ImageNotFound:
            return None
        except APIError as error:
            if "invalid reference format" in str(error.explanation):
                return None
            raise
