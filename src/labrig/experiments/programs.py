"""The programs of a lab host as one file that Python starts: nothing else of labrig has to be installed there."""

from __future__ import annotations

import ast
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import labrig

MAIN = "labrig.experiments.host.__main__"
# Every build is the same to the byte, so that a host is told to be changed only where it is.
_TIME = (1980, 1, 1, 0, 0, 0)


def build() -> bytes:
    """Return a zip application: the module that is started, and all of labrig that it needs.

    Nothing in it is compressed: it would come out otherwise with another version of zlib.
    """
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, path in sorted(modules().items()):
            place = "__main__.py" if name == MAIN else path.relative_to(_root().parent).as_posix()
            entry = zipfile.ZipInfo(place, _TIME)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes())
    return file.getvalue()


def modules() -> dict[str, Path]:
    """Return the modules of labrig that a lab host needs, and their packages, by name."""
    found: dict[str, Path] = {}
    left = [MAIN]
    while left:
        name = left.pop()
        path = _path(name)
        if path is None or name in found:
            continue
        found[name] = path
        # Python imports the packages around a module first.
        left += [name.rpartition(".")[0], *(one for one in imported(path) if one.split(".")[0] == "labrig")]
    return found


def imported(path: Path) -> Iterator[str]:
    """Yield what a module imports, also within functions, and not what it imports for type checkers alone.

    ``from a import b`` yields both ``a`` and ``a.b``, which may be a module.
    """
    left: list[ast.AST] = [ast.parse(path.read_bytes())]
    while left:
        node = left.pop()
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                left += node.orelse
            case ast.Import():
                yield from (one.name for one in node.names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module
                yield from (f"{module}.{one.name}" for one in node.names)
            case _:
                left += ast.iter_child_nodes(node)


def _path(name: str) -> Path | None:
    if not name:
        return None
    place = _root().parent.joinpath(*name.split("."))
    return next((one for one in (place / "__init__.py", place.with_suffix(".py")) if one.is_file()), None)


def _root() -> Path:
    return Path(labrig.__file__).parent
