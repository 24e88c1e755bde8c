"""What there is of an experiment on its lab host, and what is wanted there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from labrig.experiments.services import Provision


@dataclass(frozen=True)
class Container:
    """The container of one version.

    Attributes:
        slot: Which of the experiment's two addresses it has, 0 or 1.
        running: It runs.
        healthy: It runs and answers as it should.
        enabled: It starts after a reboot.
    """

    slot: int
    running: bool = False
    healthy: bool = False
    enabled: bool = False


@dataclass(frozen=True)
class Service:
    """What there is of one service.

    Attributes:
        provision: Whose it is.
        made_of: The record of its server, as ``services.Shape.record`` has it; None where it cannot be read.
        has_server: There is a container, or a way from the experiment's network to a server of others.
        filled_with: The kind and initial data that its data began with; None where it has no data of its own.
        enabled: Its server runs and starts after a reboot.
        hooked: Its command on_create has ended well since its data were made.
    """

    provision: Provision = "independent"
    made_of: Mapping[str, str] | None = None
    has_server: bool = False
    filled_with: Mapping[str, str] | None = None
    enabled: bool = False
    hooked: bool = False

    @property
    def kind(self) -> str:
        """Its kind; empty where no record tells it."""
        return (self.filled_with or self.made_of or {}).get("kind", "")


@dataclass(frozen=True)
class Standing:
    """What there is of an experiment; read while its lock is held, so nobody else changes it.

    Attributes:
        branch: The branch that its record or labels name; empty where there are neither.
        folder: Its folder is there.
        code: The commit of a clean work tree; empty where there is none.
        built: The build that the application in the work tree was built for.
        images: The builds there are images of.
        network: Its network is there.
        services: By name.
        environments: The versions there are environment files of.
        prepared: The version whose command before the start has ended well.
        jobs: Containers of the build or of that command are left.
        containers: By version.
        routed: The version that its virtual host is for; empty where it has none.
        asleep: The virtual host shows the page of a sleeping experiment.
        host_taken_by: Another experiment that has the wanted host name already.
    """

    branch: str = ""
    folder: bool = False
    code: str = ""
    built: str = ""
    images: frozenset[str] = frozenset()
    network: bool = False
    services: Mapping[str, Service] = field(default_factory=dict)
    environments: frozenset[str] = frozenset()
    prepared: str = ""
    jobs: bool = False
    containers: Mapping[str, Container] = field(default_factory=dict)
    routed: str = ""
    asleep: bool = False
    host_taken_by: str = ""


@dataclass(frozen=True)
class WantedService:
    """A service that the configuration wants.

    Attributes:
        record: What it is to be made of, as ``services.Shape.record`` has it.
        waits: The experiment starts only when it answers a query.
        hook: It has a command on_create.
    """

    record: Mapping[str, str]
    provision: Provision = "independent"
    waits: bool = True
    hook: bool = False

    @property
    def filling(self) -> dict[str, str]:
        """What its data begin with: where this changes, old data are of no use."""
        if self.provision == "communal":
            return {}
        return {key: self.record[key] for key in ("kind", "initial_data") if key in self.record}


@dataclass(frozen=True)
class Wanted:
    """What is wanted of an experiment.

    Attributes:
        branch: The branch.
        release: Its commit.
        build: Stands for all that decides the image: the commit and how it is built.
        version: Stands for all that decides the container: build, environment, limits.
        builds_application: The application is built in a container before the image is.
        before_start: There is a command before the start.
        joins: Its container is in networks of others as well.
    """

    branch: str
    release: str
    build: str
    version: str
    services: Mapping[str, WantedService] = field(default_factory=dict)
    builds_application: bool = False
    before_start: bool = False
    joins: bool = False
