"""Capturing the state of a machine through any connection: what to run there, and what comes back.

The caller holds the connection, as a function that runs an argument vector there with the given bytes on
standard input and yields what comes out:

    >>> def execute(argv, stdin):
    ...     yield from connection.run(argv, stdin=stdin)
    >>> state = capture(execute)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import resources

from labrig.state.model import State

Execute = Callable[[Sequence[str], bytes], Iterable[bytes | str]]

PACKAGE = "labrig.state.probe"

# Each after those that it imports.
PARTS = ("text", "machine", "canonical", "packages", "files", "units", "accounts", "sockets", "main", "look")

LOADER = """\
import sys, types
for name, source in {sources!r}:
    module = sys.modules[name] = types.ModuleType(name)
    package, _, own = name.rpartition(".")
    setattr(sys.modules.setdefault(package, types.ModuleType(package)), own, module)
    exec(compile(source, name, "exec"), module.__dict__)
sys.exit(sys.modules["{package}.{entry}"].main(sys.argv[1:]))
"""


def _assembled(entry: str) -> bytes:
    folder = resources.files(PACKAGE)
    sources = [(f"{PACKAGE}.{part}", folder.joinpath(f"{part}.py").read_text(encoding="utf-8")) for part in PARTS]
    return LOADER.format(sources=sources, package=PACKAGE, entry=entry).encode("ascii")


PROBE: bytes = _assembled("main")
"""The probe as one source text, for the standard input of ``command()``."""

LOOK: bytes = _assembled("look")
"""The same for a look at a few things only."""


def request(
    *,
    own_addresses: Iterable[str] = (),
    peers: Mapping[str, str] | None = None,
    root: str = "/",
    only: Iterable[str] = (),
    dimensions: Iterable[str] | None = None,
) -> str:
    """Return what to ask of the probe, as JSON.

    Args:
        own_addresses: Addresses that read as ``<self>`` besides those the machine finds itself.
        peers: Address to machine name, for the other machines of the same set; read as ``<peer NAME>``.
        root: The root file system to read; anything but ``/`` is one that does not run.
        only: Absolute paths below the root; files outside of them are left out.
        dimensions: Names of ``labrig.state.dimensions``; None for all.
    """
    asked: dict[str, object] = {
        "self": list(own_addresses),
        "peers": dict(peers or {}),
        "root": root,
        "only": list(only),
    }
    if dimensions is not None:
        asked["dimensions"] = list(dimensions)
    return json.dumps(asked)


def command(asked: str = "{}", *, python: str = "python3") -> list[str]:
    """Return the argument vector that runs ``PROBE`` from standard input.

    Python is kept to itself there: it takes no settings from the machine (-I), loads no site packages (-S) and
    writes no byte code (-B), so that looking changes nothing.
    """
    return [python, "-I", "-S", "-B", "-", asked]


def capture(
    execute: Execute, *, asked: str = "{}", python: str = "python3", source: str = "the captured state"
) -> State:
    """Run the probe and return the machine's state.

    Args:
        execute: Runs an argument vector with bytes on standard input and yields its output, line by line or in
            pieces of any size.
        asked: From ``request()``.
        python: The interpreter there, 3.8 or newer.
        source: What messages call the state.

    Raises:
        EnvironmentFailed: The output ends before the state does.
        UsageError: What came back is not a state.
    """
    return State.parse(lines(execute(command(asked, python=python), PROBE)), source=source)


def look(
    execute: Execute, keys: Mapping[str, Sequence[str]], *, asked: str, python: str = "python3", contents: int = 0
) -> State:
    """Return the state of a few things only; what is not there has no entry.

    Args:
        execute: As for ``capture``.
        keys: The keys to look at, by dimension.
        asked: From ``request()``, for addresses.
        python: The interpreter there, 3.8 or newer.
        contents: Up to how many bytes a file's ``content`` is read; it comes in base64.

    Raises:
        EnvironmentFailed: The output ends before the state does.
        UsageError: What came back is not a state.
    """
    wanted = {"keys": {name: list(some) for name, some in keys.items()}, "contents": contents}
    argv = command(json.dumps({**json.loads(asked), **wanted}), python=python)
    return State.parse(lines(execute(argv, LOOK)), source="a look at a machine")


def lines(pieces: Iterable[bytes | str]) -> Iterable[str]:
    """Yield whole lines from pieces of any size."""
    rest = ""
    for piece in pieces:
        rest += piece if isinstance(piece, str) else piece.decode("ascii", "replace")
        *whole, rest = rest.split("\n")
        yield from whole
    if rest:
        yield rest
