"""What Docker objects belong to and go with: a test, a module of tests, a whole session, a script."""

from __future__ import annotations

import contextlib
import itertools
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from docker import DockerClient

from labrig import clock
from labrig.engine import networks, ownership, sweep
from labrig.engine.client import engine_errors
from labrig.engine.reaper import Reaper
from labrig.engine.sweep import Owned

if TYPE_CHECKING:
    from labrig.containers.container import Container
    from labrig.containers.image import Image

# Docker takes longer names, but what a container is called is also its name in DNS, of 63 characters at most.
HINT_LENGTH = 24


@dataclass
class Place:
    """What all owners of one process have in common.

    Attributes:
        client: The engine.
        project: What the labels say under ``org.labrig.owner``.
        reaper: Removes what is left if this process dies.
        keepable: What is made may turn out to be kept, so it bears ``org.labrig.keep`` from the beginning on.
    """

    client: DockerClient
    project: str
    reaper: Reaper
    keepable: bool = False
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))


class Owner:
    """Owns what is made through it: images, containers, networks, volumes, and whatever bears its labels.

    Attributes:
        part: The value of the label ``org.labrig.part``, by which its objects are found.
        test: The test that it is for, as pytest calls it; empty for none.
    """

    def __init__(self, place: Place, *, run: str, part: str, test: str = "", folder: Path | None = None) -> None:
        self.place = place
        self.run = run
        self.part = part
        self.test = test
        self.kept = False
        self._actions: list[Callable[[], object]] = []
        self._given = folder
        self._folder: Path | None = None

    @property
    def client(self) -> DockerClient:
        """The engine's client."""
        return self.place.client

    def labels(self, kind: str) -> dict[str, str]:
        """Return the labels of an object: whatever bears them goes with this owner, whoever made it.

        ``kind`` is ``test`` for a container, ``network``, ``volume``, ``test-image``, or another one of
        ``labrig.engine.ownership``.
        """
        return {
            **ownership.labels(
                kind=kind,
                project=self.place.project,
                run=self.run,
                expires=clock.now() + ownership.KEPT_FOR,
                keep=self.place.keepable,
            ),
            ownership.PART: self.part,
            ownership.TEST: self.test,
        }

    def unique(self, hint: str) -> str:
        """Return a name that nothing else on the engine has, whoever uses it; ``hint`` is for those who read it.

        It can be used for containers, networks and volumes, in DNS, and as the tag of an image:
        ``labrig-20260131-1205-9f3c2a-web-3``.
        """
        return f"labrig-{self.run}-{slug(hint)}-{next(self.place.numbers)}"

    @property
    def folder(self) -> Path:
        """A folder of its own for files, which goes with it."""
        if self._given is not None:
            self._given.mkdir(mode=0o700, exist_ok=True)
            return self._given
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix=f"labrig-{self.part}-"))
            self.place.reaper.watch_folder(str(self._folder))
        return self._folder

    def at_end(self, action: Callable[[], object]) -> None:
        """Call ``action`` before its objects are removed; the last one first."""
        self._actions.append(action)

    def image(self, name: str) -> Image:
        """Return an image that is on the engine, or else is pulled."""
        from labrig.containers.image import Image  # noqa: PLC0415  # it imports this module

        return Image.existing(self, name, pull=True)

    def container(self, image: Image | str, name: str = "") -> Container:
        """Return a container of an image, not running yet; ``name`` is what messages and files call it."""
        from labrig.containers.container import Container  # noqa: PLC0415  # it imports this module

        return Container.from_image(self.image(image) if isinstance(image, str) else image, name, owner=self)

    def network(self, hint: str = "network", *, internal: bool = False, hosts: int = networks.HOSTS) -> str:
        """Create a network for so many containers and return its name."""
        name = self.unique(hint)
        networks.create(self.client, name, self.labels("network"), internal=internal, hosts=hosts)
        return name

    def volume(self, hint: str = "volume") -> str:
        """Create a volume and return its name."""
        name = self.unique(hint)
        networks.create_volume(self.client, name, self.labels("volume"))
        return name

    def own(self, sort: str, name: str) -> None:
        """Take over a ``container`` or an ``image`` that does not bear its labels: it goes with the owner."""
        self.place.reaper.watch_object(sort, name)
        self.at_end(lambda: self.kept or sweep.discard(self.client, sort, name))

    def found(self) -> list[Owned]:
        """Return what the engine has of it."""
        return sweep.find(self.client, part=self.part)

    def keep(self) -> None:
        """Leave everything of it on the engine, until its time is over or ``labrig clean`` removes it."""
        self.kept = True
        self.place.reaper.keep(self.part)
        if self._folder is not None and self._is_mounted(self._folder):
            self.place.reaper.forget_folder(str(self._folder))
            self._folder = None

    def finish(self) -> None:
        """Do what was asked for at the end, but remove nothing from the engine yet."""
        actions, self._actions = self._actions, []
        with contextlib.ExitStack() as stack:
            stack.callback(self._remove_folder)
            for action in actions:
                stack.callback(action)

    def remove(self) -> list[Owned]:
        """Remove everything of it; return what could not be removed since something else uses it."""
        self.finish()
        if self.kept:
            return []
        mine = sweep.passing(self.found())
        gone = sweep.remove(self.client, mine)
        return [thing for thing in mine if thing not in gone]

    def _remove_folder(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self.place.reaper.forget_folder(str(self._folder))
            self._folder = None

    def _is_mounted(self, folder: Path) -> bool:
        with engine_errors("look what containers share"):
            containers = [self.client.api.inspect_container(one.id) for one in self.found() if one.sort == "container"]
        return any(Path(one["Source"]).is_relative_to(folder) for found in containers for one in found["Mounts"])


def slug(text: str) -> str:
    """Return a text as it may stand in names.

    >>> slug("tests/test_shop.py::test_front[a b]")
    'test-front-a-b'
    """
    last = text.rpartition("::")[2] or text
    return re.sub(r"[^a-z0-9]+", "-", last.lower()).strip("-")[:HINT_LENGTH].strip("-") or "thing"
