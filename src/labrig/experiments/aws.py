"""Amazon's services, or servers that stand for them: their client, and its errors in labrig's words.

Credentials are found as boto3 finds them: in the environment, in ~/.aws, from the machine's own role.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from labrig.errors import EnvironmentFailed, UsageError

# Codes that tell of a moment's trouble, or of the server's, and of nothing that the caller could mend.
_SERVER = {"InternalError", "ServiceUnavailable", "SlowDown", "ThrottlingException", "KMSInternalException"}


def client(service: str, *, region: str = "", endpoint: str = "") -> Any:
    """Return a client of boto3; an answer may take 30 seconds.

    Args:
        service: ``s3`` or ``kms``.
        region: Empty for what the environment or ~/.aws/config says.
        endpoint: The URL of a server that stands for Amazon's.

    Raises:
        UsageError: No region is known, and others of ``failures``.
    """
    with failures(service, endpoint):
        import boto3  # noqa: PLC0415  # most laboratories never need it
        from botocore.config import Config  # noqa: PLC0415

        limits = Config(connect_timeout=10, read_timeout=30, retries={"total_max_attempts": 3})
        # A session of its own: the one that boto3 shares keeps the credentials that it found first.
        return boto3.Session().client(service, region_name=region or None, endpoint_url=endpoint or None, config=limits)


@contextmanager
def failures(service: str, endpoint: str = "") -> Iterator[None]:
    """Raise what boto3 raises in labrig's words; no message has a value that was sent.

    Raises:
        UsageError: It refused what it was asked, there are no credentials, or boto3 is not installed.
        EnvironmentFailed: It is not reached, or fails by itself.
    """
    try:
        from botocore import exceptions  # noqa: PLC0415  # as boto3
    except ImportError as error:
        raise UsageError(f"{service} needs boto3, which is not installed", hint="pip install labrig[aws]") from error
    where = f"{service} at {endpoint}" if endpoint else service
    try:
        yield
    except exceptions.NoRegionError as error:
        raise UsageError(f"{where}: no region is known", hint="option region, or AWS_DEFAULT_REGION") from error
    except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError, exceptions.ProfileNotFound) as error:
        raise UsageError(f"{where}: {error}", hint="aws configure, or AWS_ACCESS_KEY_ID and its secret") from error
    except exceptions.ClientError as error:
        code, said = error_code(error), error.response.get("Error", {}).get("Message", "")
        kind = EnvironmentFailed if code in _SERVER else UsageError
        raise kind(f"{where} answered {code}{f': {said}' if said else ''}") from error
    except (exceptions.ParamValidationError, exceptions.ValidationError, ValueError) as error:
        raise UsageError(f"{where}: {' '.join(str(error).split())}") from error
    except exceptions.BotoCoreError as error:
        raise EnvironmentFailed(f"{where} does not answer: {error}") from error


def error_code(error: Any) -> str:
    """Return the code of a ``ClientError``, ``an error`` where it has none; empty for any other error."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "an error")) if response else ""
