"""However a machine came to its state, from nothing or from production, it has to be the same state."""

from __future__ import annotations

import base64
import gzip
import os
from typing import TYPE_CHECKING

import pytest
from testinfra.utils.ansible_runner import AnsibleRunner

import testinfra
from labrig.state.capture import capture
from labrig.state.compare import compare
from labrig.state.explain import sentence

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from labrig.state.model import State

MACHINES = ("fresh", "production")


def state_of(machine: str, inventory: str) -> State:
    """Capture the state of a machine through whatever connection the inventory names."""
    host = testinfra.get_host(f"ansible://{machine}", ansible_inventory=inventory)

    def execute(argv: Sequence[str], stdin: bytes) -> Iterable[str]:
        # Testinfra has no standard input: it has to travel as an argument, which may hold 128 KiB.
        packed = base64.b64encode(gzip.compress(stdin)).decode()
        words = " ".join(["%s"] * len(argv))
        yield host.check_output(f"printf %%s %s | base64 --decode | gzip --decompress | {words}", packed, *argv)

    return capture(execute, source=f"the state of {machine}")


def test_fresh_and_production_machines_are_in_the_same_state(pytestconfig: pytest.Config) -> None:
    inventory = pytestconfig.getoption("--ansible-inventory") or os.environ.get("MOLECULE_INVENTORY_FILE")
    present = AnsibleRunner(inventory).get_hosts("all") if inventory else []
    missing = set(MACHINES) - set(present)
    if missing:
        pytest.skip(f"compares {' with '.join(MACHINES)}; the inventory has only {', '.join(present) or 'no machine'}")
    fresh, production = (state_of(machine, str(inventory)) for machine in MACHINES)
    found = compare(fresh, production).differences
    said = [sentence(difference, left="fresh", right="production") for difference in found]
    assert not found, "\n".join([f"{len(found)} differences", *said])
