"""The folder that an image is built from: as it is, or a copy with files added; and the hash of what is in it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from labrig.errors import UsageError

Content = Path | str | bytes


@contextlib.contextmanager
def prepared(context: Path | None, files: Mapping[str, Content], parent: Path) -> Iterator[Path]:
    """Yield the folder to build in: the context itself, or, where files are added, a copy of it that goes at the end.

    Args:
        context: None is an empty folder.
        files: By their paths in the context: a file or folder to copy there, or content as text or bytes. What has the
            same path in the context gives way.
        parent: Where a copy is made.

    Raises:
        UsageError: The context or a file does not exist, or a file's path leads out of the context.
    """
    if context is not None and context.is_dir() and not files:
        yield context
        return
    with tempfile.TemporaryDirectory(dir=parent) as temporary:
        folder = Path(temporary) / "context"
        copied(context, files, folder)
        yield folder


def copied(context: Path | None, files: Mapping[str, Content], folder: Path) -> None:
    """Make a folder that is a copy of a context, with files added.

    Args:
        context: None is an empty folder.
        files: As for ``prepared``.
        folder: Which must not be there yet.

    Raises:
        UsageError: The context or a file does not exist, or a file's path leads out of the context.
    """
    if context is None:
        folder.mkdir()
    elif context.is_dir():
        shutil.copytree(context, folder, symlinks=True)
    else:
        raise UsageError(f"the build context {context} is no folder")
    for name, content in files.items():
        _put(folder, name, content)


def _put(folder: Path, name: str, content: Content) -> None:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise UsageError(f"file {name!r} is to lie in the build context", hint="give its path in there, such as etc/x")
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        target.write_bytes(content)
    elif isinstance(content, str):
        target.write_text(content, encoding="utf-8")
    elif content.is_dir():
        shutil.copytree(content, target, symlinks=True, dirs_exist_ok=True)
    elif content.is_file():
        shutil.copy2(content, target)
    else:
        raise UsageError(f"file {content}, for {name!r} in the build context, does not exist")


def digest(folder: Path) -> str:
    """Return the hash of everything below a folder that a build can see: names, modes, content, ends of links."""
    found = hashlib.sha256()
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted([*folders, *names]):
            path = Path(parent, name)
            mode = path.lstat().st_mode
            found.update(f"{path.relative_to(folder)}\0{mode:o}\0".encode(errors="surrogateescape"))
            if path.is_symlink():
                found.update(os.fsencode(path.readlink()))
            elif path.is_file():
                with path.open("rb") as file:
                    found.update(hashlib.file_digest(file, "sha256").digest())
    return found.hexdigest()
