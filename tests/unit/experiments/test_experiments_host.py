"""What a lab host tells of itself."""

from __future__ import annotations

import json
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from labrig.errors import EnvironmentFailed, UsageError
from labrig.experiments.host import lab, routing
from labrig.experiments.host.engine import Engine
from labrig.experiments.host.lab import Lab


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
    assert all(IPv4Network(one).prefixlen for one in found.subnets)


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


@pytest.mark.parametrize(
    "name", ["../nginx.conf", "/etc/passwd", "a.txt", ".conf", "-a.conf", "a.conf\n", "A.conf", ""]
)
def test_only_files_of_experiments_are_files_of_the_edge(tmp_path: Path, name: str) -> None:
    for change in (lambda: routing.put(name, b"", tmp_path), lambda: routing.remove(name, tmp_path)):
        with pytest.raises(UsageError, match="expected the name"):
            change()
    assert list(tmp_path.iterdir()) == []
