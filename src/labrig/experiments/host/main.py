"""``labrig-lab``: the one program of a lab host, and what it is called with.

Each subcommand imports what it needs: asyncio alone takes longer to import than an edge's file to write.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence

import labrig
from labrig.errors import ExitCode, LabrigError

Action = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line says; return its exit code."""
    chosen = _parser().parse_args(arguments)
    action: Action = chosen.action
    try:
        return action(chosen)
    except LabrigError as error:
        hint = f" ({error.hint})" if error.hint else ""
        sys.stderr.write(f"labrig-lab: {error.message}{hint}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # Who read it has gone; Python would say so once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="labrig-lab", description="The programs of a lab host.", allow_abbrev=False)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, (words, add, action) in _COMMANDS.items():
        command = commands.add_parser(name, help=words, description=words, allow_abbrev=False)
        command.set_defaults(action=action, who="")
        add(command)
    return parser


def _nothing(_: argparse.ArgumentParser) -> None:
    """Add no arguments."""


def _serve(chosen: argparse.Namespace) -> int:
    from labrig.experiments.host import lab  # noqa: PLC0415
    from labrig.experiments.host.engine import Engine  # noqa: PLC0415
    from labrig.experiments.host.serve import serve  # noqa: PLC0415

    # Never closed, and not Python's own, which it would close: that waits for whoever reads.
    requests = os.fdopen(os.dup(sys.stdin.fileno()), "rb")
    serve(lab.hello(chosen.who, lab=lab.read(), engine=Engine()), requests, sys.stdout.buffer)
    return ExitCode.OK


def _list(_: argparse.Namespace) -> int:
    import json  # noqa: PLC0415

    from labrig.experiments import listing  # noqa: PLC0415
    from labrig.experiments.host import lab, looks  # noqa: PLC0415
    from labrig.experiments.host.engine import Engine  # noqa: PLC0415

    found = listing.listed(looks.look(Engine()))
    told = {**lab.resources(), "experiments": [one.object() for one in found]}
    sys.stdout.write(json.dumps(told) + "\n")
    return ExitCode.OK


def _edge_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=("put", "remove"))
    parser.add_argument("file", help="such as shop--login.conf; put reads it from standard input")


def _edge(chosen: argparse.Namespace) -> int:
    from labrig.experiments.host import routing  # noqa: PLC0415

    if chosen.what == "put":
        routing.put(chosen.file, sys.stdin.buffer.read())
    else:
        routing.remove(chosen.file)
    return ExitCode.OK


def _version(_: argparse.Namespace) -> int:
    sys.stdout.write(f"{labrig.__version__}\n")
    return ExitCode.OK


_COMMANDS: Mapping[str, tuple[str, Callable[[argparse.ArgumentParser], None], Action]] = {
    "serve": ("Answer the requests of one deployment, in lines of JSON.", _nothing, _serve),
    "edge": ("Write or remove a file of the edge, and put that into effect; as root.", _edge_arguments, _edge),
    "list": ("List all experiments of this host as JSON.", _nothing, _list),
    "version": ("Tell the version.", _nothing, _version),
}
