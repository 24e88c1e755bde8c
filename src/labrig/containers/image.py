"""An image in a test: one that is there, pulled, built, blank, or made of a container."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Self

from docker import DockerClient
from docker.errors import NotFound

from labrig import clock
from labrig.containers import context as contexts
from labrig.containers import dockerfile as dockerfiles
from labrig.containers.owner import Owner, slug
from labrig.engine import cli, committing, images, machines, ownership, sweep
from labrig.engine.client import engine_errors
from labrig.engine.ownership import Ownership
from labrig.errors import EnvironmentFailed, UsageError

if TYPE_CHECKING:
    from labrig.containers.container import Container

REPOSITORY = ownership.IMAGES + "test"
BUILD_SECONDS = 1200.0
# What was built is built anew before a sweep may remove it while it is used.
LEAST_LEFT = timedelta(hours=12)


class Image:
    """One image.

    Attributes:
        owner: What containers of it go with, unless they are given another one.
        name: What Docker calls it.
        hint: What its containers are called in messages, if they are given no name.
    """

    def __init__(self, owner: Owner, name: str, hint: str = "") -> None:
        self.owner = owner
        self.name = name
        self.hint = hint or slug(name.rpartition("/")[2].partition(":")[0])

    @property
    def id(self) -> str:
        """The id of what bears its name now.

        Raises:
            EnvironmentFailed: Nothing does.
        """
        found = images.look_up(self.owner.client, self.name)
        if found is None:
            raise EnvironmentFailed(f"there is no image {self.name} on this engine", hint="build or pull it first")
        return found

    @classmethod
    def existing(cls, owner: Owner, name: str, *, pull: bool = False, own: bool = False) -> Self:
        """Return an image by its name.

        Args:
            owner: Of the containers that it makes.
            name: As Docker has it.
            pull: Pull it if it is not here.
            own: Remove it with the owner.

        Raises:
            EnvironmentFailed: It is not here, and cannot be pulled.
        """
        if pull:
            machines.require_image(owner.client, name)
        found = cls(owner, name)
        _ = found.id
        if own:
            owner.own("image", name)
        return found

    @classmethod
    def pulled(cls, owner: Owner, name: str) -> Self:
        """Return the newest image of a name that its registry has.

        Raises:
            EnvironmentFailed: It cannot be pulled.
        """
        with engine_errors(f"pull image {name}"):
            owner.client.images.pull(name)
        return cls(owner, name)

    @classmethod
    def blank(cls, owner: Owner, hint: str = "image") -> Self:
        """Return a name that no image on the engine has, for one that the test makes itself; it goes with the owner."""
        name = f"{REPOSITORY}:{owner.unique(hint)}"
        owner.own("image", name)
        return cls(owner, name, hint)

    @classmethod
    def from_container(cls, container: Container, name: str = "") -> Self:
        """Return an image of a container's files as they are, which goes with the container's owner."""
        owner = container.owner
        hint = name or container.label
        tag = owner.unique(hint)
        found = owner.client.containers.get(container.id)
        committing.commit(
            owner.client,
            found,
            f"commit container {container.label}",
            repository=REPOSITORY,
            tag=tag,
            conf={"Labels": owner.labels("test-image")},
        )
        return cls(owner, f"{REPOSITORY}:{tag}", hint)

    @classmethod
    def from_dockerfile(
        cls,
        owner: Owner,
        file: Path | str,
        *,
        context: Path | str | None = None,
        files: Mapping[str, contexts.Content] | None = None,
        substitute: Mapping[str, str | Image] | None = None,
        build_args: Mapping[str, str] | None = None,
        target: str = "",
        no_cache: bool = False,
        seconds: float = BUILD_SECONDS,
    ) -> Self:
        """Build an image with the docker command, and return it.

        It stays for two days, under a name made of everything it comes from: a build of the same is found at once.

        Args:
            owner: Of the containers that it makes.
            file: The Dockerfile.
            context: The folder it copies from; an empty one if None.
            files: What is added to the context, as ``labrig.containers.context.prepared`` takes it.
            substitute: For an image that the Dockerfile is built from, the one to take instead.
            build_args: Values of its arguments.
            target: The stage to build; the last one if empty.
            no_cache: Build it, and every step of it, although it is here.
            seconds: How long it may take.

        Raises:
            UsageError: A file is missing, or the Dockerfile is not built from an image that is to be substituted.
            EnvironmentFailed: It cannot be built; the message has the last lines that Docker said.
        """
        path = Path(file)
        if not path.is_file():
            raise UsageError(f"the Dockerfile {path} does not exist")
        others = {name: other.name if isinstance(other, Image) else other for name, other in (substitute or {}).items()}
        text = path.read_text(encoding="utf-8")
        if others:
            try:
                text = dockerfiles.substituted(text, others, build_args)
            except UsageError as error:
                raise UsageError(f"{path}: {error.message}", hint=error.hint) from error
        with contexts.prepared(Path(context) if context else None, files or {}, owner.folder) as folder:
            comes_from = {
                "who": ownership.here(),
                "text": text,
                "from": [_id(owner.client, name) for name in dockerfiles.images(text, build_args)],
                "args": dict(sorted((build_args or {}).items())),
                "target": target,
                "files": contexts.digest(folder),
            }
            tag = hashlib.sha256(json.dumps(comes_from).encode()).hexdigest()[:20]
            built = cls(owner, f"{REPOSITORY}:{tag}", slug(path.absolute().parent.name))
            with ownership.turn(f"build-{tag}"):
                if no_cache or not _stays(owner.client, built.name):
                    built._build(text, path, folder, build_args or {}, target, no_cache=no_cache, seconds=seconds)
        return built

    def _build(
        self,
        text: str,
        file: Path,
        folder: Path,
        build_args: Mapping[str, str],
        target: str,
        *,
        no_cache: bool,
        seconds: float,
    ) -> None:
        former = images.look_up(self.owner.client, self.name)
        labels = ownership.labels(
            kind="image", project=self.owner.place.project, expires=clock.now() + ownership.KEPT_FOR
        )
        with tempfile.TemporaryDirectory(dir=self.owner.folder) as beside:
            written = Path(beside) / file.name
            written.write_text(text, encoding="utf-8")
            # BuildKit reads the list of ignored files that lies beside a Dockerfile before that of the context.
            ignored = file.with_name(file.name + ".dockerignore")
            if ignored.is_file():
                written.with_name(ignored.name).write_bytes(ignored.read_bytes())
            # A step that fails leaves no container behind either.
            words = ["build", "--force-rm", "--tag", self.name, "--file", str(written)]
            for name, value in labels.items():
                words += ["--label", f"{name}={value}"]
            for name, value in build_args.items():
                words += ["--build-arg", f"{name}={value}"]
            words += ["--target", target] if target else []
            words += ["--no-cache"] if no_cache else []
            cli.run([*words, str(folder)], f"build an image with {file}", seconds=seconds)
        if former is not None and former != self.id:
            sweep.discard(self.owner.client, "image", former)


def _id(client: DockerClient, name: str) -> str:
    return images.look_up(client, name) or name


def _stays(client: DockerClient, name: str) -> bool:
    """Tell whether an image is here that is not swept before the session is over."""
    with engine_errors(f"look for image {name}"):
        try:
            found = Ownership.read(client.api.inspect_image(name)["Config"].get("Labels"))
        except NotFound:
            return False
    return found is not None and found.expires is not None and found.expires > clock.now() + LEAST_LEFT
