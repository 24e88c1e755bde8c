"""Capturing the state of a machine through any connection: what to run there, and what comes back.

The caller holds the connection, as a function that runs an argument vector there with the given bytes on
standard input and yields what comes out:

    >>> def execute(argv, stdin):
    ...     yield from connection.run(argv, stdin=stdin)
    >>> state = capture(execute)
"""

from __future__ import annotations

import base64
import contextlib
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import resources

from labrig.state.model import State, whole

Execute = Callable[[Sequence[str], bytes], Iterable[bytes | str]]

PACKAGE = "labrig.state.probe"

# Each after those that it imports.
PARTS = ("text", "machine", "canonical", "packages", "files", "units", "accounts", "sockets", "main")

UNPACK = "import base64,zlib;exec(zlib.decompress(base64.b64decode('{}')))"

LOADER = """\
import sys, types
for name, source in {sources!r}:
    module = sys.modules[name] = types.ModuleType(name)
    package, _, own = name.rpartition(".")
    setattr(sys.modules.setdefault(package, types.ModuleType(package)), own, module)
    exec(compile(source, name, "exec"), module.__dict__)
sys.exit(sys.modules["{package}.main"].main(sys.argv[1:]))
"""


def _assembled() -> bytes:
    folder = resources.files(PACKAGE)
    sources = [(f"{PACKAGE}.{part}", folder.joinpath(f"{part}.py").read_text(encoding="utf-8")) for part in PARTS]
    return LOADER.format(sources=sources, package=PACKAGE).encode("ascii")


PROBE: bytes = _assembled()
"""The probe as one source text, for the standard input of ``command()``."""


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


def packed_command(asked: str = "{}", *, python: str = "python3") -> list[str]:
    """Return an argument vector that runs the probe without standard input, for connections that have none.

    The probe travels in one argument, compressed; Linux allows 128 KiB for one. Nothing is written on the machine.
    """
    packed = base64.b64encode(zlib.compress(PROBE, 9)).decode()
    return [python, "-I", "-S", "-B", "-c", UNPACK.format(packed), asked]


def stream(
    execute: Execute,
    *,
    asked: str = "{}",
    python: str = "python3",
    packed: bool = False,
    about: Mapping[str, object] | None = None,
    source: str = "the captured state",
) -> Iterator[str]:
    """Run the probe and yield the lines of the machine's state as they come; nothing is held.

    What a login shell prints before the state is left out.

    Args:
        execute: As for ``capture``; given no standard input where ``packed`` is set.
        asked: From ``request()``.
        python: The interpreter there, 3.8 or newer.
        packed: Send the probe as an argument, for a connection without standard input.
        about: Added to the header: what the machine was captured through.
        source: What messages call the state.

    Raises:
        EnvironmentFailed: The output ends before the state does.
        UsageError: What came back is not a state.
    """
    if packed:
        pieces = execute(packed_command(asked, python=python), b"")
    else:
        pieces = execute(command(asked, python=python), PROBE)
    return whole(_stamped(lines(pieces), about or {}), source=source)


def _stamped(found: Iterable[str], about: Mapping[str, object]) -> Iterator[str]:
    rest = iter(found)
    told = []
    for line in rest:
        if line.startswith("{"):
            with contextlib.suppress(ValueError):
                line = json.dumps({**json.loads(line), **about}, sort_keys=True, separators=(",", ":"))  # noqa: PLW2901
            yield line
            break
        told.append(line)
    else:
        # There is no state in it: what was said instead is for the message.
        yield from told
    for line in rest:
        yield line.rstrip("\r")


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


def lines(pieces: Iterable[bytes | str]) -> Iterable[str]:
    """Yield whole lines from pieces of any size."""
    rest = ""
    for piece in pieces:
        rest += piece if isinstance(piece, str) else piece.decode("ascii", "replace")
        *whole, rest = rest.split("\n")
        yield from whole
    if rest:
        yield rest
