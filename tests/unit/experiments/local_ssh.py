"""An ``ssh`` for tests that runs its command on this machine, whatever the host is called."""

from __future__ import annotations

import os
import shlex
import stat
from pathlib import Path

import pytest

SSH = """\
#!/bin/sh
case " $* " in *" -O exit "*) exit 0;; esac
printf '%s\\n' "$@" > {folder}/arguments
while [ "$1" != -- ]; do shift; done
HOST=$2 PATH={folder}:$PATH exec sh -c "exec $3"
"""


class LocalSsh:
    """The folder in which ``ssh`` is, and beside it what its commands find.

    Attributes:
        folder: Where they are.
    """

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.program("ssh", SSH.format(folder=shlex.quote(str(folder))))
        patch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def program(self, name: str, text: str) -> None:
        """Make a text a program of the host; the variable HOST tells it what the host was called."""
        path = self.folder / name
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    @property
    def arguments(self) -> list[str]:
        """The arguments of ssh when it was last called."""
        return (self.folder / "arguments").read_text().splitlines()
