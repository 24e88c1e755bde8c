"""The experiments of a lab host, all of them at one look: what is there, and what is told of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

from labrig.engine.ownership import EXPIRES, NEVER
from labrig.experiments import edge, record
from labrig.experiments.edge import Routed
from labrig.experiments.naming import APP, BRANCH, NAME, SERVICE, SLOT, VERSION, Names

# Requests go to a container that runs; the next one wakes it; they go to one that does not run; they go nowhere.
State = Literal["serves", "sleeps", "does not answer", "was never ready"]


@dataclass(frozen=True)
class Container:
    """A container of an experiment as the engine tells it."""

    labels: Mapping[str, str]
    state: str

    @property
    def is_running(self) -> bool:
        """Whether it runs."""
        return self.state == "running"


@dataclass(frozen=True)
class Look:
    """What there is on a lab host.

    Attributes:
        containers: All that are an experiment's.
        labels: Of the other objects of the engine that are an experiment's: networks and volumes.
        records: The contents of records, by application and name; empty where a folder has none.
        routes: The contents of the edge's files.
        holders: Who holds the lock of an experiment now, by application and name.
    """

    containers: tuple[Container, ...] = ()
    labels: tuple[Mapping[str, str], ...] = ()
    records: Mapping[Names, str] = field(default_factory=dict)
    routes: tuple[str, ...] = ()
    holders: Mapping[Names, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Listed:
    """An experiment on a lab host.

    Attributes:
        app: Its application.
        name: Its name.
        state: Whether it serves.
        branch: Its branch; empty where neither record nor labels tell.
        release: The commit that serves, or that was to serve first; empty where no record tells.
        url: Where it is found, or was to be; empty likewise.
        host: Its host name; empty likewise.
        version: The version that requests go to; empty where none does.
        repository: Where its branch is.
        creator: ``user@host`` that made it.
        created: When, ISO 8601, as all times here.
        deployed: When it was last deployed.
        expires: When its time is over; empty is never.
        pinned: It stays until it is deleted by hand.
        sleeps: Seconds without a request after which it sleeps; 0 is never.
        services: Whether each of its own services runs, by name.
        busy: Who deploys or deletes it right now; empty for nobody.
    """

    app: str
    name: str
    state: State
    branch: str = ""
    release: str = ""
    url: str = ""
    host: str = ""
    version: str = ""
    repository: str = ""
    creator: str = ""
    created: str = ""
    deployed: str = ""
    expires: str = ""
    pinned: bool = False
    sleeps: float = 0.0
    services: Mapping[str, bool] = field(default_factory=dict)
    busy: str = ""

    @property
    def names(self) -> Names:
        """What everything of it is called."""
        return Names(self.app, self.name)

    @property
    def end(self) -> datetime | None:
        """When its time is over; None is never, or that nobody can read it."""
        return record.time(self.expires)

    def object(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)


def read(told: Mapping[str, Any]) -> Listed:
    """Return what ``object`` told.

    Raises:
        TypeError: It is something else.
    """
    return Listed(**told)


def listed(look: Look) -> list[Listed]:
    """Return all experiments of a host, by application and name."""
    routes = {one.names: one for one in map(edge.read, look.routes) if one}
    containers: dict[Names, list[Container]] = {}
    for container in look.containers:
        containers.setdefault(_names(container.labels), []).append(container)
    # All objects of one experiment bear the same, but for what each of them is.
    labels = {_names(one): one for one in (*look.labels, *(one.labels for one in look.containers))}
    found = {*labels, *look.records, *routes}
    return [
        _told(
            names,
            look.records.get(names, ""),
            routes.get(names),
            containers.get(names, ()),
            labels.get(names, {}),
            look.holders.get(names, ""),
        )
        for names in sorted(found, key=lambda one: (one.app, one.name))
        if names.app and names.name
    ]


def _names(labels: Mapping[str, str]) -> Names:
    return Names(labels.get(APP, ""), labels.get(NAME, ""))


def _told(
    names: Names,
    text: str,
    routed: Routed | None,
    mine: Sequence[Container],
    labels: Mapping[str, str],
    busy: str,
) -> Listed:
    serving = [one for one in mine if routed and one.labels.get(VERSION) == routed.version and SLOT in one.labels]
    state: State = "was never ready"
    if routed and serving:
        state = "sleeps" if routed.asleep else "serves" if serving[0].is_running else "does not answer"
    told = Listed(
        app=names.app,
        name=names.name,
        state=state,
        branch=labels.get(BRANCH, ""),
        expires="" if labels.get(EXPIRES) == NEVER else labels.get(EXPIRES, ""),
        version=routed.version if routed else "",
        services={one.labels[SERVICE]: one.is_running for one in mine if SERVICE in one.labels},
        busy=busy,
        # Until when it stays stands in a record that cannot be read: nobody shall sweep it.
        pinned=bool(text),
    )
    noted = record.read(text)
    if noted is None:
        return told
    return Listed(
        **{
            **told.object(),
            "branch": noted.branch,
            "release": noted.kept.release,
            "url": noted.kept.url,
            "host": noted.kept.host,
            "repository": noted.repository,
            "creator": noted.creator,
            "created": noted.created,
            "deployed": noted.deployed,
            "expires": noted.expires,
            "pinned": noted.pinned,
            "sleeps": noted.kept.sleeps,
        }
    )
