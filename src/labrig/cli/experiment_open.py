"""``labrig experiment open``: an experiment in the browser."""

from __future__ import annotations

import webbrowser
from urllib.parse import urlsplit

import click

from labrig.cli.console import out, words
from labrig.cli.experiment_options import Call, host_options
from labrig.errors import EnvironmentFailed, UsageError
from labrig.experiments import inspecting, reachable


@click.command()
@host_options
@click.argument("name")
def open(*, call: Call, name: str) -> None:  # noqa: A001  # as the verb is called
    """Print the URL of experiment NAME and show it in the browser; one that sleeps wakes with that."""
    found = inspecting.status(call.order(name))
    if found.state == "was never ready":
        raise UsageError(
            f"{found.app}/{found.name} has never been ready, so there is nothing to show",
            hint="`labrig experiment status` tells more",
        )
    out.print(found.url, markup=False, soft_wrap=True)
    called = urlsplit(found.url).hostname or ""
    if not reachable.Name(called).resolves():
        domain = called.partition(".")[2]
        raise EnvironmentFailed(
            f"{called} does not resolve here", hint=f"a record *.{domain} has to lead to {found.host}"
        )
    if not webbrowser.open(found.url):
        words.print("there is no browser here", markup=False)
