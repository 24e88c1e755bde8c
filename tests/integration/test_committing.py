"""An image of a machine that holds more than there is room for, as its files tell their length."""

from __future__ import annotations

import pytest

from labrig.errors import EnvironmentFailed
from trials.lab import Lab, run


def test_a_sparse_file_larger_than_the_disk_is_told_at_once() -> None:
    with Lab() as lab:
        machine = lab.start()
        run(machine, "truncate -s 15T /srv/sparse")
        with pytest.raises(EnvironmentFailed, match=r"no room to commit machine m1 .*: it adds 16\d{3}\.\d GB") as told:
            lab.keep(machine)
        assert "find / -xdev -size +1G" in told.value.hint


def test_a_large_file_among_those_of_a_machine_is_kept_whole() -> None:
    with Lab() as lab:
        machine = lab.start()
        run(machine, "truncate -s 200M /srv/sparse; echo end >> /srv/sparse")
        kept = lab.start(lab.keep(machine))
        assert run(kept, "stat -c %s /srv/sparse; tail -c 4 /srv/sparse").split() == ["209715204", "end"]
