"""Secrets sealed by KMS, and state in S3, against moto's server."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from labrig.errors import EnvironmentFailed, UsageError
from labrig.experiments import secrets
from labrig.experiments.secrets_kms import Kms
from labrig.experiments.state import Bucket, Value
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


def test_what_cannot_be_an_address_or_a_name_is_refused() -> None:
    for options, said in (({"endpoint": "http://a b"}, "Invalid endpoint"), ({"region": "a b"}, "region_name")):
        with pytest.raises(UsageError, match=said):
            Kms("a", **options).open(b"x")
    with pytest.raises(UsageError, match=r"bucket a/b c: s3.*Invalid bucket name"):
        Bucket("a/b c").find("/a")


def test_a_server_that_does_not_answer_is_the_environments_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EnvironmentFailed, match=r"kms at http://127\.0\.0\.1:9 does not answer"):
        Kms("a", endpoint="http://127.0.0.1:9").open(b"x")


@pytest.fixture
def bucket(url: str) -> Iterator[Any]:
    found = boto3.resource("s3", endpoint_url=url).Bucket("labtest")
    found.create(CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    yield found
    found.objects.delete()
    found.delete()


def test_a_bucket_has_the_value_or_the_nearest_default_above(url: str, bucket: Any) -> None:
    for key, text in {
        "services/docker/mysql/default": "mysql:5.7\n",
        "services/docker/mysql/shop": "mysql:8.0",
        # Begins as another key does, which LabTest takes for that one.
        "services/docker/redis-old": "redis:3",
    }.items():
        bucket.put_object(Key=key, Body=text.encode())
    state = Bucket("labtest", endpoint=url)
    assert state.find("/services/docker/mysql/shop") == Value("/services/docker/mysql/shop", "mysql:8.0")
    assert state.find("/services/docker/mysql/other") == Value("/services/docker/mysql/default", "mysql:5.7")
    assert state.find("/services/docker/redis") is None
    # LabTest's cache is never emptied; here a new value holds at once.
    bucket.put_object(Key="services/docker/mysql/shop", Body=b"mysql:8.4")
    assert state.find("/services/docker/mysql/shop") == Value("/services/docker/mysql/shop", "mysql:8.4")


def test_a_bucket_that_is_not_there_or_has_no_text_is_told(url: str, bucket: Any) -> None:
    with pytest.raises(UsageError, match=r"bucket missing: s3 at .* answered NoSuchBucket"):
        Bucket("missing", endpoint=url).find("/a")
    bucket.put_object(Key="a", Body=b"\xff")
    with pytest.raises(UsageError, match="bucket labtest: /a is not text"):
        Bucket("labtest", endpoint=url).find("/a")
