"""The lab host runs the commands of plans by itself, as it runs those of a client."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from labrig.experiments.command import Command
from labrig.experiments.protocol import LATE, NOT_FOUND, REFUSED, Done
from labrig.experiments.running import USUAL_SECONDS, Hear

# As many as there are questions about one experiment would only wait for each other.
_AT_ONCE = 8


class Local:
    """A ``Runner`` on the lab host itself."""

    @property
    def host(self) -> str:
        """What the lab host calls itself."""
        return socket.gethostname()

    def run(self, command: Command, *, seconds: float | None = USUAL_SECONDS, hear: Hear | None = None) -> Done:
        """Run a command to its end, whatever its exit code is."""
        program = command.argv[0]
        try:
            process = subprocess.Popen(
                command.argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd="/",
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
        except FileNotFoundError:
            return Done(0, NOT_FOUND, err=f"{program} is not installed")
        except OSError as error:
            return Done(0, REFUSED, err=f"{program} cannot be started: {error.strerror}")
        with process:
            try:
                out, err = process.communicate(command.stdin, timeout=seconds)
                code = process.returncode
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
                out, err = process.communicate()
                code = LATE
        for text, is_error in ((out, False), (err, True)):
            if hear is not None and text:
                hear(text, is_error)
        return Done(0, code if code >= 0 else 128 - code, out, err)

    def run_all(self, commands: Mapping[str, Command]) -> dict[str, Done]:
        """Run commands side by side, and return their answers by name."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return dict(zip(commands, pool.map(self.run, commands.values()), strict=True))
