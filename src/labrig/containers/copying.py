"""Files into a container and out of it: as tar archives, which is how the engine takes and gives them."""

from __future__ import annotations

import io
import tarfile
import tempfile
from pathlib import Path, PurePosixPath

from docker import DockerClient
from docker.errors import NotFound

from labrig.engine.client import engine_errors
from labrig.errors import UsageError

SPOOLED_BYTES = 8_000_000


def copy_in(client: DockerClient, container: str, label: str, source: Path | bytes, target: str, mode: int) -> None:
    """Put a file, a folder or bytes at a path in a container; folders above it are made, owners are root.

    The container need not run. ``mode`` is for bytes; files and folders keep theirs.

    Raises:
        UsageError: There is no such file, or the path is not absolute.
    """
    path = PurePosixPath(target)
    if not path.is_absolute():
        raise UsageError(f"cannot copy into container {label}: {target} is no absolute path")
    if isinstance(source, Path) and not source.exists():
        raise UsageError(f"cannot copy into container {label}: {source} does not exist")
    with tempfile.SpooledTemporaryFile(SPOOLED_BYTES) as packed:
        with tarfile.open(fileobj=packed, mode="w") as archive:
            name = str(path.relative_to("/"))
            if isinstance(source, bytes):
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(source), mode
                archive.addfile(entry, io.BytesIO(source))
            else:
                archive.add(source, name, filter=_owned_by_root)
        packed.seek(0)
        with engine_errors(f"copy to {target} in container {label}"):
            client.api.put_archive(container, "/", packed)


def copy_out(client: DockerClient, container: str, label: str, source: str, target: Path) -> Path:
    """Copy a file or a folder of a container to ``target`` and return that; what is there already is written over.

    The container need not run. Files belong to the caller; a folder's content comes into the folder ``target``.

    Raises:
        UsageError: The container has no such file.
    """
    with tempfile.TemporaryFile() as packed:
        with engine_errors(f"copy {source} out of container {label}"):
            try:
                pieces, _ = client.api.get_archive(container, source)
            except NotFound as error:
                raise UsageError(f"container {label} has no {source}: {error.explanation}") from error
            for piece in pieces:
                packed.write(piece)
        packed.seek(0)
        with tarfile.open(fileobj=packed) as archive:
            for entry in archive.getmembers():
                # The first part of each name is the last one of the source's.
                below = PurePosixPath(entry.name).parts[1:]
                entry.name = str(PurePosixPath(target.name, *below))
                if entry.islnk():
                    entry.linkname = str(PurePosixPath(target.name, *PurePosixPath(entry.linkname).parts[1:]))
                target.parent.mkdir(parents=True, exist_ok=True)
                archive.extract(entry, target.parent, filter=_safe)
    return target


def _owned_by_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    return entry


def _safe(entry: tarfile.TarInfo, target: str) -> tarfile.TarInfo | None:
    # Nothing that a container says may be written elsewhere; devices and the like have no place outside of it.
    try:
        return tarfile.data_filter(entry, target)
    except (tarfile.SpecialFileError, tarfile.AbsoluteLinkError, tarfile.LinkOutsideDestinationError):
        return None
