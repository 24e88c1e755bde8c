"""Commands of a lab host's own program whose input, output and exit code are the user's."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from labrig.cli.group_containers import has_terminal
from labrig.errors import EnvironmentFailed, UsageError
from labrig.experiments import hosts
from labrig.experiments.connection import PROGRAM, reached
from labrig.experiments.deploying import Order
from labrig.remote.ssh import BROKEN


def run(
    order: Order, command: str, options: Sequence[str], words: Sequence[str] = (), *, with_terminal: bool = False
) -> int:
    """Run a command of the lab host's program for one experiment; return its exit code.

    Args:
        order: Which experiment, and how its host is reached.
        command: The command.
        options: Its options.
        words: What is run there.
        with_terminal: It gets a terminal, where there is one here.

    Raises:
        EnvironmentFailed: The host is not reached; ssh itself has said why.
    """
    host = hosts.where(order.settings, order.names, host=order.host, config=order.ssh_config)
    argv = [PROGRAM, command, *options, order.names.app, order.names.name, *(["--", *words] if words else [])]
    sys.stdout.flush()
    with reached(host, config=hosts.configuration(order.settings, order.ssh_config)) as over:
        try:
            code = subprocess.run(over.argv(argv, terminal=with_terminal and has_terminal()), check=False).returncode
        except OSError as error:
            raise EnvironmentFailed(f"ssh cannot be started: {error.strerror}", hint="install OpenSSH") from error
        except ValueError as error:
            raise UsageError(str(error)) from error
    if code == BROKEN:
        raise EnvironmentFailed(f"no connection to {host}, or it broke", hint="ssh has said why, above")
    return code if code >= 0 else 128 - code
