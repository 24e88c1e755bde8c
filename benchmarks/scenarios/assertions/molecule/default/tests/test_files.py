"""Sixty files, five assertions each."""

import pytest


@pytest.mark.parametrize("number", range(60))
def test_file(host, number):
    file = host.file(f"/etc/assertions-{number}")
    assert file.is_file
    assert file.user == "root"
    assert file.group == "root"
    assert file.mode == 0o640
    assert file.content_string.endswith(f" {number}\n")
