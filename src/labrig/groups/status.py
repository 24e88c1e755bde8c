"""What there is of each service, in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from labrig.groups.standing import Standing


@dataclass(frozen=True)
class Status:
    """A line of ``labrig group status``.

    Attributes:
        state: ``running``, ``healthy``, ``done``, ``exited with 1``, ``not created`` ...
        well: Whether it is as it should be once the group has started.
        ports: The host's ports by those of the container, ``5432/tcp``.
        since: When its container was last started; None if it never was.
        defined: Whether the group's file still has it.
    """

    service: str
    state: str
    well: bool
    ports: Mapping[str, int]
    image: str
    container: str
    since: datetime | None
    defined: bool = True


def statuses(one_shot: Mapping[str, bool], standing: Mapping[str, Standing]) -> list[Status]:
    """Return the status of every service, those that are no longer defined at the end.

    Args:
        one_shot: The services that are defined, and whether each is done when it exits with 0.
        standing: What the engine has.
    """
    names = (*one_shot, *sorted(set(standing) - set(one_shot)))
    return [_status(name, standing.get(name), one_shot=one_shot.get(name)) for name in names]


def _status(name: str, found: Standing | None, *, one_shot: bool | None) -> Status:
    if found is None:
        return Status(name, "not created", well=False, ports={}, image="", container="", since=None)
    is_done = bool(one_shot) and found.status == "exited" and found.exit_code == 0
    if is_done:
        state = "done"
    elif found.status == "running":
        state = found.health or "running"
    elif found.status == "exited":
        state = f"exited with {found.exit_code}"
    else:
        state = found.status
    return Status(
        name,
        state if one_shot is not None else f"{state}, no longer defined",
        well=is_done or (found.status == "running" and found.health in ("", "healthy")),
        ports=found.ports,
        image=found.image,
        container=found.name,
        since=_moment(found.started),
        defined=one_shot is not None,
    )


def _moment(text: str) -> datetime | None:
    # The engine's word for never is the year 1.
    return None if not text or text.startswith("0001-") else datetime.fromisoformat(text)
