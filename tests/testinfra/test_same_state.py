"""However a machine came to its state, from nothing or from production, it has to be the same state."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from testinfra.utils.ansible_runner import AnsibleRunner

import testinfra

if TYPE_CHECKING:
    from labrig.pytest_plugin import MachineState, SameState

MACHINES = ("fresh", "production")


def test_fresh_and_production_machines_are_in_the_same_state(
    pytestconfig: pytest.Config, machine_state: MachineState, same_state: SameState
) -> None:
    inventory = pytestconfig.getoption("--ansible-inventory") or os.environ.get("MOLECULE_INVENTORY_FILE")
    present = AnsibleRunner(inventory).get_hosts("all") if inventory else []
    missing = set(MACHINES) - set(present)
    if missing:
        pytest.skip(f"compares {' with '.join(MACHINES)}; the inventory has only {', '.join(present) or 'no machine'}")
    fresh, production = (
        machine_state(testinfra.get_host(f"ansible://{machine}", ansible_inventory=str(inventory)))
        for machine in MACHINES
    )
    same_state(fresh, production, names=MACHINES)
