"""``labrig group test``: a command while the group runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

import click
from docker import DockerClient

from labrig.cli.console import words
from labrig.cli.group_board import Board, exit_code, summary
from labrig.cli.group_containers import exported, prefix_option
from labrig.cli.group_options import collection, timeout_option
from labrig.engine import ownership
from labrig.engine.client import connect
from labrig.errors import ExitCode, UsageError
from labrig.groups import environment, operations, saved_logs
from labrig.groups.choice import Choice, in_order
from labrig.groups.collection import Collection
from labrig.groups.progress import Outcome
from labrig.groups.standing import Standing, standing


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@timeout_option
@click.option(
    "--logs",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where logs go when the command fails [default: a folder below ~/.cache/labrig/logs].",
)
@click.option("--keep", is_flag=True, help="Leave the group running.")
@prefix_option
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def test(
    ctx: click.Context, *, timeout: float, logs: Path | None, keep: bool, prefix: str, command: tuple[str, ...]
) -> int:
    """Start the group, run COMMAND, stop the group; without COMMAND, or with options alone, pytest.

    The command finds the values of the context in its environment, as `env` prints them. If it fails, or a service
    does, what the services wrote is saved. What was there before is left as it was: a service that ran goes on. Ends
    with the command's own exit code.
    """
    group = collection(ctx)
    client = connect()
    before = standing(client, group)
    folder = logs or ownership.cache_directory() / "logs" / ownership.new_run_id()
    with Board(in_order(group.dependencies)) as board:
        outcome = operations.start(client, group, timeout=timeout, listener=board.hear)
    code = int(exit_code(outcome))
    try:
        if code == ExitCode.OK:
            code = _run(_command(command), environment.strings(exported(group, prefix)))
        else:
            summary(outcome)
        if code != ExitCode.OK and not outcome.interrupted:
            _save(client, group, outcome, folder)
    finally:
        if not keep:
            _put_back(client, group, before)
    return code


def _command(given: Sequence[str]) -> list[str]:
    if given and not given[0].startswith("-"):
        return list(given)
    return [sys.executable, "-m", "pytest", *given]


def _run(command: Sequence[str], values: Mapping[str, str]) -> int:
    """Run the command to its end, also where the user interrupts it; return its exit code, as a shell has it."""
    try:
        process = subprocess.Popen(command, env={**os.environ, **values})
    except OSError as error:
        raise UsageError(f"cannot run {command[0]}: {error.strerror}") from error
    interrupted = False

    def terminate(number: int, frame: FrameType | None) -> None:
        del frame
        process.send_signal(number)

    # The terminal tells the command of Ctrl-C as well; of other signals it hears from here alone.
    former = signal.signal(signal.SIGTERM, terminate)
    try:
        while True:
            try:
                code = process.wait()
                break
            except KeyboardInterrupt:
                if interrupted:
                    process.kill()
                interrupted = True
    finally:
        signal.signal(signal.SIGTERM, former)
    if interrupted:
        return int(ExitCode.INTERRUPTED)
    return code if code >= 0 else 128 - code


def _save(client: DockerClient, group: Collection, outcome: Outcome, folder: Path) -> None:
    gone = {name: one.logs for name, one in outcome.services.items()}
    saved = saved_logs.save(client, standing(client, group), gone, folder)
    if saved:
        words.print(f"what {', '.join(saved)} wrote is in {folder}", markup=False)


def _put_back(client: DockerClient, group: Collection, before: Mapping[str, Standing]) -> None:
    """Stop and remove what was not there before, and stop what did not run."""
    if not before:
        with Board(list(reversed(in_order(group.dependencies)))) as board:
            operations.stop(client, group, remove=True, listener=board.hear)
        return
    stood = {name for name, one in before.items() if one.status == "running"}
    made = [name for name in group.services if name not in before]
    woken = [name for name in group.services if name in before and name not in stood]
    for names, remove in ((made, True), (woken, False)):
        if names:
            with Board(names) as board:
                operations.stop(client, group, Choice(names, alone=True), remove=remove, listener=board.hear)
    if stood:
        words.print(f"left running, as they were before: {', '.join(sorted(stood))}", markup=False)
