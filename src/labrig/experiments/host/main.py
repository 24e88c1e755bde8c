"""``labrig-lab``: the one program of a lab host, and what it is called with.

Each subcommand imports what it needs: asyncio alone takes longer to import than an edge's file to write.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence

import labrig
from labrig.errors import EnvironmentFailed, ExitCode, LabrigError

Action = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None, *, who: str = "") -> int:
    """Run what the command line says; return its exit code.

    Args:
        arguments: Those of the command line, unless others are given.
        who: The developer whose key opened the connection.
    """
    try:
        chosen = _parser().parse_args(arguments, argparse.Namespace(who=who))
        action: Action = chosen.action
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
        command.set_defaults(action=action)
        add(command)
    return parser


def _nothing(_: argparse.ArgumentParser) -> None:
    """Add no arguments."""


def _session_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("developer", help="whose key it is")


def _session(chosen: argparse.Namespace) -> int:
    from labrig.experiments.host import journal, session

    developer = session.checked_developer(chosen.developer)
    arguments = session.command(os.environ.get(session.VARIABLE, ""))
    journal.note(developer, [session.PROGRAM, *arguments])
    return main(arguments, who=developer)


def _serve(chosen: argparse.Namespace) -> int:
    from labrig.experiments.host import lab
    from labrig.experiments.host.engine import Engine
    from labrig.experiments.host.serve import serve

    # Never closed, and not Python's own, which it would close: that waits for whoever reads.
    requests = os.fdopen(os.dup(sys.stdin.fileno()), "rb")
    serve(lab.hello(chosen.who, lab=lab.read(), engine=Engine()), requests, sys.stdout.buffer)
    return ExitCode.OK


def _list(_: argparse.Namespace) -> int:
    import json

    from labrig.experiments import listing
    from labrig.experiments.host import lab, looks
    from labrig.experiments.host.engine import Engine

    found = listing.listed(looks.look(Engine()))
    told = {**lab.resources(), "experiments": [one.object() for one in found]}
    sys.stdout.write(json.dumps(told) + "\n")
    return ExitCode.OK


def _sweep_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="tell what would be removed")
    parser.add_argument("--json", action="store_true", help="tell it as one JSON object at the end")


def _sweep(chosen: argparse.Namespace) -> int:
    import json
    from dataclasses import asdict

    from labrig import clock
    from labrig.experiments import listing
    from labrig.experiments.host import looks, sweeping
    from labrig.experiments.host.engine import Engine
    from labrig.experiments.host.local import Local

    def told(swept: sweeping.Swept) -> None:
        if not chosen.json:
            sys.stdout.write(f"{swept}\n")
            sys.stdout.flush()

    unasked: list[str] = []
    runner, now = Local(), clock.now()
    experiments = listing.listed(looks.look(Engine()))
    there = sweeping.ask(runner, (one.repository for one in experiments), unasked.append)
    over = sweeping.judged(experiments, there, now)
    if chosen.dry_run:
        swept = [sweeping.Swept(one.app, one.name, one.branch, why, "would be removed") for one, why in over]
        for one in swept:
            told(one)
    else:
        swept = sweeping.remove_all(runner, over, there, now, told)
    for reason in unasked:
        sys.stderr.write(f"labrig-lab: {reason}\n")
    if chosen.json:
        content = {"experiments": len(experiments), "swept": [asdict(one) for one in swept], "unasked": unasked}
        sys.stdout.write(json.dumps(content) + "\n")
    return ExitCode.FAILED if any(one.result == "failed" for one in swept) else ExitCode.OK


def _experiment_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("app", help="the application")
    parser.add_argument("name", help="the experiment")
    parser.add_argument("--service", default="", help="one of its services [the application itself]")


def _enter_arguments(parser: argparse.ArgumentParser) -> None:
    _experiment_arguments(parser)
    parser.add_argument("command", nargs="*", help="what to run there [a shell]")


def _enter(chosen: argparse.Namespace) -> int:
    from labrig.experiments.host import inside
    from labrig.experiments.host.engine import Engine
    from labrig.experiments.naming import Names

    names, terminal = Names(chosen.app, chosen.name), sys.stdin.isatty() and sys.stdout.isatty()
    return _become(inside.enter(Engine(), names, chosen.service, chosen.command, has_terminal=terminal))


def _logs_arguments(parser: argparse.ArgumentParser) -> None:
    _experiment_arguments(parser)
    parser.add_argument("--follow", action="store_true", help="go on until the client leaves")
    parser.add_argument("--timestamps", action="store_true", help="with the time of each line")
    parser.add_argument("--tail", type=int, metavar="LINES", help="the last lines alone")
    parser.add_argument("--since", metavar="TIME", help="since a time, ISO 8601, or for so long: 10m")


def _logs(chosen: argparse.Namespace) -> int:
    from labrig.experiments.host import inside
    from labrig.experiments.host.engine import Engine
    from labrig.experiments.naming import Names

    options = ["--follow"] if chosen.follow else []
    options += ["--timestamps"] if chosen.timestamps else []
    options += [f"--tail={chosen.tail}"] if chosen.tail is not None else []
    options += [f"--since={chosen.since}"] if chosen.since else []
    return _become(inside.logs(Engine(), Names(chosen.app, chosen.name), chosen.service, options))


def _become(argv: list[str]) -> int:
    """Run a command in place of this program: its input, output and exit code are that one's."""
    try:
        os.execvp(argv[0], argv)
    except OSError as error:
        raise EnvironmentFailed(f"{argv[0]} cannot be started: {error.strerror}") from error


def _wake(_: argparse.Namespace) -> int:
    from labrig.experiments.host import waking
    from labrig.experiments.host.engine import Engine
    from labrig.experiments.host.local import Local

    waking.serve(Local(), Engine())
    return ExitCode.OK


def _edge_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=("put", "remove"))
    parser.add_argument("file", help="such as shop--login.conf; put reads it from standard input")


def _edge(chosen: argparse.Namespace) -> int:
    from labrig.experiments.host import routing

    if chosen.what == "put":
        routing.put(chosen.file, sys.stdin.buffer.read())
    else:
        routing.remove(chosen.file)
    return ExitCode.OK


def _version(_: argparse.Namespace) -> int:
    sys.stdout.write(f"{labrig.__version__}\n")
    return ExitCode.OK


_COMMANDS: Mapping[str, tuple[str, Callable[[argparse.ArgumentParser], None], Action]] = {
    "session": ("Run what a developer's key asks for, of what is for developers.", _session_arguments, _session),
    "serve": ("Answer the requests of one deployment, in lines of JSON.", _nothing, _serve),
    "list": ("List all experiments of this host as JSON.", _nothing, _list),
    "sweep": ("Remove experiments whose branch is gone or whose time is over.", _sweep_arguments, _sweep),
    "enter": ("Run a command, or a shell, in a container of an experiment.", _enter_arguments, _enter),
    "logs": ("Print what a container of an experiment has written.", _logs_arguments, _logs),
    "wake": ("Wake experiments when they are asked for, and let idle ones sleep.", _nothing, _wake),
    "edge": ("Write or remove a file of the edge, and put that into effect; as root.", _edge_arguments, _edge),
    "version": ("Tell the version.", _nothing, _version),
}
