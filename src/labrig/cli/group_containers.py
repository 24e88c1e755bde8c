"""What the verbs of ``labrig group`` that look at containers, or run commands, share."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, Never

import click
from docker import DockerClient

from labrig.engine import cli as docker_command
from labrig.errors import EnvironmentFailed, LabrigError
from labrig.groups import environment
from labrig.groups.choice import known
from labrig.groups.collection import Collection
from labrig.groups.context import ContextValues
from labrig.groups.standing import Standing, standing

prefix_option = click.option(
    "--prefix", default="", metavar="TEXT", help="What stands before the name of each variable, for example SHOP_."
)


def command_options(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say how a command runs in a container."""
    for option in (
        click.option("-T", "--no-tty", is_flag=True, help="No terminal, also where there is one."),
        click.option("-e", "--env", "variables", multiple=True, metavar="NAME[=VALUE]", help="A variable; repeatable."),
        click.option("-w", "--workdir", metavar="DIR", help="Where in the container."),
        click.option("-u", "--user", metavar="USER", help="As whom [default: the container's own user]."),
    ):
        verb = option(verb)
    return verb


def chosen(group: Collection, names: Sequence[str]) -> list[str]:
    """Return the services of these names, or all where there are none, in the order of the file.

    Raises:
        UsageError: The group has no service of that name.
    """
    for name in names:
        known(group.dependencies, name)
    return [name for name in group.services if not names or name in names]


def running(client: DockerClient, group: Collection, service: str) -> Standing:
    """Return the container of a service.

    Raises:
        UsageError: The group has no such service.
        LabrigError: The service does not run.
    """
    known(group.dependencies, service)
    found = standing(client, group).get(service)
    if found is None or found.status != "running":
        state = f"its container is {found.status}" if found else "it has no container"
        raise LabrigError(f"service {service!r} does not run: {state}", hint=f"`start {service}` starts it")
    return found


def exported(group: Collection, prefix: str = "") -> dict[str, Any]:
    """Return what the services of a group hand on, by names of variables.

    Raises:
        UsageError: A name or a value fits no variable.
    """
    context = ContextValues()
    context.load_from(group.directory)
    return environment.variables(context, prefix)


def has_terminal() -> bool:
    """Tell whether somebody sits at both sides."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def become_docker(arguments: Sequence[str]) -> Never:
    """Become ``docker ARGUMENTS``: terminal, signals and exit code are the command's own.

    Raises:
        EnvironmentFailed: There is no docker command.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execvpe("docker", ["docker", *arguments], docker_environment())  # noqa: S606  # there is no shell in between
    except FileNotFoundError as error:
        raise EnvironmentFailed("there is no docker command here", hint="install Docker's command line") from error


def docker_environment() -> dict[str, str]:
    """Return the environment of a docker command that a terminal may be handed to."""
    return docker_command.environment({"TERM": os.environ["TERM"]} if "TERM" in os.environ else None)
