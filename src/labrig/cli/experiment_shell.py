"""``labrig experiment shell``: a shell in an experiment's container."""

from __future__ import annotations

import click

from labrig.cli.experiment_options import Call, host_options, service_option
from labrig.cli.experiment_session import ENTER, run


@click.command()
@host_options
@service_option
@click.argument("name")
def shell(*, call: Call, service: str, name: str) -> int:
    """Open the best shell there is in the container that serves experiment NAME.

    What is changed there is gone with the next deployment. Ends with the shell's own exit code.
    """
    given = call.order(name)
    return run(given, ENTER, [f"--service={service}"] if service else [], with_terminal=True)
