"""moto's server, which stands for Amazon's S3 and KMS over HTTP."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# What boto3 asks for; the server takes any.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "eu-central-1"}


@contextmanager
def moto() -> Iterator[str]:
    """Run the server; yield its URL."""
    argv = [sys.executable, "-m", "moto.server", "--port", "0"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment) as server:
        try:
            assert server.stdout is not None
            said = ""
            for line in server.stdout:
                said += line
                found = re.search(r"Running on (http://[\d.:]+)", line)
                if found:
                    break
            else:
                raise AssertionError(f"moto's server does not start: {said}")
            yield found[1]
        finally:
            server.terminate()
            server.stdout.close()
