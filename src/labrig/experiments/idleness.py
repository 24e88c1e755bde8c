"""Which experiments nobody asks for: by the edge's access log, whose lines begin with the host that was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from labrig.experiments import record
from labrig.experiments.listing import Listed

ACCESS_LOG = "/var/log/edge/access.log"


def hosts(lines: Iterable[str]) -> set[str]:
    """Return the hosts that requests of an access log were for."""
    return {line.partition(" ")[0] for line in lines}


def idle(experiments: Iterable[Listed], asked: Mapping[str, datetime], since: datetime, now: datetime) -> list[Listed]:
    """Return the experiments that serve, and that nobody has asked for as long as their settings say.

    Args:
        experiments: All of a lab host.
        asked: When a host was last asked for.
        since: Since when anybody has looked for requests: earlier ones are not known.
        now: The time.
    """
    return [
        one
        for one in experiments
        if one.sleeps
        and one.state == "serves"
        and now - max(since, asked.get(one.host, since), record.time(one.deployed) or since)
        >= timedelta(seconds=one.sleeps)
    ]
