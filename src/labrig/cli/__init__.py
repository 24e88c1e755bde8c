"""The ``labrig`` command: one module per noun, arguments in, words out."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import traceback
from types import ModuleType
from typing import Any, Never

import click

from labrig import __version__, interrupts
from labrig.cli.late import Late
from labrig.errors import ExitCode, LabrigError
from labrig.plain import plain

# Loaded when called for, so that `labrig --version` does not wait for Docker's library.
COMMANDS = {
    "prove": "Prove that the project's change is safe on a blank machine and on production.",
    "init": "Give a role, a collection or a project of playbooks its first scenario.",
    "state": "What is on a machine: capture it, compare two machines, or one with its own past.",
    "snapshot": "Production's state, kept as an image: build, list, push, prune.",
    "group": "Services in Python or in a compose file: start them in order, look at them, test them.",
    "experiment": "Branches on lab hosts, each under a URL of its own: create, update, look, delete.",
    "image": "The base images that machines start from: build, list.",
    "doctor": "Tell whether this machine has what labrig needs, and what to do where not.",
    "clean": "Remove what dead runs and kept machines left on the engine.",
}


@click.group(cls=Late, table=COMMANDS, module="labrig.cli.{}", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="labrig")
@click.option("--debug", is_flag=True, help="Show tracebacks, and what is run.")
def cli(*, debug: bool) -> None:
    """Prove an infrastructure change before it reaches a server.

    Exit codes: 0 proven or done; 1 disproved, or a test failed; 2 usage or configuration error;
    3 the environment failed; 130 interrupted.
    """
    if debug:
        os.environ["LABRIG_DEBUG"] = "1"


def is_debugging() -> bool:
    """Tell whether tracebacks are wanted."""
    return bool(os.environ.get("LABRIG_DEBUG"))


def main() -> Never:
    """Run the command line, and end with the exit code that the outcome stands for."""
    run(cli, name="labrig")


def run(command: click.Command, *, name: str, subject: Any = None) -> Never:
    """Run a command with the arguments of this process, and end with the exit code that the outcome stands for.

    Args:
        command: What is run.
        name: What the user called.
        subject: What the command finds in its context.
    """
    # A terminated run cleans up as an interrupted one does.
    interrupts.hear(signal.SIGTERM)
    try:
        code = command.main(prog_name=name, standalone_mode=False, obj=subject)
    except click.exceptions.Abort:
        _end("interrupted", ExitCode.INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(ExitCode.USAGE)
    except KeyboardInterrupt:
        _end("interrupted", ExitCode.INTERRUPTED)
    except LabrigError as error:
        if is_debugging():
            traceback.print_exc()
        _end(f"error: {error.message}" + (f"\n  hint: {error.hint}" if error.hint else ""), error.exit_code)
    except BrokenPipeError:
        sys.stdout = None  # the reader is gone; nothing more can be said
        sys.exit(ExitCode.OK)
    except Exception as error:  # noqa: BLE001  # the last resort: no user sees a traceback unasked
        if is_debugging():
            traceback.print_exc()
        _end(
            f"error: unexpected {type(error).__name__}: {error}\n  hint: a defect of labrig; --debug shows where",
            ExitCode.ENVIRONMENT,
        )
    sys.exit(code if isinstance(code, int) else ExitCode.OK)


def _end(message: str, code: ExitCode) -> Never:
    click.echo(plain(f"labrig: {message}"), err=True)
    sys.exit(code)


class _Callable(ModuleType):
    """This package, which scripts that define services also call: ``labrig.cli()`` is their own command line."""

    def __call__(self) -> None:
        """Be the command line of the script that calls it."""
        importlib.import_module("labrig.cli.script").run()


# The name `cli` of package labrig is this package as soon as anybody imports it, and a function to those scripts.
sys.modules[__name__].__class__ = _Callable
