"""What the doctor says of limits."""

from __future__ import annotations

from pathlib import Path

import pytest

from labrig.engine.doctor import _watches


@pytest.mark.parametrize(("limit", "health"), [("128\n", "ok"), ("1024\n", "ok"), ("64\n", "warning")])
def test_a_low_limit_of_inotify_instances_is_told_with_the_setting(tmp_path: Path, limit: str, health: str) -> None:
    file = tmp_path / "sys" / "fs" / "inotify" / "max_user_instances"
    file.parent.mkdir(parents=True)
    file.write_text(limit)

    (found,) = _watches(file)

    assert found.health == health
    assert limit.strip() in found.found
    assert ("sysctl -w fs.inotify.max_user_instances=1024" in found.advice) == (health == "warning")


def test_a_limit_that_cannot_be_read_is_not_told(tmp_path: Path) -> None:
    assert list(_watches(tmp_path / "nothing")) == []
