"""What the verbs of ``labrig experiment`` that go to a lab host share: their options, and the order made of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from labrig.cli.experiment_board import Board
from labrig.cli.options import project_option, seconds
from labrig.errors import UsageError
from labrig.experiments import configuration, hosts, ordering
from labrig.experiments.deploying import Order

json_option = click.option(
    "--json", "json_file", type=click.Path(path_type=Path), metavar="FILE", help="Write it as JSON; - is stdout."
)
dry_run_option = click.option("--dry-run", is_flag=True, help="Print what would be done, and change nothing.")
wait_option = click.option(
    "--wait",
    metavar="TIME",
    default=None,
    help="Wait so long, for example 10m, for somebody else who changes the experiment [default: not at all].",
)
verbose_option = click.option(
    "-v", "--verbose", is_flag=True, help="Show what commands on the lab host print; with --dry-run, the commands."
)
service_option = click.option(
    "--service", default="", metavar="SERVICE", help="One of its own services [default: the application itself]."
)
_host_option = click.option(
    "--host", default="", metavar="HOST", help="The lab host, of several in the settings, without asking the others."
)
_config_option = click.option(
    "--ssh-config",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    envvar="LABRIG_SSH_CONFIG",
    metavar="FILE",
    help="Read this in place of ~/.ssh/config [$LABRIG_SSH_CONFIG].",
)


def host_options(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which settings hold, and how to reach the lab host."""
    for option in (_config_option, _host_option, project_option):
        verb = option(verb)
    return verb


def command_words(given: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words of a command without the ``--`` that may stand before them.

    Raises:
        UsageError: There is nothing else.
    """
    words = given[1:] if given[:1] == ("--",) else given
    if not words:
        raise UsageError("there is no command after --")
    return words


def lab_hosts(project: Path, host: str, ssh_config: Path | None) -> tuple[tuple[str, ...], Path | None]:
    """Return the lab hosts that are meant, and the file of ssh's settings: without settings, the one that is named.

    Raises:
        UsageError: The settings are wrong, or there are none and no host is named.
    """
    try:
        settings = configuration.read(project)[1]
    except configuration.NoSettings:
        if not host:
            raise
        return (host,), ssh_config
    return (host,) if host else settings.host, hosts.configuration(settings, ssh_config)


def order(
    project: Path,
    name: str,
    *,
    branch: str = "",
    host: str = "",
    ssh_config: Path | None = None,
    dry_run: bool = False,
    wait: str | None = None,
    verbose: bool = False,
    board: Board | None = None,
) -> Order:
    """Return what somebody wants done to one experiment.

    Raises:
        UsageError: The settings are wrong, or the name cannot be one.
    """
    given = ordering.order(
        project,
        name,
        branch=branch,
        host=host,
        ssh_config=ssh_config,
        dry_run=dry_run,
        wait=seconds("--wait", wait) if wait else 0,
        is_loud=verbose,
    )
    return given if board is None else given.watched(board)
