"""Secrets that are sealed by HashiCorp Vault's transit engine: the value goes to the key, which never leaves Vault.

Who one is, hvac finds as Vault's own program does: ``VAULT_TOKEN``, or ~/.vault-token, which ``vault login`` writes;
likewise ``VAULT_ADDR``, ``VAULT_NAMESPACE``, ``VAULT_CACERT``, ``VAULT_CLIENT_CERT``, ``VAULT_CLIENT_KEY``.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from labrig.errors import EnvironmentFailed, UsageError

_LOGIN = (
    "vault login, or VAULT_TOKEN; its policy has to allow update on {mount}/encrypt/{key} and {mount}/decrypt/{key}"
)


@dataclass(frozen=True)
class Vault:
    """Sealing with a key of a transit engine.

    Attributes:
        key: Its name.
        address: The server's URL; empty is ``VAULT_ADDR``.
        mount: Where the engine is.
        namespace: Empty is ``VAULT_NAMESPACE``.
    """

    key: str
    address: str = ""
    mount: str = "transit"
    namespace: str = ""

    @property
    def openers(self) -> tuple[str, ...]:
        """Who may use the key."""
        return (f"those whom Vault lets use {self.mount}/decrypt/{self.key}",)

    def seal(self, value: bytes) -> bytes:
        """Return the sealed value, ``vault:v1:...``; errors are those of ``secrets.Provider``."""
        with self._failures():
            encoded = base64.b64encode(value).decode()
            answer = self._transit.encrypt_data(name=self.key, plaintext=encoded, mount_point=self.mount)
            return str(answer["data"]["ciphertext"]).encode()

    def open(self, sealed: bytes) -> bytes:
        """Return the value; errors are those of ``secrets.Provider``."""
        with self._failures():
            text = sealed.decode("ascii", "replace")
            answer = self._transit.decrypt_data(name=self.key, ciphertext=text, mount_point=self.mount)
            return base64.b64decode(answer["data"]["plaintext"])

    @cached_property
    def _transit(self) -> Any:
        import hvac  # noqa: PLC0415  # most laboratories never need it

        address = self.address or os.environ.get("VAULT_ADDR", "")
        if not address:
            raise UsageError("no server of Vault is known", hint="option address of experiment.secrets, or VAULT_ADDR")
        namespace = self.namespace or os.environ.get("VAULT_NAMESPACE") or None
        return hvac.Client(url=address, namespace=namespace, timeout=30).secrets.transit

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            import requests  # noqa: PLC0415  # hvac brings it
            from hvac import exceptions  # noqa: PLC0415
        except ImportError as error:
            raise UsageError("vault needs hvac, which is not installed", hint="pip install labrig[vault]") from error
        hint = _LOGIN.format(mount=self.mount, key=self.key)
        try:
            yield
        except (exceptions.Forbidden, exceptions.Unauthorized) as error:
            raise UsageError(f"vault refuses {self.mount}, key {self.key}: {_said(error)}", hint=hint) from error
        except (exceptions.InvalidRequest, exceptions.InvalidPath) as error:
            raise UsageError(f"vault, {self.mount}, key {self.key}: {_said(error)}") from error
        except exceptions.VaultDown as error:
            raise EnvironmentFailed(f"vault is sealed or starting: {_said(error)}") from error
        except exceptions.VaultError as error:
            raise EnvironmentFailed(f"vault failed: {_said(error)}") from error
        except requests.RequestException as error:
            # What requests says has the address alone; its cause is shown by --debug only.
            raise EnvironmentFailed(f"vault does not answer: {error}") from error
        except (KeyError, TypeError, ValueError):
            # The cause would have the answer, and that may be a value.
            raise EnvironmentFailed("vault answered something else than its transit engine does") from None


def _said(error: Any) -> str:
    """Return Vault's own words: its answers to failures name what was asked, never a value."""
    return ", ".join(error.errors or ()) or type(error).__name__
