"""The command line of a script that defines services: ``labrig.cli()``."""

from __future__ import annotations

import sys
from pathlib import Path

from labrig.errors import UsageError
from labrig.groups import collection


def run() -> None:
    """Be the command line of the script that calls this: ``labrig group`` with the script as its file.

    Nothing happens while ``labrig group -f`` reads the script.

    Raises:
        UsageError: It is not called from a script.
    """
    if collection.script.is_read:
        return
    file = getattr(sys.modules["__main__"], "__file__", None)
    if file is None:
        raise UsageError("labrig.cli() is called from a script, and here is none")
    # The command line knows this module, too.
    from labrig.cli import run as run_command  # noqa: PLC0415
    from labrig.cli.group import group  # noqa: PLC0415

    run_command(group, name=Path(file).name, subject=lambda: collection.of_script(Path(file)))
