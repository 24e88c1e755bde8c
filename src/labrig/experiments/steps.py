"""What can be done about an experiment on its lab host, as values: each step done twice is as good as done once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from labrig.experiments.services import Provision

Moment = Literal["create", "delete"]


@dataclass(frozen=True)
class MakeFolder:
    """Make the folder of the experiment."""

    def __str__(self) -> str:
        return "make the folder"


@dataclass(frozen=True)
class WriteRecord:
    """Write branch and expiry, by which a sweep finds and judges the experiment."""

    branch: str

    def __str__(self) -> str:
        return f"record branch {self.branch} and how long it stays"


@dataclass(frozen=True)
class FetchCode:
    """Make the work tree that of a commit, without its history and without what an earlier build left there."""

    release: str

    def __str__(self) -> str:
        return f"fetch commit {self.release[:12]}"


@dataclass(frozen=True)
class BuildApplication:
    """Run the build command in a container of the build image."""

    build: str

    def __str__(self) -> str:
        return "build the application"


@dataclass(frozen=True)
class BuildImage:
    """Build the image of a build."""

    build: str

    def __str__(self) -> str:
        return f"build image {self.build}"


@dataclass(frozen=True)
class MakeNetwork:
    """Make the network of the experiment."""

    def __str__(self) -> str:
        return "make the network"


@dataclass(frozen=True)
class FetchImage:
    """Fetch the image of a service, unless it is there: what cannot be had replaces nothing that runs."""

    service: str
    image: str

    def __str__(self) -> str:
        return f"fetch image {self.image} for service {self.service}"


@dataclass(frozen=True)
class RemoveServer:
    """Remove a service's container and unit, or let the experiment no more to a server of others; its data stay."""

    service: str
    kind: str
    provision: Provision
    why: str

    def __str__(self) -> str:
        return f"remove service {self.service}: {self.why}"


@dataclass(frozen=True)
class RemoveData:
    """Remove a service's volume, or the database and user on a shared server."""

    service: str
    kind: str
    provision: Provision
    why: str

    def __str__(self) -> str:
        return f"remove the data of service {self.service}: {self.why}"


@dataclass(frozen=True)
class MakeService:
    """Make a service's volume and container; or database and user on a shared server, and the way to it."""

    service: str

    def __str__(self) -> str:
        return f"make service {self.service}"


@dataclass(frozen=True)
class StartService:
    """Start a service's container, now and after every reboot."""

    service: str

    def __str__(self) -> str:
        return f"start service {self.service}"


@dataclass(frozen=True)
class AwaitService:
    """Wait until a service answers a query."""

    service: str

    def __str__(self) -> str:
        return f"wait until service {self.service} answers a query"


@dataclass(frozen=True)
class RunHook:
    """Run a service's own command, in the image of a build with the environment of a version."""

    service: str
    moment: Moment
    build: str
    version: str

    def __str__(self) -> str:
        return f"run on_{self.moment} of service {self.service}"


@dataclass(frozen=True)
class WriteEnvironment:
    """Write the environment of a version into a file that its owner alone can read."""

    version: str

    def __str__(self) -> str:
        return f"write the environment of {self.version}"


@dataclass(frozen=True)
class RunBeforeStart:
    """Run the command before the start, in the new image with the new environment."""

    build: str
    version: str

    def __str__(self) -> str:
        return f"run the command before the start, with the image of {self.version}"


@dataclass(frozen=True)
class CreateContainer:
    """Create the container of a version from the image of a build, without starting it.

    Attributes:
        build: The build.
        version: The version.
        slot: Which of the experiment's two addresses it has, 0 or 1: the old one and the new one run side by side.
    """

    build: str
    version: str
    slot: int

    def __str__(self) -> str:
        return f"create container {self.version}"


@dataclass(frozen=True)
class JoinNetworks:
    """Let the container of a version, which does not run yet, into the networks of others that are wanted."""

    version: str

    def __str__(self) -> str:
        return f"join container {self.version} to networks of others"


@dataclass(frozen=True)
class StartContainer:
    """Start the container of a version, now and after every reboot."""

    version: str

    def __str__(self) -> str:
        return f"start container {self.version}"


@dataclass(frozen=True)
class AwaitHealthy:
    """Wait until a container is healthy."""

    version: str
    slot: int

    def __str__(self) -> str:
        return f"wait until container {self.version} is healthy"


@dataclass(frozen=True)
class Route:
    """Lead requests to a version; where the edge refuses it, they go where they went before."""

    version: str
    slot: int

    def __str__(self) -> str:
        return f"lead requests to container {self.version}"


@dataclass(frozen=True)
class RouteToSplash:
    """Answer requests with the page that says that the experiment sleeps, and remember its version."""

    version: str

    def __str__(self) -> str:
        return "answer requests with the page of a sleeping experiment"


@dataclass(frozen=True)
class Unroute:
    """Remove the virtual host."""

    def __str__(self) -> str:
        return "remove the virtual host"


@dataclass(frozen=True)
class StopContainer:
    """Stop the container of a version, and do not start it after a reboot."""

    version: str

    def __str__(self) -> str:
        return f"stop container {self.version}"


@dataclass(frozen=True)
class RemoveContainer:
    """Remove the container of a version."""

    version: str

    def __str__(self) -> str:
        return f"remove container {self.version}"


@dataclass(frozen=True)
class RemoveJobs:
    """Remove the containers of the build and of the command before the start."""

    def __str__(self) -> str:
        return "remove the containers of finished commands"


@dataclass(frozen=True)
class RemoveEnvironment:
    """Remove the file of a version's environment."""

    version: str

    def __str__(self) -> str:
        return f"remove the environment of {self.version}"


@dataclass(frozen=True)
class RemoveImage:
    """Remove the image of a build."""

    build: str

    def __str__(self) -> str:
        return f"remove image {self.build}"


@dataclass(frozen=True)
class RemoveNetwork:
    """Remove the network of the experiment."""

    def __str__(self) -> str:
        return "remove the network"


@dataclass(frozen=True)
class RemoveFolder:
    """Remove the folder, and with it the record: the last that is left of an experiment."""

    def __str__(self) -> str:
        return "remove the folder"


Step = (
    MakeFolder
    | WriteRecord
    | FetchCode
    | BuildApplication
    | BuildImage
    | MakeNetwork
    | FetchImage
    | RemoveServer
    | RemoveData
    | MakeService
    | StartService
    | AwaitService
    | RunHook
    | WriteEnvironment
    | RunBeforeStart
    | CreateContainer
    | JoinNetworks
    | StartContainer
    | AwaitHealthy
    | Route
    | RouteToSplash
    | Unroute
    | StopContainer
    | RemoveContainer
    | RemoveJobs
    | RemoveEnvironment
    | RemoveImage
    | RemoveNetwork
    | RemoveFolder
)
