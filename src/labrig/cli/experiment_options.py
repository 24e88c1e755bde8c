"""What the verbs of ``labrig experiment`` that go to a lab host share: their options, and the order made of them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import click

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
    default="0s",
    callback=lambda _context, _option, value: seconds("--wait", value) if value != "0s" else 0.0,
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


@dataclass(frozen=True)
class Call:
    """What all verbs that go to a lab host may be called with.

    Attributes:
        project: The folder whose settings hold.
        host: The lab host that is named; empty for none.
        ssh_config: Another file than ~/.ssh/config.
        dry_run: Nothing is changed.
        wait: Seconds to wait for somebody else.
        verbose: What commands write is shown.
    """

    project: Path
    host: str
    ssh_config: Path | None
    dry_run: bool = False
    wait: float = 0.0
    verbose: bool = False

    def order(self, name: str, *, branch: str = "") -> Order:
        """Return what is wanted done to one experiment.

        Raises:
            UsageError: The settings are wrong, or the name cannot be one.
        """
        return ordering.order(
            self.project,
            name,
            branch=branch,
            host=self.host,
            ssh_config=self.ssh_config,
            dry_run=self.dry_run,
            wait=self.wait,
            is_loud=self.verbose,
        )

    def lab_hosts(self) -> tuple[tuple[str, ...], Path | None]:
        """Return the lab hosts that are meant, and the file of ssh's settings; without settings, the one that is named.

        Raises:
            UsageError: The settings are wrong, or there are none and no host is named.
        """
        try:
            settings = configuration.read(self.project)[1]
        except configuration.NoSettings:
            if not self.host:
                raise
            return (self.host,), self.ssh_config
        return (self.host,) if self.host else settings.host, hosts.configuration(settings, self.ssh_config)


def host_options(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which settings hold, and how to reach the lab host; the verb gets a ``call`` of them.

    Of the options below it, those that ``Call`` has go into it as well.
    """

    @functools.wraps(verb)
    def called(**given: Any) -> Any:
        own = {one.name: given.pop(one.name) for one in fields(Call) if one.name in given}
        return verb(call=Call(**own), **given)

    for option in (_config_option, _host_option, project_option):
        called = option(called)
    return called


def change_options(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of verbs that carry out a plan."""
    for option in (json_option, verbose_option, wait_option, dry_run_option):
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
