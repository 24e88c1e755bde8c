"""What a Dockerfile is built from, and the same file built from something else: text in, text out."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping

from labrig.errors import UsageError

# FROM and COPY --from go on behind a line that ends in a backslash; Docker knows no other place for an image's name.
_FROM = re.compile(
    r"^(?P<before>\s*FROM\s+(?:(?:--\S+|\\\n)\s*)*)(?P<image>[^\s\\]+)(?P<stage>(?:\s+AS\s+\S+)?)",
    re.IGNORECASE | re.MULTILINE,
)
_COPY = re.compile(r"^(?P<before>\s*COPY\s+(?:\S*\s+|\\\n)*?--from=)(?P<image>[^\s\\]+)", re.IGNORECASE | re.MULTILINE)
_ARG = re.compile(r"^\s*ARG\s+(\w+)(?:=(\S*))?", re.IGNORECASE | re.MULTILINE)
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::-([^}]*))?\}|(\w+))")
SCRATCH = "scratch"


def images(text: str, build_args: Mapping[str, str] | None = None) -> list[str]:
    r"""Return the images that a Dockerfile is built from, with build arguments filled in; no stages of its own.

    >>> images("ARG V=12\nFROM debian:$V AS base\nFROM base\nCOPY --from=tools /a /a\n")
    ['debian:12', 'tools']
    """
    known = _arguments(text, build_args or {})
    stages = _stages(text)
    named = [found["image"] for found in (*_FROM.finditer(text), *_COPY.finditer(text))]
    filled = [_filled(name, known) for name in named]
    return list(dict.fromkeys(name for name in filled if not _is_stage(name, stages)))


def substituted(text: str, images_for: Mapping[str, str], build_args: Mapping[str, str] | None = None) -> str:
    r"""Return a Dockerfile that is built from other images.

    Args:
        text: The Dockerfile.
        images_for: For an image's name, as it stands there or with build arguments filled in, the one to take instead.
        build_args: As for the build.

    Raises:
        UsageError: It is not built from one of these images.

    >>> substituted("FROM --platform=linux/amd64 debian:12 AS base\nFROM base\n", {"debian:12": "labrig/debian-12"})
    'FROM --platform=linux/amd64 labrig/debian-12 AS base\nFROM base\n'
    """
    known = _arguments(text, build_args or {})
    stages = _stages(text)
    used: set[str] = set()

    def other(found: re.Match[str]) -> str:
        written = found["image"]
        for name in (written, _filled(written, known)):
            if name in images_for and not _is_stage(name, stages):
                used.add(name)
                return found["before"] + images_for[name] + found.groupdict().get("stage", "")
        return found[0]

    changed = _COPY.sub(other, _FROM.sub(other, text))
    _all_used(images_for, used, images(text, build_args))
    return changed


def _all_used(asked: Iterable[str], used: set[str], there: list[str]) -> None:
    for name in asked:
        if name not in used:
            near = difflib.get_close_matches(name, there, n=1)
            raise UsageError(
                f"the Dockerfile is not built from image {name}, but from {', '.join(there) or 'nothing'}",
                hint=f"did you mean {near[0]}?" if near else "leave the substitution out",
            )


def _arguments(text: str, given: Mapping[str, str]) -> dict[str, str]:
    """Return the build arguments that FROM can use: those that are declared before the first one."""
    first = _FROM.search(text)
    declared = _ARG.finditer(text, 0, first.start() if first else len(text))
    return {name: given.get(name, (value or "").strip("\"'")) for name, value in (one.groups() for one in declared)}


def _filled(name: str, known: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda found: known.get(found[1] or found[3]) or found[2] or "", name)


def _stages(text: str) -> set[str]:
    return {found["stage"].split()[-1].lower() for found in _FROM.finditer(text) if found["stage"]}


def _is_stage(name: str, stages: set[str]) -> bool:
    return name.lower() in stages or name.isdigit() or name.lower() == SCRATCH
