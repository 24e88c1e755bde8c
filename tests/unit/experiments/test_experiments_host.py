"""What a lab host tells of itself."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from labrig import clock
from labrig.errors import EnvironmentFailed, UsageError
from labrig.experiments import edge, listing, naming
from labrig.experiments.edge import VirtualHost
from labrig.experiments.host import lab, looks, routing
from labrig.experiments.host.engine import Engine
from labrig.experiments.host.lab import Lab
from labrig.experiments.naming import Names


def test_its_settings_are_those_of_its_file_or_what_they_are_without_one(tmp_path: Path) -> None:
    file = tmp_path / "lab.json"
    assert lab.read(file) == Lab()
    # What a newer role writes beside them is none of ours.
    file.write_text(json.dumps({"domain": "lab.example", "range": "10.9.0.0/16", "later": 1}))
    assert lab.read(file) == Lab("lab.example", "10.9.0.0/16")
    for wrong in ("rubbish", '["domain"]', "1"):
        file.write_text(wrong)
        with pytest.raises(UsageError, match=str(file)):
            lab.read(file)


def test_without_an_engine_it_tells_why_and_all_else(tmp_path: Path) -> None:
    found = lab.hello("anna", lab=Lab("lab.example"), engine=Engine(str(tmp_path / "docker.sock")))
    assert found.engine == ""
    assert "docker.sock" in found.trouble
    assert (found.who, found.domain, found.range) == ("anna", "lab.example", Lab().range)
    assert found.memory > 0 < found.disk
    assert abs(datetime.fromisoformat(found.time) - clock.now()) < timedelta(seconds=20)
    assert all(IPv4Network(one).prefixlen for one in found.subnets)


class Nothing(Engine):
    """An engine that has nothing."""

    def ask(self, path: str, filters: Mapping[str, Sequence[str]] | None = None, **query: str) -> Any:
        del filters, query
        return {"Volumes": None} if path == "/volumes" else []


@pytest.mark.parametrize(("status", "content"), [(500, b"no space left"), (200, b"")])
def test_an_engine_that_answers_otherwise_is_an_error(tmp_path: Path, status: int, content: bytes) -> None:
    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not content:
                # As when it is stopped while it is asked.
                return
            self.send_response(status)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_words: object) -> None:
            """Say nothing."""

    path = str(tmp_path / "docker.sock")
    with socketserver.UnixStreamServer(path, Answers) as server:
        threading.Thread(target=server.handle_request).start()
        with pytest.raises(EnvironmentFailed, match=r"Docker Engine"):
            Engine(path).ask("/containers/json")


def test_a_network_of_the_engine_that_is_written_with_a_hosts_address_stops_nothing(tmp_path: Path) -> None:
    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            networks = [{"IPAM": {"Config": [{"Subnet": "10.99.0.5/28"}, {"Subnet": "fd00::/64"}]}}]
            content = json.dumps({"Version": "20.10"} if self.path == "/version" else networks).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_words: object) -> None:
            """Say nothing."""

    path = str(tmp_path / "docker.sock")
    with socketserver.ThreadingUnixStreamServer(path, Answers) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            found = lab.hello("anna", lab=Lab(), engine=Engine(path))
        finally:
            server.shutdown()
    assert (found.engine, found.trouble) == ("20.10", "")
    assert "10.99.0.0/28" in found.subnets


def test_bytes_that_are_no_text_in_a_file_of_somebody_else_are_no_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge, "FOLDER", str(tmp_path))
    monkeypatch.setattr(naming, "ROOT", str(tmp_path))
    (tmp_path / "notes.conf").write_bytes("server { server_name notes; # Müller\n}".encode("latin-1"))
    (tmp_path / "shop--login.conf").write_text(VirtualHost(Names("shop", "login"), "login.lab", "v1").asleep())
    (found,) = listing.listed(looks.look(Nothing()))
    assert (found.app, found.name) == ("shop", "login")


@pytest.mark.parametrize(
    "name", ["../nginx.conf", "/etc/passwd", "a.txt", ".conf", "-a.conf", "a.conf\n", "A.conf", ""]
)
def test_only_files_of_experiments_are_files_of_the_edge(tmp_path: Path, name: str) -> None:
    for change in (lambda: routing.put(name, b"", tmp_path), lambda: routing.remove(name, tmp_path)):
        with pytest.raises(UsageError, match="expected the name"):
            change()
    assert list(tmp_path.iterdir()) == []
