"""``labrig group run``: one command in a container of its own."""

from __future__ import annotations

import os
import subprocess

import click
from docker import DockerClient

from labrig.cli.group_board import Board, exit_code, summary
from labrig.cli.group_containers import command_options, docker_environment, has_terminal
from labrig.cli.group_options import collection
from labrig.engine.client import connect
from labrig.errors import EnvironmentFailed, ExitCode, UsageError
from labrig.groups import one_off, operations
from labrig.groups.choice import Choice, known, to_start
from labrig.groups.collection import Collection


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--no-deps", is_flag=True, help="Do not start what the service depends on.")
@command_options
@click.argument("service")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def run(
    ctx: click.Context,
    *,
    no_deps: bool,
    user: str | None,
    workdir: str | None,
    variables: tuple[str, ...],
    no_tty: bool,
    service: str,
    command: tuple[str, ...],
) -> int:
    """Run COMMAND in a new container that is like that of SERVICE; without COMMAND, the service's own.

    It has the service's image, variables, volumes, secrets and networks, but neither its ports nor its name there. What
    the service depends on is started first, and stays. The container is removed afterwards. Ends with the command's own
    exit code.
    """
    group = collection(ctx)
    known(group.dependencies, service)
    client = connect()
    env = dict(_variable(one) for one in variables)
    needed = group.dependencies[service]
    if needed and not no_deps:
        code = _start(client, group, Choice(needed))
        if code != ExitCode.OK:
            return code
    tty = has_terminal() and not no_tty
    with one_off.created(
        client,
        group,
        service,
        lambda found, name: one_off.definition(
            found, name, command=command, env=env, user=user, workdir=workdir, tty=tty
        ),
    ) as container:
        interrupted = _attach(container)
        ended = one_off.exit_code(client, container)
        if ended is not None:
            return ended
        if not interrupted:
            raise EnvironmentFailed(f"docker has left the command in service {service!r} before it had ended")
        # It was not started yet; or it does not hear Ctrl-C, and nobody is attached to it any more.
        return int(ExitCode.INTERRUPTED)


def _variable(given: str) -> tuple[str, str | None]:
    """Return name and value of ``NAME=VALUE``; ``NAME`` alone takes the caller's."""
    name, equals, value = given.partition("=")
    if not name:
        raise UsageError(f"--env: expected NAME or NAME=VALUE, found {given!r}")
    return name, value if equals else os.environ.get(name)


def _start(client: DockerClient, group: Collection, needed: Choice) -> ExitCode:
    with Board(to_start(group.dependencies, needed)) as board:
        outcome = operations.start(client, group, needed, listener=board.hear)
    code = exit_code(outcome)
    if code != ExitCode.OK:
        summary(outcome)
    return code


def _attach(container: str) -> bool:
    """Start a container, and be its terminal until it ends; return whether the user interrupted it."""
    command = ["docker", "start", "--attach", "--interactive", container]
    try:
        process = subprocess.Popen(command, env=docker_environment())
    except FileNotFoundError as error:
        raise EnvironmentFailed("there is no docker command here", hint="install Docker's command line") from error
    with process:
        try:
            process.wait()
        except KeyboardInterrupt:
            # The terminal has told docker's command as well, which tells the container. A second one ends the wait.
            process.wait()
            return True
    return False
