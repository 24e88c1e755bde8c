"""Questions to the lab host's Docker Engine, over its socket: one request tells of all containers."""

from __future__ import annotations

import http.client
import json
import socket
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any

from labrig.errors import EnvironmentFailed

SOCKET = "/run/docker.sock"
SECONDS = 30.0


class Engine:
    """An engine that is asked, and told nothing: what changes anything are commands."""

    def __init__(self, path: str = SOCKET) -> None:
        self._path = path

    def version(self) -> str:
        """Return its version.

        Raises:
            EnvironmentFailed: There is none to be had.
        """
        return str(self.ask("/version")["Version"])

    def ask(self, path: str, filters: Mapping[str, Sequence[str]] | None = None, **query: str) -> Any:
        """Return what it answers.

        Args:
            path: As in the engine's API, without a version: ``/containers/json``.
            filters: As the API has them.
            query: Further parameters.

        Raises:
            EnvironmentFailed: It is not reached, or refuses to answer.
        """
        if filters:
            query["filters"] = json.dumps({name: list(values) for name, values in filters.items()})
        connection = _Connection(self._path)
        try:
            connection.request("GET", f"{path}?{urllib.parse.urlencode(query)}" if query else path)
            answer = connection.getresponse()
            content = answer.read()
        except PermissionError as error:
            raise EnvironmentFailed(
                f"no Docker Engine: {self._path} is not this user's", hint="the service user is in group docker"
            ) from error
        except (OSError, http.client.HTTPException) as error:
            told = getattr(error, "strerror", None) or error
            raise EnvironmentFailed(
                f"no Docker Engine: {self._path}: {told}", hint="does docker.service run on the lab host?"
            ) from error
        finally:
            connection.close()
        if answer.status != http.client.OK:
            raise EnvironmentFailed(f"the Docker Engine answers {path} with {answer.status}: {content[:200]!r}")
        return json.loads(content)


class _Connection(http.client.HTTPConnection):
    """A connection to a socket that is a file."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
