"""What every test of a machine has at hand.

Molecule runs these tests by itself. By hand, on any machines of an inventory:

    pytest tests/testinfra --hosts=ansible://all --ansible-inventory=INVENTORY
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from front_door import FrontDoor

if TYPE_CHECKING:
    from testinfra.host import Host


@pytest.fixture
def front_door(host: Host) -> FrontDoor:
    return FrontDoor(host)
