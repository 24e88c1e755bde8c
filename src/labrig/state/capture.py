"""Capturing the state of a machine through any connection: what to run there, and what comes back.

The caller holds the connection, as a function that runs an argument vector there with the given bytes on
standard input and yields what comes out:

    >>> def execute(argv, stdin):
    ...     yield from connection.run(argv, stdin=stdin)
    >>> state = capture(execute)
"""

from __future__ import annotations

import ast
import base64
import contextlib
import json
import secrets
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib import resources

from labrig.state.model import State, whole

Execute = Callable[[Sequence[str], bytes], Iterable[bytes | str]]

PACKAGE = "labrig.state.probe"

# Each after those that it imports.
PARTS = (
    *("text", "mounts", "memory", "machine", "canonical", "attributes", "packages", "files"),
    *("alternatives", "diversions", "debconf", "openpgp", "apt", "links", "languages", "fstab"),
    *("stale", "units", "sockets", "processes", "netlink", "routes", "firewall", "settings", "schedule"),
    *("masking", "servers", "accounts", "sudo", "authorized"),
    *("postgresql_queries", "postgresql", "mariadb_queries", "mariadb", "redis", "containers"),
    *("main", "look"),
)

FINGERPRINT_KEY = secrets.token_hex(16)
"""For ``request(key=...)``: made anew for each run of labrig, in no output, and gone with it."""

UNPACK = "import base64,zlib;exec(zlib.decompress(base64.b85decode('{}')))"

LOADER = """\
import sys, types
for name, source in {sources!r}:
    module = sys.modules[name] = types.ModuleType(name)
    package, _, own = name.rpartition(".")
    setattr(sys.modules.setdefault(package, types.ModuleType(package)), own, module)
    exec(compile(source, name, "exec"), module.__dict__)
sys.exit(sys.modules["{package}.{entry}"].main(sys.argv[1:], *globals().get("MORE", ())))
"""


MEMORY = '{"memory":'
"""How the line begins that holds what the probe wants to remember."""


class Memory:
    """What the probe remembers of a machine from a capture to the next: what it has read of files.

    Files that have not changed since are then not read again. See ``labrig.state.probe.memory``, which alone
    understands the text.
    """

    def __init__(self, text: str = "") -> None:
        """Begin with nothing, or with the text of a machine that has files in common with this one."""
        self.text = text

    def before(self, source: bytes) -> bytes:
        """Return the probe's source with what it remembers."""
        return f"MORE = ({json.dumps(self.text)},)\n".encode() + source if self.text else source

    def heard(self, found: Iterable[str]) -> Iterator[str]:
        """Yield the lines of a state; keep what is to be remembered, which is no part of it."""
        for line in found:
            if line.startswith(MEMORY):
                with contextlib.suppress(ValueError):
                    self.text = str(json.loads(line)["memory"])
            else:
                yield line


def _assembled(entry: str, *, bare: bool = False) -> bytes:
    folder = resources.files(PACKAGE)
    sources = [(f"{PACKAGE}.{part}", folder.joinpath(f"{part}.py").read_text(encoding="utf-8")) for part in PARTS]
    if bare:
        sources = [(name, _bare(source)) for name, source in sources]
    return LOADER.format(sources=sources, package=PACKAGE, entry=entry).encode("ascii")


def _bare(source: str) -> str:
    """Return a module's source without what only people read."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node, clean=False):
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


@cache
def _packed() -> str:
    return base64.b85encode(zlib.compress(_assembled("main", bare=True), 9)).decode()


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
    key: str = "",
    remember: Iterable[str] | None = None,
) -> str:
    """Return what to ask of the probe, as JSON.

    Args:
        own_addresses: Addresses that read as ``<self>`` besides those the machine finds itself.
        peers: Address to machine name, for the other machines of the same set; read as ``<peer NAME>``.
        root: The root file system to read; anything but ``/`` is one that does not run.
        only: Absolute paths below the root; files outside of them are left out.
        dimensions: Names of ``labrig.state.dimensions``; None for all.
        key: With ``FINGERPRINT_KEY``, two secrets are told apart among the states of this run; without, it is told
            only that there is one. A state that is compared in another run must have been captured without.
        remember: Ask it for a ``Memory``, for ``capture``; the addresses of other machines that are given it next.
    """
    asked: dict[str, object] = {
        "self": list(own_addresses),
        "peers": dict(peers or {}),
        "root": root,
        "only": list(only),
    }
    if dimensions is not None:
        asked["dimensions"] = list(dimensions)
    if key:
        asked["key"] = key
    if remember is not None:
        asked["remember"] = sorted(remember)
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
    return [python, "-I", "-S", "-B", "-c", UNPACK.format(_packed()), asked]


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
    execute: Execute,
    *,
    asked: str = "{}",
    python: str = "python3",
    source: str = "the captured state",
    memory: Memory | None = None,
) -> State:
    """Run the probe and return the machine's state.

    Args:
        execute: Runs an argument vector with bytes on standard input and yields its output, line by line or in
            pieces of any size.
        asked: From ``request()``.
        python: The interpreter there, 3.8 or newer.
        source: What messages call the state.
        memory: Of earlier captures of the same machine, where ``asked`` asks for one; learns from this one.

    Raises:
        EnvironmentFailed: The output ends before the state does.
        UsageError: What came back is not a state.
    """
    if memory is None:
        return State.parse(lines(execute(command(asked, python=python), PROBE)), source=source)
    found = lines(execute(command(asked, python=python), memory.before(PROBE)))
    return State.parse(memory.heard(found), source=source)


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
