"""``labrig state``: look at a machine, and compare two."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Generator, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from labrig.cli.console import out, words
from labrig.errors import ExitCode, UsageError
from labrig.state import comparison, sides
from labrig.state.comparison import Told
from labrig.state.dimensions import DIMENSIONS
from labrig.state.model import State
from labrig.state.rules import DEFAULT_RULES
from labrig.targets import files, read
from labrig.targets.read import Wish
from labrig.targets.target import Target

Command = Callable[..., Any]


@click.group()
def state() -> None:
    """What is on a machine: capture it, compare two machines, or one with its own past.

    A TARGET is container:NAME, image:NAME, ssh://[USER@]HOST[:PORT], local, or a FILE that `capture` wrote (- is
    stdin). A word without a prefix is an existing file, else a container, else an image.
    """


def _what(command: Command) -> Command:
    """Add the options that say what is read, and how."""
    for option in (
        click.option("--only", multiple=True, metavar="PATH", help="Of the files only PATH and what is below it."),
        click.option(
            "--dimension",
            "dimensions",
            multiple=True,
            metavar="NAME",
            help="Only this dimension; `labrig state dimensions` lists them.",
        ),
        click.option("--become", is_flag=True, help="Over ssh and on this machine: read as root, through sudo."),
        click.option(
            "--ssh-config",
            type=click.Path(path_type=Path, dir_okay=False, exists=True),
            envvar="LABRIG_SSH_CONFIG",
            metavar="FILE",
            help="Use this instead of ~/.ssh/config.",
        ),
    ):
        command = option(command)
    return command


@state.command()
@click.argument("target")
@click.option("-o", "--output", default="-", metavar="FILE", help="Where to; .gz compresses [default: stdout].")
@_what
def capture(*, target: str, output: str, **asked: Any) -> None:
    """Write the state of TARGET as JSON lines.

    FILE is there only when it is whole, and readable to you alone. Ends with 3 where the machine is not reached or the
    connection breaks.
    """
    wish = _wish(**asked)
    files.check_name(output)
    found = read.find(target, _tell)
    unreadable: dict[str, str] = {}
    with contextlib.closing(_watched(found, wish, unreadable)) as lines:
        count = files.write(output, lines)
    for dimension, reason in unreadable.items():
        _tell(f"{dimension} could not be read completely: {reason}")
    # Neither header nor end is an entry.
    where = "" if output == "-" else f", written to {output}"
    words.print(f"{found}: {count - 2 - len(unreadable)} entries{where}", markup=False)


def _watched(target: Target, wish: Wish, unreadable: dict[str, str]) -> Generator[str, None, None]:
    """Yield the lines of a state, and note what could not be read."""
    source: Iterable[str] = read.lines(target, wish)
    if target.kind == "file" and (wish.only or wish.dimensions):
        source = sides.within(State.parse(source), only=wish.only, dimensions=wish.dimensions).lines()
    for line in source:
        # Keys are written in order, and an entry has a key: only the few others are looked into.
        if line.startswith('{"dimension":') and '"key":' not in line[:80]:
            record = json.loads(line)
            unreadable[record["dimension"]] = record["unreadable"]
        yield line


@state.command()
@click.argument("left")
@click.argument("right")
@click.option("--json", "json_file", metavar="FILE", help="Write the comparison as JSON; - is stdout.")
@click.option(
    "--rules",
    type=click.Choice([*comparison.RULES]),
    help="Which rules hold [default: one-machine where both are one machine, else two-machines].",
)
@click.option("--same-machine", is_flag=True, help="The same as --rules one-machine.")
@_what
def compare(
    *, left: str, right: str, json_file: str | None, rules: str | None, same_machine: bool, **asked: Any
) -> int:
    """Compare the states of two TARGETs: what differs, in sentences.

    Ends with 0 where they are the same, 1 where they differ.
    """
    if same_machine and rules not in (None, "one-machine"):
        raise UsageError(f"--same-machine and --rules {rules} exclude each other")
    if json_file is not None:
        files.check_name(json_file)
    pair = _both(left, right, _wish(**asked))
    told = comparison.tell(*pair, rules="one-machine" if same_machine else rules or "")
    if json_file is not None:
        files.write(json_file, [json.dumps(told.as_json(), indent=2, sort_keys=True)])
    printer = words if json_file == "-" else out
    for line in told.lines():
        printer.print(line, markup=False, soft_wrap=True)
    return ExitCode.OK if told.same else ExitCode.FAILED


@state.command()
def dimensions() -> None:
    """List the dimensions of a state: what is captured."""
    table = Table("dimension", "holds", "keys look like", box=None, pad_edge=False)
    for one in DIMENSIONS.values():
        table.add_row(one.name, one.holds, one.key)
    out.print(table)


@state.command()
@click.option("--of", "pair", nargs=2, metavar="A B", help="Two TARGETs: with how often each rule applied.")
@click.option("--applied", is_flag=True, help="Only those that applied.")
@_what
def rules(*, pair: tuple[str, str] | None, applied: bool, **asked: Any) -> None:
    """List the rules: named reasons why a difference does not count."""
    told: Told | None = comparison.tell(*_both(*pair, _wish(**asked))) if pair else None
    if applied and told is None:
        raise UsageError("--applied goes with --of A B")
    counts = {one.rule: one.count for one in told.found.ignored} if told else {}
    table = Table(
        *(("applied",) if told else ()), "rule", "dimension", "sets aside", "reason", box=None, pad_edge=False
    )
    for one in DEFAULT_RULES:
        if applied and one.name not in counts:
            continue
        reason = one.reason + ("; only between two machines" if one.between_machines else "")
        count = (str(counts.get(one.name, 0)),) if told else ()
        table.add_row(*count, one.name, one.dimension, ", ".join(sorted(one.fields)) or "the entry", reason)
    out.print(table)
    if told is not None:
        out.print(told.answer(), markup=False)


def _wish(*, only: tuple[str, ...], dimensions: tuple[str, ...], become: bool, ssh_config: Path | None) -> Wish:
    for path in only:
        if not path.startswith("/"):
            raise UsageError(f"--only {path}: expected an absolute path")
    for name in dimensions:
        if name not in DIMENSIONS:
            raise UsageError(
                f"--dimension {name}: there is none of that name", hint=f"there are {', '.join(DIMENSIONS)}"
            )
    return Wish(only, dimensions or None, become, ssh_config, tell=_tell)


def _both(left: str, right: str, wish: Wish) -> tuple[State, State]:
    """Return both states; a machine is read as the file that it is compared with was, if it is compared with one."""
    targets = [read.find(word, _tell) for word in (left, right)]
    if [target.name for target in targets if target.kind == "file"] == ["-", "-"]:
        raise UsageError("only one of both can be standard input")
    found: dict[int, State] = {}
    # Files first: they are read at once, and say what to ask of a machine.
    for place, target in sorted(enumerate(targets), key=lambda one: one[1].kind != "file"):
        asked = wish
        for past in found.values():
            if target.kind != "file" and targets[1 - place].kind == "file":
                asked = _as_captured(past, wish)
        found[place] = read.state(target, asked)
    return found[0], found[1]


def _as_captured(past: State, wish: Wish) -> Wish:
    only = wish.only or tuple(past.header.get("only") or ())
    dimensions = wish.dimensions
    if dimensions is None and set(past.header.get("dimensions", DIMENSIONS)) < set(DIMENSIONS):
        dimensions = tuple(name for name in past.header["dimensions"] if name in DIMENSIONS)
    return replace(wish, only=only, dimensions=dimensions)


def _tell(sentence: str) -> None:
    words.print(f"note: {sentence}", markup=False)
