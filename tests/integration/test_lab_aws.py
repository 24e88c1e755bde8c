"""Secrets sealed by KMS, against moto's server."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from labrig.errors import EnvironmentFailed, UsageError
from labrig.experiments import secrets
from labrig.experiments.secrets_kms import Kms
from trials.aws import CREDENTIALS, moto


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with moto() as found:
        yield found


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def kms(url: str) -> Any:
    return boto3.client("kms", endpoint_url=url)


@pytest.fixture
def key(kms: Any) -> str:
    return str(kms.create_key()["KeyMetadata"]["KeyId"])


def test_what_is_sealed_is_opened_with_the_key_that_it_names_itself(url: str, kms: Any, key: str) -> None:
    sealed = Kms(key, endpoint=url).seal(b"hunter2\xff")
    assert secrets.sealed_with(sealed) is None
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    assert Kms(other, endpoint=url).open(sealed) == b"hunter2\xff"


def test_what_labtest_encrypted_is_opened(url: str, kms: Any, key: str) -> None:
    """LabTest writes what `aws kms encrypt --query CiphertextBlob --output text` prints."""
    blob = kms.encrypt(KeyId=key, Plaintext=b"hunter2")["CiphertextBlob"]
    text = f"db://me:ENC[{base64.b64encode(blob).decode()}]@db/"
    assert secrets.opened(text, Kms(key, endpoint=url).open) == "db://me:hunter2@db/"


def test_an_alias_names_a_key(url: str, kms: Any, key: str) -> None:
    kms.create_alias(AliasName="alias/lab", TargetKeyId=key)
    found = Kms("alias/lab", endpoint=url)
    assert found.open(found.seal(b"x")) == b"x"


def test_what_kms_refuses_is_told_in_its_words_without_the_value(url: str, key: str) -> None:
    with pytest.raises(UsageError, match=rf"kms at {url} answered NotFoundException") as caught:
        Kms("missing", endpoint=url).seal(b"hunter2")
    assert "hunter2" not in str(caught.value)
    with pytest.raises(UsageError, match="answered "):
        Kms(key, endpoint=url).open(b"rubbish")
    with pytest.raises(UsageError, match="the value has 4097 bytes, and KMS seals 4096 at most"):
        Kms(key, endpoint=url).seal(b"x" * 4097)


def test_without_credentials_or_region_one_is_told_what_to_do(
    url: str, key: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(UsageError, match="credentials") as caught:
        Kms(key, endpoint=url).seal(b"x")
    assert "aws configure" in caught.value.hint
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(UsageError, match="no region is known"):
        Kms(key).seal(b"x")


def test_a_server_that_does_not_answer_is_the_environments_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EnvironmentFailed, match=r"kms at http://127\.0\.0\.1:9 does not answer"):
        Kms("a", endpoint="http://127.0.0.1:9").open(b"x")
