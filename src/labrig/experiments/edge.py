"""The edge's file for one experiment: where requests go, and which version it was written for."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from labrig.experiments.naming import Names

FOLDER = "/etc/nginx/edge.d"
# What listens here wakes an experiment when the first request for it comes in.
WAKER = "/run/labrig/wake.sock"
_MARK = "# labrig experiment "
_SERVER_NAME = re.compile(r"^[^#\n]*(?<![\w$])server_name\s+([^;]*);", re.MULTILINE)
_LOG = "/var/log/edge/access.log edge"


@dataclass(frozen=True)
class VirtualHost:
    """The virtual host of an experiment.

    Attributes:
        names: The experiment's.
        host: Its host name.
        version: The version that requests go to, or that is woken.
        certificate: The certificate for HTTPS and what it is signed with; empty for HTTP alone.
        key: The key of the certificate.
        has_users: Only those in ``users_file`` may look.
        ports: Where the edge listens for HTTP.
        tls_ports: Where it listens for HTTPS.
    """

    names: Names
    host: str
    version: str
    certificate: str = ""
    key: str = ""
    has_users: bool = False
    ports: tuple[str, ...] = ("80", "[::]:80")
    tls_ports: tuple[str, ...] = ("443", "[::]:443")

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"{self.names.base}.conf"

    @property
    def users_file(self) -> str:
        """The name of the file of those who may look."""
        return f"{self.names.base}.users"

    def awake(self, upstream: str) -> str:
        """Return its file for a version that runs.

        Args:
            upstream: ``address:port``.
        """
        return self._file(
            asleep=False,
            body=f"""\
    location / {{
{self._authentication()}        proxy_pass http://{upstream};
{_PASSED_ON}    }}
""",
        )

    def asleep(self) -> str:
        """Return its file for a version that sleeps: a page that asks again until the experiment is awake."""
        page = _PAGE.format(name=html.escape(f"{self.names.app} {self.names.name}"))
        return self._file(
            asleep=True,
            body=f"""\
    location / {{
{self._authentication()}        rewrite ^ /{self.names.app}/{self.names.name}? break;
        proxy_pass http://unix:{WAKER};
        proxy_method POST;
        proxy_pass_request_body off;
        proxy_pass_request_headers off;
        proxy_set_header Content-Length "";
        proxy_intercept_errors on;
        error_page 300 301 302 307 400 404 500 502 503 504 =503 @asleep;
    }}
    location @asleep {{
        default_type text/html;
        add_header Cache-Control no-store always;
        add_header Retry-After 5 always;
        return 503 '{page}';
    }}
""",
        )

    def users_text(self, users: Mapping[str, str]) -> str:
        """Return the file of those who may look: name and hash of the password."""
        return "".join(f"{name}:{password}\n" for name, password in users.items())

    def _authentication(self) -> str:
        if not self.has_users:
            return ""
        # The password is the edge's: an application that has users of its own would take it for one of theirs.
        return (
            f'        auth_basic "{self.names.app}";\n        auth_basic_user_file {FOLDER}/{self.users_file};\n'
            '        proxy_set_header Authorization "";\n'
        )

    def _file(self, *, asleep: bool, body: str) -> str:
        told = {"app": self.names.app, "name": self.names.name, "version": self.version, "asleep": asleep}
        start = f"{_MARK}{json.dumps(told)}\n"
        common = f"    server_name {self.host};\n    access_log {_LOG};\n\n"
        if not self.certificate:
            return f"{start}server {{\n{_listen(self.ports)}{common}{body}}}\n"
        secure = _listen(tuple(f"{port} ssl" for port in self.tls_ports))
        keys = f"    ssl_certificate {self.certificate};\n    ssl_certificate_key {self.key};\n"
        # 308 keeps the method and the body of a request, as 301 does not.
        moved = "    return 308 https://$host$request_uri;\n"
        return (
            f"{start}server {{\n{_listen(self.ports)}{common}{moved}}}\n\nserver {{\n{secure}{keys}{common}{body}}}\n"
        )


@dataclass(frozen=True)
class Routed:
    """What a file of the edge says about an experiment."""

    names: Names
    version: str
    asleep: bool


def read(text: str) -> Routed | None:
    """Return what a file was written for; None where labrig did not write it."""
    first = text.partition("\n")[0]
    if not first.startswith(_MARK):
        return None
    try:
        told = json.loads(first.removeprefix(_MARK))
        return Routed(Names(str(told["app"]), str(told["name"])), str(told["version"]), bool(told["asleep"]))
    except (ValueError, KeyError, TypeError):
        return None


def hosts(text: str) -> frozenset[str]:
    """Return the host names that a file of the edge is for.

    >>> sorted(hosts("server { listen 80; server_name a.example b.example; }"))
    ['a.example', 'b.example']
    """
    return frozenset(name for found in _SERVER_NAME.finditer(text) for name in found[1].lower().split())


def _listen(ports: tuple[str, ...]) -> str:
    return "".join(f"    listen {port};\n" for port in ports)


_PASSED_ON = """\
        proxy_http_version 1.1;
        proxy_set_header Host $host;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $edge_connection;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
"""

_PAGE = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="3">'
    "<title>{name}</title></head><body><h1>{name} is waking up</h1>"
    "<p>It slept since nobody asked for it. This page asks again until it answers.</p></body></html>"
)
