"""What a failed test used and what stays for somebody to look at: how to enter it, and until when."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from labrig.containers.wish import State
from labrig.engine.client import engine_errors

if TYPE_CHECKING:
    from labrig.containers.owner import Owner


def told(test: str, owners: Iterable[Owner]) -> list[str]:
    """Return lines that say what was kept of a test, and how to enter it."""
    things = [(owner.client, thing) for owner in owners for thing in owner.found()]
    if not things:
        return []
    ends = [thing.ownership.expires for _, thing in things if thing.ownership.expires]
    until = f"{min(ends):%Y-%m-%d %H:%M} UTC" if ends else "it is removed"
    lines = [f"{test}: stays until {until}, or until `labrig clean`"]
    for client, thing in things:
        if thing.sort == "container":
            with engine_errors(f"look at container {thing.name}"):
                state = State.read(client.api.inspect_container(thing.id)["State"])
            lines.append(f"  {enter(thing.name, state)}")
        else:
            lines.append(f"  {thing.sort} {thing.name}")
    return lines


def enter(name: str, state: State) -> str:
    """Return how to look into a container.

    >>> enter("web", State("running", 0, alive=True))
    'docker exec -it web sh'
    >>> enter("job", State("exited", 3, alive=False))
    'docker logs job   # has exited with code 3; docker start job runs it again'
    """
    if state.status == "running":
        return f"docker exec -it {name} sh"
    again = f"docker {'unpause' if state.status == 'paused' else 'start'} {name}"
    return f"docker logs {name}   # {state.told()}; {again} runs it again"
