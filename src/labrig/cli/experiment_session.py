"""Commands of a lab host's own program whose output and exit code are the user's."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from labrig.cli.group_containers import has_terminal
from labrig.errors import EnvironmentFailed, UsageError
from labrig.experiments import hosts
from labrig.experiments.connection import INSTALL, PROGRAM, reached
from labrig.experiments.deploying import Order
from labrig.experiments.protocol import NOT_FOUND
from labrig.remote.ssh import BROKEN

# The command that goes into a container.
ENTER = "enter"


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
        EnvironmentFailed: The host is not reached, ssh itself has said why; or it is no lab host.
    """
    host = hosts.where(order.settings, order.names, host=order.host, config=order.ssh_config)
    asked = [command, *options, order.names.app, order.names.name, *(["--", *words] if words else [])]
    config = hosts.configuration(order.settings, order.ssh_config)
    return attached(host, asked, config, with_terminal=with_terminal)[0]


def attached(
    host: str, words: Sequence[str], config: Path | None, *, with_terminal: bool = False, is_kept: bool = False
) -> tuple[int, str]:
    """Run a command of a lab host's program; return its exit code, and what it wrote where that is kept.

    Args:
        host: As ssh knows it.
        words: The command.
        config: Another file than ~/.ssh/config.
        with_terminal: It gets a terminal, where there is one here.
        is_kept: What it writes is returned, and not shown.

    Raises:
        EnvironmentFailed: The host is not reached, ssh itself has said why; or it is no lab host.
        UsageError: No command can be given such a word.
    """
    sys.stdout.flush()
    # What runs in a container has the user's input and exit code; of all else both are labrig's.
    is_users = words[0] == ENTER
    stdin = None if is_users else subprocess.DEVNULL
    stdout = subprocess.PIPE if is_kept else None
    with reached(host, config=config) as over:
        try:
            argv = over.argv([PROGRAM, *words], terminal=with_terminal and has_terminal())
            done = subprocess.run(argv, stdin=stdin, stdout=stdout, text=True, check=False)
        except OSError as error:
            raise EnvironmentFailed(f"ssh cannot be started: {error.strerror}", hint="install OpenSSH") from error
        except ValueError as error:
            raise UsageError(str(error)) from error
    if done.returncode == BROKEN:
        raise EnvironmentFailed(f"no connection to {host}, or it broke", hint="ssh has said why, above")
    if done.returncode == NOT_FOUND and not is_users:
        raise EnvironmentFailed(f"{host} has not labrig's programs: it is no lab host yet", hint=INSTALL)
    return (done.returncode if done.returncode >= 0 else 128 - done.returncode), done.stdout or ""
