"""The front door of a machine, as a visitor meets it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from testinfra.host import Host

# Runs on the machine under test, which has Python for Ansible's sake and need not have curl.
_REQUEST = """
import http.client, json, sys
connection = http.client.HTTPConnection("127.0.0.1", 80, timeout=5)
connection.request(sys.argv[3], sys.argv[2], body=b"." * int(sys.argv[4]), headers={"Host": sys.argv[1]})
response = connection.getresponse()
print(json.dumps([response.status, dict(response.getheaders()), response.read().decode()]))
"""


@dataclass(frozen=True)
class Response:
    """What was answered: status, headers by lower-case name, and the body as text."""

    status: int
    headers: dict[str, str]
    body: str


@dataclass(frozen=True)
class FrontDoor:
    """Port 80 of a machine, asked from the machine itself: ``front_door.get("hello.lab.example", "/")``."""

    host: Host

    def get(self, name: str, path: str = "/") -> Response:
        """Ask for a page of the host ``name``; fails the test where nobody answers within five seconds."""
        return self._request("GET", name, path, 0)

    def upload(self, name: str, path: str, size: int) -> Response:
        """Send ``size`` bytes to a host."""
        return self._request("POST", name, path, size)

    def _request(self, method: str, name: str, path: str, size: int) -> Response:
        output = self.host.check_output("python3 -c %s %s %s %s %s", _REQUEST, name, path, method, str(size))
        status, headers, body = json.loads(output)
        return Response(status, {key.lower(): value for key, value in headers.items()}, body)
