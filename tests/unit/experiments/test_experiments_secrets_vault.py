"""HashiCorp Vault's transit engine, as its HTTP API is documented: there is no server of Vault to test against."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from labrig.errors import EnvironmentFailed, UsageError
from labrig.experiments.secrets_vault import Vault

TOKEN = "hvs.test"


class Transit(BaseHTTPRequestHandler):
    """Answers as documented: /v1/MOUNT/encrypt/KEY takes plaintext, /v1/MOUNT/decrypt/KEY ciphertext, both POST."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, dict(self.headers)))  # type: ignore[attr-defined]
        if self.server.down:  # type: ignore[attr-defined]
            self._answer(503, {"errors": ["Vault is sealed"]})
        elif self.headers["X-Vault-Token"] != TOKEN:
            self._answer(403, {"errors": ["permission denied"]})
        elif self.path == "/v1/transit/encrypt/labrig":
            assert base64.b64decode(asked["plaintext"])
            self._answer(200, {"data": {"ciphertext": f"vault:v1:{asked['plaintext'][::-1]}", "key_version": 1}})
        elif self.path == "/v1/transit/decrypt/labrig" and asked["ciphertext"].startswith("vault:v1:"):
            self._answer(200, {"data": {"plaintext": asked["ciphertext"].removeprefix("vault:v1:")[::-1]}})
        elif self.path == "/v1/odd/decrypt/labrig":
            self._answer(200, {"data": {"keys": ["hunter2"]}})
        elif self.path.startswith("/v1/transit/"):
            self._answer(400, {"errors": ["encryption key not found"]})
        else:
            self._answer(404, {"errors": [f"no handler for route {self.path!r}"]})

    def _answer(self, code: int, content: object) -> None:
        text = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Transit) as found:
        found.asked = []
        found.down = False
        threading.Thread(target=found.serve_forever, daemon=True).start()
        monkeypatch.setenv("VAULT_ADDR", f"http://127.0.0.1:{found.server_port}")
        monkeypatch.setenv("VAULT_TOKEN", TOKEN)
        monkeypatch.delenv("VAULT_NAMESPACE", raising=False)
        yield found
        found.shutdown()


def test_what_is_sealed_is_opened_and_bears_vaults_mark(server: ThreadingHTTPServer) -> None:
    vault = Vault("labrig")
    sealed = vault.seal(b"hunter2\n\xff")
    assert sealed.startswith(b"vault:v1:")
    assert b"hunter2" not in sealed
    assert vault.open(sealed) == b"hunter2\n\xff"
    assert [path for path, _ in server.asked] == ["/v1/transit/encrypt/labrig", "/v1/transit/decrypt/labrig"]


def test_the_settings_win_over_the_environment(server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAULT_ADDR", "http://127.0.0.1:9")
    monkeypatch.setenv("VAULT_NAMESPACE", "other")
    Vault("labrig", address=f"http://127.0.0.1:{server.server_port}", namespace="team").seal(b"x")
    ((_, headers),) = server.asked
    assert headers["X-Vault-Namespace"] == "team"


def test_without_a_token_one_is_told_how_to_log_in(
    server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULT_TOKEN", "hvs.other")
    with pytest.raises(UsageError, match="vault refuses transit, key labrig: permission denied") as caught:
        Vault("labrig").seal(b"hunter2")
    assert "vault login" in caught.value.hint
    assert "transit/decrypt/labrig" in caught.value.hint


def test_a_key_or_engine_that_is_not_there_is_named(server: ThreadingHTTPServer) -> None:
    with pytest.raises(UsageError, match="vault, transit, key other: encryption key not found"):
        Vault("other").seal(b"hunter2")
    with pytest.raises(UsageError, match="no handler for route"):
        Vault("labrig", mount="nowhere").open(b"vault:v1:x")


def test_a_vault_that_is_sealed_is_the_environments_fault(server: ThreadingHTTPServer) -> None:
    server.down = True
    with pytest.raises(EnvironmentFailed, match="vault is sealed or starting: Vault is sealed"):
        Vault("labrig").open(b"vault:v1:x")


def test_a_server_that_does_not_answer_is_named_and_no_value_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EnvironmentFailed, match=r"vault does not answer: .*127\.0\.0\.1") as caught:
        Vault("labrig", address="http://127.0.0.1:9").seal(b"hunter2")
    assert "hunter2" not in str(caught.value)
    assert base64.b64encode(b"hunter2").decode() not in str(caught.value)
    monkeypatch.delenv("VAULT_ADDR", raising=False)
    with pytest.raises(UsageError, match="no server of Vault is known"):
        Vault("labrig").seal(b"x")


def test_an_answer_that_is_none_of_transit_is_not_shown(server: ThreadingHTTPServer) -> None:
    with pytest.raises(EnvironmentFailed, match="something else than its transit engine") as caught:
        Vault("labrig", mount="odd").open(b"vault:v1:x")
    assert caught.value.__cause__ is None
    assert "hunter2" not in str(caught.value)
