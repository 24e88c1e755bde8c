"""A capture that need not read what an earlier one has read finds what one finds that reads everything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from labrig.engine.machines import Machine
from labrig.state.capture import MEMORY, PROBE, Memory, capture, command, lines, request
from labrig.state.model import State
from trials.lab import Lab, run

# Keeps a file mapped and writes to it again and again: the first write to a page sets the file's time, no other does.
WRITER = """
cat > /usr/local/bin/writer <<'PYTHON'
import mmap, os, signal, sys
file = os.open("/srv/mapped", os.O_RDWR | os.O_CREAT)
os.ftruncate(file, 4096)
page = mmap.mmap(file, 4096)
page[0] = 65
signal.signal(signal.SIGUSR1, lambda *_: page.__setitem__(0, page[0] + 1))
open("/run/writer.ready", "w").close()
while True:
    signal.pause()
PYTHON
systemd-run --unit writer --quiet python3 /usr/local/bin/writer
until [ -e /run/writer.ready ]; do sleep 0.1; done
"""

UNITS = """
mkdir -p /etc/systemd/system-preset
for unit in /etc/systemd/system/first.service /opt/third.service; do
  printf '[Service]\\nExecStart=/bin/sleep 1d\\n[Install]\\nWantedBy=multi-user.target\\n' > "$unit"
done
systemctl enable /opt/third.service first
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as found:
        yield found


def remembering(machine: Machine, memory: Memory, *, address: str = "192.0.2.7", others: Sequence[str] = ()) -> State:
    asked = request(own_addresses=[address], remember=others)
    return capture(machine.stream, asked=asked, memory=memory)


def reading(machine: Machine, *, address: str = "192.0.2.7") -> State:
    return capture(machine.stream, asked=request(own_addresses=[address]))


def test_units_that_change_are_found(lab: Lab) -> None:
    machine = lab.start()
    run(machine, UNITS + "sleep 2.5")
    memory = Memory()
    assert units(remembering(machine, memory)) == units(reading(machine))
    for change in (
        "systemctl disable first; systemctl mask systemd-logind",
        "printf 'disable *\\n' > /etc/systemd/system-preset/90-none.preset",
        # Of the same size, in a file that is elsewhere and only linked to.
        "sed -i 's/WantedBy/WantedXx/' /opt/third.service; rm /etc/systemd/system/first.service",
    ):
        run(machine, f"{change}; sleep 2.5")
        assert units(remembering(machine, memory)) == units(reading(machine)), change


def units(state: State) -> dict[str, object]:
    return {key: value for (dimension, key), value in state.entries.items() if dimension == "unit"}


def files(state: State) -> dict[str, object]:
    return {key: value for (dimension, key), value in state.entries.items() if dimension == "file"}


def test_what_changed_is_found_whatever_it_does_to_look_unchanged(lab: Lab) -> None:
    machine = lab.start()
    run(machine, "echo 'listen 192.0.2.7' > /srv/address; echo one > /srv/kept; cp -p /srv/kept /srv/other" + WRITER)
    run(machine, "sleep 2.5")
    memory = Memory()
    first = remembering(machine, memory)
    assert files(first) == files(reading(machine))

    # The same size, the same time of change, and for one of them another inode.
    run(
        machine,
        """
        printf 'two\\n' > /tmp/two
        touch -r /srv/kept /tmp/two && cat /tmp/two > /srv/kept && touch -r /tmp/two /srv/kept
        mv /tmp/two /srv/other
        chmod 0755 /etc/motd; chown games /etc/issue
        systemctl kill --signal USR1 writer; sleep 0.2
        """,
    )
    second = files(remembering(machine, memory))
    assert second == files(reading(machine))
    changed = {key for key, value in files(first).items() if second.get(key) != value}
    assert {"/srv/kept", "/srv/other", "/srv/mapped", "/etc/motd", "/etc/issue"} <= changed

    # Where other addresses are the machine's own, texts read otherwise.
    other = files(remembering(machine, memory, address="192.0.2.8"))
    assert other == files(reading(machine, address="192.0.2.8"))
    assert other["/srv/address"] != second["/srv/address"]

    machine.restart()
    assert files(remembering(machine, memory)) == files(reading(machine))


def test_another_machine_of_the_same_image_is_told_what_they_have_in_common(lab: Lab) -> None:
    both = [lab.start(), lab.start()]
    addresses = [address for machine in both for address in machine.addresses()]
    for machine in both:
        run(
            machine, f"printf '%s\\n' {' '.join(addresses)} 192.0.2.7 > /srv/addresses; echo one > /etc/motd; sleep 2.5"
        )
    run(both[1], "echo two > /etc/motd")
    memory = Memory()
    remembering(both[0], memory, others=addresses)
    assert files(remembering(both[1], Memory(memory.text), others=addresses)) == files(reading(both[1]))


def test_what_is_remembered_holds_hashes_and_is_no_part_of_the_state(lab: Lab) -> None:
    machine = lab.start()
    run(machine, "echo 'it is a secret' > /srv/secret; sleep 2.5")
    asked = request(remember=())
    found = list(lines(machine.stream(command(asked, python=machine.python()), PROBE)))
    assert sum(line.startswith(MEMORY) for line in found) == 1
    memory = Memory()
    heard = list(memory.heard(found))
    assert not any(line.startswith(MEMORY) for line in heard)
    assert State.parse(heard).entries
    assert b"it is a secret" not in memory.before(PROBE)
