"""What is written down about an experiment on its lab host: what labels cannot say, since they never change."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta

from labrig.experiments import kept
from labrig.experiments.kept import Kept


@dataclass(frozen=True)
class Record:
    """The record of one experiment, one line of JSON.

    Attributes:
        branch: Its branch.
        repository: Where the branch is.
        creator: ``user@host`` that made it.
        created: When it was made, ISO 8601, as all times here.
        deployed: When it was last deployed.
        expires: When its time is over; empty is never.
        pinned: It stays until it is deleted by hand.
        kept: What the host needs to know of its settings.
    """

    branch: str
    repository: str
    creator: str
    created: str
    deployed: str
    expires: str = ""
    pinned: bool = False
    kept: Kept = field(default_factory=Kept)

    def text(self) -> str:
        """Return the content of its file."""
        return json.dumps(asdict(self)) + "\n"

    @property
    def end(self) -> datetime | None:
        """When its time is over; None is never, or that nobody can read it."""
        return time(self.expires)


def time(text: str) -> datetime | None:
    """Return a time that is written as ISO 8601, one without a zone as UTC; None where nobody can read it."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


_NOTHING = Kept()


def read(text: str) -> Record | None:
    """Return the record of a file's content; None where it is none."""
    try:
        told = json.loads(text)
        found = kept.known(Record, told)
        return Record(**{**found, "kept": kept.read(found.get("kept", {}))})
    except (ValueError, TypeError):
        return None


def deployed(
    before: Record | None,
    *,
    branch: str,
    repository: str,
    who: str,
    now: datetime,
    stays: timedelta | None,
    settings: Kept = _NOTHING,
) -> Record:
    """Return the record of an experiment that is deployed now; it stays pinned, and its maker is who made it first.

    Args:
        before: Its record until now, if it has one.
        branch: Its branch.
        repository: Where the branch is.
        who: ``user@host`` that deploys it.
        now: The time.
        stays: How long it stays from now on; None is for ever.
        settings: What the host needs to know of its settings, once it serves by them: until then, and where that
            fails, it serves by those of before.
    """
    today = now.isoformat(timespec="seconds")
    keeps = settings
    if before:
        # A service is made before the new version serves.
        keeps = replace(before.kept, on_delete={**before.kept.on_delete, **settings.on_delete})
    return Record(
        branch=branch,
        repository=repository,
        creator=before.creator if before else who,
        created=before.created if before else today,
        deployed=today,
        expires=(now + stays).isoformat(timespec="seconds") if stays else "",
        pinned=before.pinned if before else False,
        kept=keeps,
    )
