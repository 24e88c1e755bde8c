"""Services and secrets in a test; where there is no swarm, one of this node alone is started, and left again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from docker.types import EndpointSpec, NetworkAttachmentConfig, Resources, RestartPolicy, SecretReference, ServiceMode

from labrig.containers import tasks
from labrig.containers.container import Container
from labrig.engine import ownership, swarm, sweep
from labrig.engine.client import engine_errors
from labrig.errors import UsageError

if TYPE_CHECKING:
    from labrig.containers.image import Image
    from labrig.containers.owner import Owner

READY_SECONDS = 120.0
NANO = 1_000_000_000


def need(owner: Owner) -> None:
    """Have a swarm for as long as the owner's run lasts.

    Raises:
        EnvironmentFailed: The engine is a worker of somebody's swarm, or cannot be a swarm.
    """
    # The run's, not the part's: the next test needs not start it again.
    labels = owner.labels("swarm")
    swarm.hold(owner.client, {key: value for key, value in labels.items() if key != ownership.PART})


class Secret:
    """A secret of the swarm, which goes with its owner.

    Attributes:
        label: What services call it, unless they are given another target.
        name: Its name in the swarm, which no other test has.
        id: Docker's.
    """

    def __init__(self, owner: Owner, label: str, name: str, id: str) -> None:  # noqa: A002  # Docker's word
        self.owner = owner
        self.label = label
        self.name = name
        self.id = id

    @classmethod
    def from_content(cls, owner: Owner, label: str, content: str | bytes) -> Self:
        """Create a secret of a text or of bytes.

        Raises:
            EnvironmentFailed: There can be no swarm, or it refuses the secret.
        """
        need(owner)
        name = owner.unique(label)
        data = content.encode() if isinstance(content, str) else content
        with engine_errors(f"create secret {label}"):
            made = owner.client.api.create_secret(name, data, labels=owner.labels("secret"))
        return cls(owner, label, name, str(made["ID"]))

    @classmethod
    def from_file(cls, owner: Owner, label: str, file: Path | str) -> Self:
        """Create a secret of the content of a file.

        Raises:
            UsageError: The file cannot be read.
        """
        try:
            content = Path(file).read_bytes()
        except OSError as error:
            raise UsageError(f"secret {label}: {file} cannot be read: {error.strerror}") from error
        return cls.from_content(owner, label, content)

    def remove(self) -> None:
        """Remove it; it goes with its owner at the latest.

        Raises:
            UsageError: A service uses it.
        """
        if not sweep.discard(self.owner.client, "secret", self.id):
            raise UsageError(f"secret {self.label} is in use", hint="remove the service that uses it first")


class Service:
    """A service of the swarm, from before it runs until it is gone; most methods return it, so that calls chain.

    password = Secret.from_content(owner, "password", "hush")
    web = Service.from_image(image, "web").secret(password).expose(80).run("serve", replicas=2)
    urlopen(f"http://127.0.0.1:{web.port(80)}/")
    """

    def __init__(self, owner: Owner, label: str, image: str) -> None:
        self.owner = owner
        self.label = label
        self.image = image
        self.id = ""
        self._env: dict[str, str] = {}
        self._secrets: list[SecretReference] = []
        self._ports: list[dict[str, Any]] = []
        self._networks: list[NetworkAttachmentConfig] = []
        self._options: dict[str, Any] = {}

    @classmethod
    def from_image(cls, image: Image, name: str = "", *, owner: Owner | None = None) -> Self:
        """Return a service that is to run an image; it belongs to the image's owner."""
        return cls(owner or image.owner, name or image.hint, image.name)

    def env(self, values: Mapping[str, str] | None = None, **more: str) -> Self:
        """Set variables of its environment; it has none of the caller's."""
        self._env.update({**(values or {}), **more})
        return self

    def secret(self, secret: Secret, target: str = "", *, mode: int = 0o444) -> Self:
        """Let it read a secret, at ``/run/secrets/TARGET``; the target is the secret's label if empty."""
        self._secrets.append(SecretReference(secret.id, secret.name, filename=target or secret.label, mode=mode))
        return self

    def expose(self, *ports: int | str) -> Self:
        """Make ports reachable from this machine, each at a free port that ``port`` tells: 80, or "53/udp"."""
        for port in ports:
            number, _, protocol = str(port).partition("/")
            # The containers' own ports: the routing mesh hands out none that nobody else has.
            self._ports.append({"TargetPort": int(number), "Protocol": protocol or "tcp", "PublishMode": "host"})
        return self

    def network(self, name: str, *aliases: str) -> Self:
        """Connect it with an overlay network of the swarm."""
        self._networks.append(NetworkAttachmentConfig(name, aliases=list(aliases)))
        return self

    def options(self, **more: Any) -> Self:
        """Set further options of Docker's library for creating a service, such as ``constraints`` or ``mounts``."""
        self._options.update(more)
        return self

    def run(
        self,
        *command: str,
        replicas: int = 1,
        memory: int = 0,
        cpus: float = 0.0,
        seconds: float = READY_SECONDS,
    ) -> Self:
        """Create it, and wait until all of its replicas run; healthy, if they have a health check.

        Args:
            command: The image's own if empty.
            replicas: How many containers.
            memory: The most that each may use, in bytes; 0 for no limit.
            cpus: Likewise, processors.
            seconds: How long they may take.

        Raises:
            UsageError: It runs already.
            NotReady: A container fails, or not all run in time; the message has the last lines.
            EnvironmentFailed: There can be no swarm, or it refuses the service.
        """
        if self.id:
            raise UsageError(f"service {self.label} runs already")
        need(self.owner)
        with engine_errors(f"create service {self.label}"):
            made = self.owner.client.services.create(
                self.image,
                args=list(command) or None,
                name=self.owner.unique(self.label),
                labels=self.owner.labels("service"),
                container_labels=self.owner.labels("test"),
                env=[f"{key}={value}" for key, value in self._env.items()],
                secrets=self._secrets,
                networks=self._networks or None,
                mode=ServiceMode("replicated", replicas),
                resources=Resources(mem_limit=memory or None, cpu_limit=round(cpus * NANO) or None),
                # One that fails is a failed test, not one to be started again and again.
                restart_policy=RestartPolicy("none"),
                endpoint_spec=EndpointSpec(
                    mode="dnsrr" if not tasks.has_routing_mesh() else None,
                    ports=self._ports,
                ),
                **self._options,
            )
        self.id = str(made.id)
        tasks.wait_until_run(self.owner.client, [self.id], seconds)
        return self

    def scale(self, replicas: int, *, seconds: float = READY_SECONDS) -> Self:
        """Run so many containers of it, and wait until they do."""
        with engine_errors(f"scale service {self.label}"):
            self.owner.client.services.get(self._made("scale")).scale(replicas)
        tasks.wait_until_run(self.owner.client, [self.id], seconds)
        return self

    def containers(self) -> list[Container]:
        """Return its containers that run, by their numbers."""
        found = tasks.running(self.owner.client, [self._made("containers")])
        return [Container.existing(self.owner, one.container) for one in found]

    def port(self, port: int | str, number: int = 1) -> int:
        """Return the host port of a port of its first container, or of another one.

        Raises:
            UsageError: The port was not exposed, or there are not so many containers.
        """
        found = self.containers()
        if not 1 <= number <= len(found):
            raise UsageError(f"service {self.label} has {len(found)} containers, none with number {number}")
        return found[number - 1].host_port(port)

    def logs(self, lines: int | None = None) -> str:
        """Return what its containers have printed, both outputs; the last ``lines`` of each."""
        return tasks.logs(self.owner.client, [self._made("logs")], lines)

    def remove(self, *, seconds: float = READY_SECONDS) -> None:
        """Remove it, and wait until its containers have gone; it goes with its owner at the latest."""
        tasks.remove(self.owner.client, [self._made("remove")], seconds)
        self.id = ""

    def _made(self, call: str) -> str:
        if not self.id:
            raise UsageError(f"service {self.label} does not run", hint=f"call run() before {call}()")
        return self.id
