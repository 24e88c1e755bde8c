"""Secrets that are sealed by AWS KMS: the value goes to the key, which never leaves the service."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from labrig.errors import UsageError
from labrig.experiments import aws

# What KMS encrypts at once (AWS KMS API, Encrypt).
LONGEST = 4096


@dataclass(frozen=True)
class Kms:
    """Sealing with a symmetric key of AWS KMS.

    Attributes:
        key: Its id, its ARN, or ``alias/NAME``.
        region: Empty for what the environment or ~/.aws/config says.
        endpoint: The URL of a server that stands for KMS.
    """

    key: str
    region: str = ""
    endpoint: str = ""

    @property
    def openers(self) -> tuple[str, ...]:
        """Who may use the key."""
        return (f"those who may decrypt with {self.key} of kms",)

    def seal(self, value: bytes) -> bytes:
        """Return the sealed value; errors are those of ``aws.failures``.

        Raises:
            UsageError: It is too long for KMS.
        """
        if len(value) > LONGEST:
            raise UsageError(f"the value has {len(value)} bytes, and KMS seals {LONGEST} at most")
        with aws.failures("kms", self.endpoint):
            sealed: bytes = self._client.encrypt(KeyId=self.key, Plaintext=value)["CiphertextBlob"]
        return sealed

    def open(self, sealed: bytes) -> bytes:
        """Return the value; errors are those of ``aws.failures``. The sealed value tells by which key it was sealed."""
        with aws.failures("kms", self.endpoint):
            value: bytes = self._client.decrypt(CiphertextBlob=sealed)["Plaintext"]
        return value

    @cached_property
    def _client(self) -> Any:
        return aws.client("kms", region=self.region, endpoint=self.endpoint)
