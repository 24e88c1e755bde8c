"""The image that a definition means: there already, built for the group, or pulled."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from docker import DockerClient
from docker.errors import APIError, ImageNotFound

from labrig.engine import ownership
from labrig.engine.client import engine_errors
from labrig.errors import LabrigError
from labrig.groups.comparison import Image
from labrig.groups.definition import Build, Definition
from labrig.groups.naming import INSTEAD_OF, Identity

LAST_LINES = 15


class NoImage(LabrigError):
    """An image is neither there nor to be had; the message has what the engine or the build said."""


class Images:
    """The images of one operation; each name is looked up once. Its methods may be called from any thread.

    Args:
        client: The engine.
        whose: The group.
        anew: The services whose images are built whatever is there.
    """

    def __init__(self, client: DockerClient, whose: Identity, anew: frozenset[str] = frozenset()) -> None:
        self._client = client
        self._whose = whose
        self._anew = anew
        self._known: dict[str, Image] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def meant(self, definition: Definition, say: Callable[[str], None]) -> Image:
        """Return the image of a service, built or pulled where that is needed.

        An image that a reload has built stands in for the one that the definition names, for as long as it names that.

        Args:
            definition: The service.
            say: Called with ``building`` or ``pulling``.

        Raises:
            NoImage: There is none and none can be had.
        """
        if definition.build is None:
            return self._once(definition.image, lambda: self._pulled(definition, say))
        name = self._whose.image(definition.name)
        if definition.name in self._anew or definition.image.endswith(":latest"):
            return self._once(name, lambda: self._built(definition, name, say), look=False)
        built = self._look(name)
        if built is not None and (built.config.get("Labels") or {}).get(INSTEAD_OF) == definition.image:
            return built
        return self._look(definition.image) or self._once(name, lambda: self._built(definition, name, say), look=False)

    def build(self, definition: Definition) -> Image:
        """Build the image of a service now, and use it from now on.

        Raises:
            NoImage: The build failed, or the definition has none.
        """
        name = self._whose.image(definition.name)
        self._known[name] = built = self._built(definition, name, lambda _: None)
        return built

    def _once(self, name: str, make: Callable[[], Image], *, look: bool = True) -> Image:
        with self._lock:
            lock = self._locks.setdefault(name, threading.Lock())
        with lock:
            if name not in self._known:
                self._known[name] = (self._look(name) if look else None) or make()
            return self._known[name]

    def _look(self, name: str) -> Image | None:
        with engine_errors(f"look for image {name}"):
            try:
                found: dict[str, Any] = self._client.api.inspect_image(name)
            except ImageNotFound:
                return None
            except APIError as error:
                if error.status_code == 400:
                    raise NoImage(f"{name!r} is no name of an image: {error.explanation}") from error
                raise
        return Image(name, found["Id"], found["Config"] or {})

    def _pulled(self, definition: Definition, say: Callable[[str], None]) -> Image:
        name = definition.image
        say("pulling")
        try:
            self._client.images.pull(name)
        except APIError as error:
            said = str(error.explanation or error).strip()
            raise NoImage(
                f"image {name!r} is not on the engine and cannot be pulled: {said}",
                hint="correct its name, pull it, or give the service a `build_from`",
            ) from error
        found = self._look(name)
        if found is None:
            raise NoImage(f"image {name!r} was pulled and is not there")
        return found

    def _built(self, definition: Definition, name: str, say: Callable[[str], None]) -> Image:
        if definition.build is None:
            raise NoImage(f"the image of service {definition.name!r} cannot be built: it has no `build_from`")
        say("building")
        # Without the time: a build of the same files is to be the same image, so that nothing is created anew.
        labels = {key: value for key, value in self._whose.labels().items() if key != ownership.CREATED}
        labels[INSTEAD_OF] = definition.image
        _docker_build(definition.build, name, labels)
        found = self._look(name)
        if found is None:
            raise NoImage(f"image {name!r} was built and is not there")
        return found


def _docker_build(build: Build, name: str, labels: dict[str, str]) -> None:
    # The command line, and not the library: it has BuildKit where that is installed.
    folder = Path(build.context)
    if not folder.is_dir():
        raise NoImage(f"field 'build_from': there is no folder {folder}")
    file = folder / build.dockerfile
    if not file.is_file():
        raise NoImage(f"field 'dockerfile': there is no file {file}")
    # A build that fails is to leave no container either.
    command = ["docker", "build", "--force-rm", "--tag", name, "--file", str(file)]
    command += [part for key, value in labels.items() for part in ("--label", f"{key}={value}")]
    command += [part for key, value in build.args.items() for part in ("--build-arg", f"{key}={value}")]
    command += ["--target", build.target] if build.target else []
    try:
        done = subprocess.run([*command, str(folder)], capture_output=True, text=True, errors="replace", check=False)
    except FileNotFoundError as error:
        raise NoImage(
            "building an image needs the docker command, which is not installed", hint="install it"
        ) from error
    if done.returncode != 0:
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        last = "\n".join(re.sub(r"\x1b\[[0-9;]*m", "", line) for line in said[-LAST_LINES:])
        raise NoImage(f"the image could not be built from {folder}:\n{last}")
