"""Building a platform's image: with the scenario's Dockerfile, or with one that adds Python to an image without it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from labrig import clock
from labrig.ansible.scenario import Platform
from labrig.ansible.workspace import LOCAL_ENGINE
from labrig.engine import ownership
from labrig.errors import EnvironmentFailed
from labrig.molecule.place import Place

REPOSITORY = "labrig/molecule"
USUAL_FILE = "Dockerfile.j2"
OWN_FILE = Path(__file__).parent / "playbooks" / USUAL_FILE
KEPT_FOR = timedelta(days=14)
SAID_LINES = 15

Render = Callable[[str, Mapping[str, Any]], str]
"""Fills a template with variables, as Ansible does."""


@dataclass(frozen=True)
class Builder:
    """Builds the images of one scenario's platforms.

    Attributes:
        place: The scenario's place.
        project: The project's name.
        directory: The scenario's folder, which a Dockerfile copies from.
        folder: Where filled templates are written.
        render: Fills them; a platform is ``item`` there, as with Molecule's docker driver.
    """

    place: Place
    project: str
    directory: Path
    folder: Path
    render: Render

    def file(self, platform: Platform) -> Path | None:
        """Return the Dockerfile that the scenario has for a platform, or None."""
        path = self.directory / str(platform.options.get("dockerfile") or USUAL_FILE)
        return path if path.is_file() else None

    def build(self, platform: Platform, image: str) -> str:
        """Return the name of an image made of ``image`` with the scenario's Dockerfile, or with labrig's own.

        Raises:
            EnvironmentFailed: It cannot be built; with the last lines that were said.
        """
        source = self.file(platform) or OWN_FILE
        item = {**platform.options, "image": image}
        text = self.render(source.read_text(encoding="utf-8"), {"item": item})
        written = self.folder / f"Dockerfile-{platform.name}"
        written.write_text(text, encoding="utf-8")
        name = f"{REPOSITORY}:{self.place.run}-{platform.name.lower()}"
        command = ["docker", "build", "--tag", name, "--file", str(written)]
        labels = ownership.labels(kind="image", project=self.project, expires=clock.now() + KEPT_FOR)
        asked = platform.options
        for key, value in labels.items():
            command += ["--label", f"{key}={value}"]
        for key, value in (asked.get("buildargs") or {}).items():
            command += ["--build-arg", f"{key}={value}"]
        for option, key in (("--network", "network_mode"), ("--platform", "platform")):
            command += [option, str(asked[key])] if asked.get(key) else []
        env = {**os.environ, "DOCKER_HOST": os.environ.get("DOCKER_HOST") or LOCAL_ENGINE}
        try:
            done = subprocess.run([*command, str(self.directory)], env=env, capture_output=True, text=True, check=False)
        except FileNotFoundError as error:
            raise EnvironmentFailed(
                f"machine {platform.name}: its image has to be built, and there is no docker command",
                hint="install Docker's command line, or name an image with Python and set `pre_build_image: true`",
            ) from error
        if done.returncode != 0:
            said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-SAID_LINES:])
            raise EnvironmentFailed(
                f"machine {platform.name}: no image can be built of {image} with {source}:\n{said}",
                hint="name an image with Python, such as labrig/debian-12:latest, under `images:` in labrig.yml",
            )
        return name
