"""The docker command: for what the engine's interface does not do itself, such as builds and compositions."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from labrig.engine import client
from labrig.errors import EnvironmentFailed

# What the command itself needs of its caller's environment. Nothing else goes in: what a build, or a file with
# variables, comes to does not depend on the shell that it is called from.
PASSED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SSH_AUTH_SOCK", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME")
PASSED_PREFIXES = ("DOCKER_", "BUILDKIT_", "BUILDX_")
# The engine is the one that the client speaks to, whatever context the command would choose.
NOT_PASSED = frozenset({"DOCKER_CONTEXT"})
SAID_LINES = 25
END_SECONDS = 5.0


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the clean environment that the docker command runs in, with ``more`` on top."""
    own = {
        name: value
        for name, value in os.environ.items()
        if name not in NOT_PASSED and (name in PASSED or name.startswith(PASSED_PREFIXES))
    }
    return {**own, "DOCKER_HOST": client.address(), **(more or {})}


class Guard(Protocol):
    """Who ends a process group when this process dies: a ``Reaper``."""

    def watch_group(self, group: int) -> None:
        """End this process group if the run dies."""

    def forget_group(self, group: int) -> None:
        """The process group has ended."""


@dataclass(frozen=True)
class Done:
    """How a command ended: its exit code and both of its outputs."""

    code: int
    stdout: str
    stderr: str

    def tail(self) -> str:
        """Return the last lines that it said."""
        return "\n".join((self.stdout + self.stderr).strip().splitlines()[-SAID_LINES:])


def attempt(
    arguments: Sequence[str],
    doing: str,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str = "",
    seconds: float | None = None,
    hint: str = "",
    guard: Guard | None = None,
) -> Done:
    """Run ``docker ARGUMENTS`` to its end, whatever that is.

    It runs in a process group of its own: Ctrl-C in a terminal reaches labrig alone, which ends it, and a reaper can
    end it when labrig is killed.

    Args:
        arguments: Without the word ``docker``.
        doing: What messages call it: ``build image web``.
        cwd: Where it runs; the current folder if None.
        env: Variables on top of the clean environment.
        stdin: What it reads.
        seconds: After which it is ended; None for never.
        hint: What to do where it takes too long.
        guard: Ends it should this process be killed.

    Raises:
        EnvironmentFailed: There is no docker command, or it takes too long: with the last lines it said.
    """
    try:
        process = subprocess.Popen(
            ["docker", *arguments],
            cwd=cwd,
            env=environment(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise EnvironmentFailed(
            f"cannot {doing}: there is no docker command here", hint="install Docker's command line"
        ) from error
    if guard is not None:
        guard.watch_group(process.pid)
    try:
        stdout, stderr = process.communicate(stdin, timeout=seconds)
    except subprocess.TimeoutExpired as error:
        _end(process)
        done = Done(-1, *process.communicate())
        raise EnvironmentFailed(f"could not {doing} within {seconds:.0f} s\n{done.tail()}", hint=hint) from error
    except BaseException:
        _end(process)
        raise
    finally:
        if guard is not None:
            guard.forget_group(process.pid)
    return Done(process.returncode, stdout, stderr)


def run(
    arguments: Sequence[str],
    doing: str,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str = "",
    seconds: float | None = None,
    hint: str = "",
    guard: Guard | None = None,
) -> str:
    """Run ``docker ARGUMENTS`` as ``attempt`` does, and return its standard output.

    Raises:
        EnvironmentFailed: There is no docker command, it takes too long, or it fails: with the last lines it said.
    """
    done = attempt(arguments, doing, cwd=cwd, env=env, stdin=stdin, seconds=seconds, hint=hint, guard=guard)
    if done.code != 0:
        raise EnvironmentFailed(
            f"could not {doing}: docker {arguments[0]} ended with exit code {done.code}\n{done.tail()}", hint=hint
        )
    return done.stdout


def _end(process: subprocess.Popen[str]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_SECONDS)
            return
