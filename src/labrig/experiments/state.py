"""A lab host's state: values by hierarchical keys, which its keepers write and deployments read.

What ``/etc/labrig/lab.json`` names under ``state``, or LabTest's ``/testing/state.json``, tells where it is: a folder
on the host, a script there, a bucket of S3.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from labrig.errors import EnvironmentFailed, UsageError
from labrig.experiments import aws, defaults
from labrig.experiments.command import Command
from labrig.experiments.protocol import LATE, Done
from labrig.project_file import nearest

LAB = "/etc/labrig/lab.json"
LABTEST = "/testing/state.json"
# How grep says that there is no such file; all else that it says is trouble.
_ABSENT = ("No such file or directory", "Not a directory")

Run = Callable[[Command], Done]
"""Runs a command on the lab host."""


@dataclass(frozen=True)
class Value:
    """What a state has for a key.

    Attributes:
        key: Under which it was found: the one that was asked for, or a default above it.
        text: The value, without the line's end that files have.
    """

    key: str
    text: str


class State(Protocol):
    """Where values are looked for."""

    def find(self, key: str) -> Value | None:
        """Return the value for a key, or the nearest default above it; None where there is neither.

        Raises:
            UsageError: The state is configured wrongly, or refuses the question.
            EnvironmentFailed: It cannot be asked.
        """


@dataclass(frozen=True)
class Tree:
    """A folder on the lab host: a key is the path of a file in it. An empty file is no value.

    Attributes:
        run: Runs a command on the lab host.
        path: The folder.
    """

    run: Run
    path: str

    def find(self, key: str) -> Value | None:
        """Return the value for a key; the whole order of files is asked for at once."""
        paths = {f"{self.path.rstrip('/')}{one}": one for one in defaults.order(key)}
        found = contents(self.run, list(paths))
        return next((Value(one, found[path]) for path, one in paths.items() if path in found), None)


@dataclass(frozen=True)
class Script:
    """A command on the lab host that is given a key, walks the order by itself and prints the value, or nothing.

    As LabTest says: that it fails means that there is no value; but not that it cannot be run.

    Attributes:
        run: Runs a command on the lab host.
        command: The command, quoted as for a shell, which does not see it.
    """

    run: Run
    command: str

    def find(self, key: str) -> Value | None:
        """Return the value for a key; under which it was found, only the script knows."""
        done = self.run(Command(("env", *shlex.split(self.command), key), may_fail=True))
        if done.code in {LATE, 126, 127}:
            raise EnvironmentFailed(f"the state's script {self.command!r} cannot be run: {done.err.strip()}")
        text = done.out.removesuffix("\n")
        return Value(key, text) if text and not done.code else None


@dataclass(frozen=True)
class Bucket:
    """A bucket of S3, asked from where labrig runs: a key is the name of an object, without the slash before it.

    Attributes:
        bucket: Its name.
        region: Empty for what the environment or ~/.aws/config says.
        endpoint: The URL of a server that stands for S3.
    """

    bucket: str
    region: str = ""
    endpoint: str = ""

    def find(self, key: str) -> Value | None:
        """Return the value for a key. Nothing is kept from one call to the next, so nothing is ever out of date."""
        found = defaults.found(key, self._get)
        return Value(*found) if found else None

    @cached_property
    def _client(self) -> Any:
        return aws.client("s3", region=self.region, endpoint=self.endpoint)

    def _get(self, key: str) -> str | None:
        try:
            with aws.failures("s3", self.endpoint):
                content: bytes = self._client.get_object(Bucket=self.bucket, Key=key.lstrip("/"))["Body"].read()
        except UsageError as error:
            code = aws.error_code(error.__cause__)
            if code == "NoSuchKey":
                return None
            hint = error.hint
            if code == "AccessDenied":
                hint = "without the right s3:ListBucket, S3 answers so too for an object that is not there"
            raise UsageError(f"bucket {self.bucket}: {error.message}", hint=hint) from error
        try:
            return content.decode().removesuffix("\n")
        except UnicodeDecodeError as error:
            raise UsageError(f"bucket {self.bucket}: {key} is not text") from error


def of_host(run: Run, host: str) -> State | None:
    """Return the state of a lab host; None where it has none.

    Args:
        run: Runs a command there.
        host: What it is called, for messages.

    Raises:
        UsageError: What is written there about it is wrong.
        EnvironmentFailed: It cannot be read.
    """
    found = contents(run, [LAB, LABTEST])
    for path, text in ((path, found[path]) for path in (LAB, LABTEST) if path in found):
        where = f"{path} on {host}"
        try:
            told = json.loads(text)
        except ValueError as error:
            raise UsageError(f"{where}: not JSON: {error}") from error
        if not isinstance(told, dict):
            raise UsageError(f"{where}: expected an object, found {type(told).__name__}")
        if path == LABTEST:
            return configured(told, run, where)
        if told.get("state"):
            return configured(told["state"], run, f"{where}: state")
    return None


def configured(told: Any, run: Run, where: str) -> State:
    """Return the state that a configuration names, LabTest's way: ``provider``, ``service``, ``options``.

    Args:
        told: The configuration.
        run: Runs a command on the lab host.
        where: Where it stands, for messages.

    Raises:
        UsageError: It is wrong.
    """
    if not isinstance(told, Mapping):
        raise UsageError(f"{where}: expected an object, found {type(told).__name__}")
    kind = f"{told.get('provider')}/{told.get('service')}"
    if kind not in KINDS:
        raise UsageError(f"{where}: there is no state {kind}: there are {', '.join(KINDS)}")
    options = told.get("options") or {}
    needed, known = KINDS[kind]
    if not isinstance(options, Mapping) or not options.get(needed):
        raise UsageError(f"{where}: {kind} needs option {needed}")
    for name, value in options.items():
        if name not in known:
            near = nearest(name, known)
            meant = f"did you mean {near}?" if near else f"there are {', '.join(known)}"
            raise UsageError(f"{where}: {name}: unknown option: {meant}")
        if name not in _UNUSED and not isinstance(value, str):
            raise UsageError(f"{where}: {name}: expected a text")
    own = {name: str(value) for name, value in options.items() if name not in _UNUSED}
    if kind == "aws/s3":
        return Bucket(**own)
    if kind == "local/script":
        return Script(run, own["command"])
    if not own["path"].startswith("/"):
        raise UsageError(f"{where}: path: expected one that begins with /, found {own['path']!r}")
    return Tree(run, own["path"])


# What each needs, and all that it may be told. LabTest's cache is not needed: nothing is kept that could get old.
KINDS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "local/tree": ("path", ("path",)),
    "local/script": ("command", ("command",)),
    "aws/s3": ("bucket", ("bucket", "region", "endpoint", "cache", "cache_path")),
}
_UNUSED = {"cache", "cache_path"}


def contents(run: Run, paths: Sequence[str]) -> dict[str, str]:
    """Return the texts of those files on the lab host that are there and not empty, without the last line's end.

    Raises:
        EnvironmentFailed: One is there and cannot be read.
    """
    options = ("--with-filename", "--null", "--text", "--directories=skip", "--regexp=")
    done = run(Command(("env", "LC_ALL=C.UTF-8", "grep", *options, "--", *paths), may_fail=True))
    absent = {f"grep: {path}: {why}" for path in paths for why in _ABSENT}
    trouble = [line for line in done.err.splitlines() if line not in absent]
    # 2 is grep's code for trouble, and a file that is absent is that too.
    if trouble or done.code > 2:
        raise EnvironmentFailed(f"the lab host's state cannot be read: {' '.join(trouble) or f'code {done.code}'}")
    found: dict[str, list[str]] = {}
    for line in done.out.removesuffix("\n").split("\n"):
        path, mark, text = line.partition("\0")
        if mark:
            found.setdefault(path, []).append(text)
    return {path: "\n".join(lines) for path, lines in found.items()}
