"""All that the commands of one experiment need to know, and the options of Docker that follow from it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from labrig.experiments import kept
from labrig.experiments.addresses import Addresses
from labrig.experiments.environment import Identity
from labrig.experiments.kept import Kept
from labrig.experiments.naming import Names
from labrig.experiments.record import Record
from labrig.experiments.services import Credentials
from labrig.experiments.wanting import server_of_others

if TYPE_CHECKING:
    # A lab host has no pydantic.
    from labrig.experiments.settings import ServiceSettings, Settings


class Deployed(Protocol):
    """What the commands need to know that let an experiment sleep, wake it, or remove it: its lab host knows it too."""

    @property
    def names(self) -> Names:
        """What everything of it is called."""

    @property
    def labels(self) -> Mapping[str, str]:
        """What everything of it carries on the engine."""

    @property
    def addresses(self) -> Addresses:
        """The addresses of its network."""

    @property
    def record(self) -> Record:
        """Its record."""

    @property
    def kept(self) -> Kept:
        """What its host keeps of the settings that it is to serve by."""

    @property
    def connected(self) -> Mapping[str, str]:
        """The containers of others that its network leads to, by service."""


@dataclass(frozen=True)
class Recorded:
    """An experiment as it is known without the settings of its application.

    Attributes:
        names: What everything of it is called.
        record: Its record.
        addresses: Of its network.
        connected: The containers of others that its network leads to, by service.
    """

    names: Names
    record: Record
    addresses: Addresses
    connected: Mapping[str, str] = field(default_factory=dict)

    @property
    def labels(self) -> Mapping[str, str]:
        """What everything of it carries on the engine."""
        return labels(self.names, self.record)

    @property
    def kept(self) -> Kept:
        """What its host keeps of the settings that it serves by."""
        return self.record.kept


def labels(names: Names, noted: Record) -> dict[str, str]:
    """Return what everything of an experiment carries on the engine, by its record."""
    return names.labels(noted.branch, creator=noted.creator, created=noted.created, expires=noted.expires or "never")


@dataclass(frozen=True)
class Deployment:
    """All that the commands of one experiment need to know.

    Attributes:
        identity: What it is.
        settings: The application's settings.
        labels: What everything of it carries on the engine.
        addresses: Of its network.
        record: Its record.
        key: The secret that the passwords of its services are made of.
        variables: Its environment, secrets opened.
        services: By name, those that are wanted.
        connected: The containers of others that the experiment's network leads to, by service.
        user: ``uid:gid`` of the host's service user, whose files a build makes.
        sealed: What was sealed in its settings, now and in those that it was deployed with before.
    """

    identity: Identity
    settings: Settings
    labels: Mapping[str, str]
    addresses: Addresses
    record: Record
    key: str = field(default="", repr=False)
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    services: Mapping[str, ServiceDeployment] = field(default_factory=dict)
    connected: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    sealed: tuple[str, ...] = field(default=(), repr=False)

    @property
    def names(self) -> Names:
        """What everything of it is called."""
        return self.identity.names

    @property
    def kept(self) -> Kept:
        """What its host keeps of the settings."""
        return kept.of(self.settings, self.identity)

    @property
    def limits(self) -> tuple[str, ...]:
        """The options of ``docker create`` for what a container may use and do at most."""
        return self.kept.limits.options

    def server(self, name: str, service: ServiceSettings) -> str:
        """Return the container in which a service's server runs."""
        if service.provision == "independent":
            return self.names.service(name)
        return server_of_others(name, service, self.names)


@dataclass(frozen=True)
class ServiceDeployment:
    """All that the commands of one service need to know.

    Attributes:
        settings: Its settings.
        credentials: Who the experiment is to it.
        record: What it is made of, as ``services.Shape.record`` has it.
        filling: What its data begin with.
        variables: Its container's own variables, secrets opened.
        dump: The file that an empty volume is filled with; empty for none.
    """

    settings: ServiceSettings
    credentials: Credentials
    record: Mapping[str, str]
    filling: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    dump: str = ""


def label_options(labels: Mapping[str, str]) -> Iterator[str]:
    """Return the options of Docker for labels."""
    return (f"--label={name}={value}" for name, value in labels.items())


def mount(**fields: str) -> str:
    """Return the value of ``--mount``, which is a line of CSV."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(f"{name}={value}" for name, value in fields.items())
    return line.getvalue()
