"""Making an image of a machine, however large it is: with the room and the time that it needs, and no more."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping
from pathlib import Path

import requests
from docker import DockerClient
from docker.models.containers import Container

from labrig.engine import client as engine
from labrig.errors import EnvironmentFailed

# Docker reads, hashes and writes every byte that was added, the holes of a sparse file as well: this much in a second
# on a slow disk, and some time that does not depend on it.
BYTES_A_SECOND = 20_000_000
LEAST_SECONDS = 120
MOST_SECONDS = 3600

_LARGE = 1_000_000_000
_HINT = (
    "keep large files out of it: on a volume, or removed before it is kept; sparse ones count as a whole, and "
    "`find / -xdev -size +1G` in the machine names them"
)


def commit(
    client: DockerClient, container: Container, doing: str, *, repository: str, tag: str, conf: Mapping[str, object]
) -> str:
    """Make an image of a container and return the image's id.

    Args:
        client: Of the container's engine.
        container: It need not run.
        doing: What messages call it: ``commit machine web as ...``.
        repository: The image's name without its tag.
        tag: Its tag.
        conf: Its configuration, such as labels.

    Raises:
        EnvironmentFailed: There is no room for it, it takes too long, or the engine refuses.
    """
    with engine.engine_errors(doing):
        added = _added(client, str(container.id))
    room = _room(client)
    if room is not None and added > room:
        raise EnvironmentFailed(
            f"there is no room to {doing}: it adds {_gigabytes(added)} to its image, holes of sparse files counted, "
            f"and {_gigabytes(room)} are free on the engine's disk",
            hint=_HINT,
        )
    seconds = limit(added)
    with engine.engine_errors(doing), contextlib.closing(engine.connect(seconds)) as patient:
        try:
            kept = patient.api.commit(str(container.id), repository=repository, tag=tag, conf=conf)
        except requests.Timeout as error:
            raise EnvironmentFailed(
                f"the Docker Engine did not {doing} within {seconds} s: it adds {_gigabytes(added)} to its image, "
                "holes of sparse files counted",
                hint=_HINT if added > _LARGE else "look at what the engine and its disk are busy with, and try again",
            ) from error
    return str(kept["Id"])


def limit(added: int) -> int:
    """Return the seconds that an image of so many added bytes may take.

    >>> limit(0), limit(10_000_000_000), limit(10**15)
    (120, 620, 3600)
    """
    return min(LEAST_SECONDS + added // BYTES_A_SECOND, MOST_SECONDS)


def _added(client: DockerClient, container: str) -> int:
    """Return how many bytes a container has that its image has not, by the lengths of its files."""
    found = client.api.containers(all=True, size=True, filters={"id": container})
    return int(found[0].get("SizeRw", 0)) if found else 0


def _room(client: DockerClient) -> int | None:
    """Return the free bytes on the engine's disk; None where that is another machine's."""
    root = Path(engine.facts(client).root)
    return shutil.disk_usage(root).free if root.is_dir() else None


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
