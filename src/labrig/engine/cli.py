"""The docker command: for what the engine's interface does not do itself, such as builds and compositions."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from labrig.engine import client
from labrig.errors import EnvironmentFailed

# What the command itself needs of its caller's environment. Nothing else goes in: what a build, or a file with
# variables, comes to does not depend on the shell that it is called from.
PASSED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SSH_AUTH_SOCK", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME")
PASSED_PREFIXES = ("DOCKER_", "BUILDKIT_", "BUILDX_")
# The engine is the one that the client speaks to, whatever context the command would choose.
NOT_PASSED = frozenset({"DOCKER_CONTEXT"})
SAID_LINES = 25


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the clean environment that the docker command runs in, with ``more`` on top."""
    own = {
        name: value
        for name, value in os.environ.items()
        if name not in NOT_PASSED and (name in PASSED or name.startswith(PASSED_PREFIXES))
    }
    return {**own, "DOCKER_HOST": client.address(), **(more or {})}


def run(
    arguments: Sequence[str],
    doing: str,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str = "",
    seconds: float | None = None,
    hint: str = "",
) -> str:
    """Run ``docker ARGUMENTS`` and return its standard output.

    Args:
        arguments: Without the word ``docker``.
        doing: What messages call it: ``build image web``.
        cwd: Where it runs; the current folder if None.
        env: Variables on top of the clean environment.
        stdin: What it reads.
        seconds: After which it is ended; None for never.
        hint: What to do where it fails.

    Raises:
        EnvironmentFailed: There is no docker command, it takes too long, or it fails: with the last lines it said.
    """
    try:
        done = subprocess.run(
            ["docker", *arguments],
            cwd=cwd,
            env=environment(env),
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError as error:
        raise EnvironmentFailed(
            f"cannot {doing}: there is no docker command here", hint="install Docker's command line"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise EnvironmentFailed(
            f"could not {doing} within {seconds:.0f} s\n{_tail(_text(error.stdout), _text(error.stderr))}", hint=hint
        ) from error
    if done.returncode != 0:
        raise EnvironmentFailed(
            f"could not {doing}: docker {arguments[0]} ended with exit code {done.returncode}\n"
            f"{_tail(done.stdout, done.stderr)}",
            hint=hint,
        )
    return done.stdout


def _text(said: bytes | str | None) -> str:
    return said.decode(errors="replace") if isinstance(said, bytes) else said or ""


def _tail(*said: str) -> str:
    return "\n".join("".join(said).strip().splitlines()[-SAID_LINES:])
