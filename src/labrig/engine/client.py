"""The connection to a Docker Engine, and what it says about itself."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import docker
import requests
from docker import DockerClient
from docker.errors import APIError, DockerException

from labrig.errors import EnvironmentFailed, LabrigError

LOCAL_ENGINE = "unix:///var/run/docker.sock"
START_ENGINE = "start the Docker Engine, or set DOCKER_HOST to one that runs; `labrig doctor` tells more"
READ_TIMEOUT_SECONDS = 120


def connect(timeout: int = READ_TIMEOUT_SECONDS) -> DockerClient:
    """Return a client of the engine that DOCKER_HOST names, or of the local one.

    It waits ``timeout`` seconds for an answer.

    Raises:
        EnvironmentFailed: No engine answers.
    """
    try:
        client = docker.DockerClient.from_env(use_context=False, version="auto", timeout=timeout, max_pool_size=32)
        client.ping()
    except (DockerException, requests.RequestException, OSError) as error:
        raise EnvironmentFailed(
            f"no Docker Engine answers at {address()}: {_first_line(error)}", hint=START_ENGINE
        ) from error
    return client


def address() -> str:
    """Return the engine's address as ``DOCKER_HOST`` gives it, or the local one's; Docker's contexts do not count."""
    return os.environ.get("DOCKER_HOST") or LOCAL_ENGINE


def is_local() -> bool:
    """Tell whether the engine is this machine's own: its routes and addresses are ours."""
    return address().startswith("unix:")


def host() -> str:
    """Return the address at which the ports of containers are reached."""
    found = urlsplit(address())
    return "127.0.0.1" if is_local() else found.hostname or "127.0.0.1"


@contextlib.contextmanager
def engine_errors(doing: str) -> Iterator[None]:
    """Turn whatever the engine or the way to it throws into an ``EnvironmentFailed`` that says what was being done."""
    try:
        yield
    except LabrigError:
        raise
    except APIError as error:
        said = str(error.explanation or error).strip()
        refused = f"Docker refused to {doing}: {said}"
        if is_full_disk(said):
            hint = "free some disk space: `labrig clean` and `docker system df` help"
            raise EnvironmentFailed(f"a disk is full: {refused}", hint=hint) from error
        raise EnvironmentFailed(refused) from error
    except (DockerException, requests.RequestException, OSError) as error:
        raise EnvironmentFailed(
            f"the Docker Engine was lost while trying to {doing}: {_first_line(error)}", hint=START_ENGINE
        ) from error


def is_full_disk(text: str) -> bool:
    """Tell whether a message says that a disk is full."""
    lowered = text.lower()
    return "no space left on device" in lowered or "enospc" in lowered or "disk quota exceeded" in lowered


def is_answering(client: DockerClient) -> bool:
    """Tell whether the engine still answers."""
    try:
        return bool(client.ping())
    except (DockerException, requests.RequestException, OSError):
        return False


@dataclass(frozen=True)
class EngineFacts:
    """What matters to labrig about an engine; ``cgroup`` is 1 or 2."""

    version: str
    api: str
    cgroup: int
    storage: str
    root: str
    cpus: int
    memory_bytes: int


def facts(client: DockerClient) -> EngineFacts:
    """Ask the engine what it is."""
    with engine_errors("describe the engine"):
        said: dict[str, Any] = client.info()
        version: dict[str, Any] = client.version()
    return EngineFacts(
        version=str(said.get("ServerVersion", "")),
        api=str(version.get("ApiVersion", "")),
        cgroup=2 if str(said.get("CgroupVersion", "1")) == "2" else 1,
        storage=str(said.get("Driver", "")),
        root=str(said.get("DockerRootDir", "")),
        cpus=int(said.get("NCPU", 1)),
        memory_bytes=int(said.get("MemTotal", 0)),
    )


def _first_line(error: BaseException) -> str:
    reason: BaseException = error
    while reason.__cause__ is not None or reason.__context__ is not None:
        reason = reason.__cause__ or reason.__context__ or reason
    text = str(reason) or str(error) or type(error).__name__
    return text.splitlines()[0]


def close_stream(stream: Any) -> None:
    """Close what ``exec_start(socket=True)`` returned: a view of the socket of an answer, which holds that as well."""
    raw = getattr(stream, "_sock", stream)
    # The answer first: it is not to flush what is closed.
    response = getattr(stream, "_response", None)
    if response is not None:
        response.close()
    stream.close()
    raw.close()
