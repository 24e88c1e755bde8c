"""Machines under test: systemd containers that boot unprivileged, and what is done with them."""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
import socket
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from docker import DockerClient
from docker.errors import APIError, NotFound
from docker.models.containers import Container
from docker.utils.socket import STDOUT

from labrig import clock
from labrig.engine import client as engine
from labrig.engine.client import close_stream, engine_errors
from labrig.engine.committing import commit
from labrig.engine.executing import frames
from labrig.engine.images import look_up
from labrig.engine.mounted_files import PATHS, MountedFiles
from labrig.errors import EnvironmentFailed

# What nginx, redis, haproxy, chrony and sshd need to run as Debian ships them, measured.
USUAL_CAPABILITIES = ("SYS_ADMIN", "SYS_PTRACE")
# Scenarios that say "privileged" mean more than they need; the further ones are what network and time roles ask for.
PRIVILEGED_CAPABILITIES = (*USUAL_CAPABILITIES, "NET_ADMIN")
# New at each start, so that a restart is a real boot; /tmp and /run may be executed from, as on a server.
BOOT_TMPFS = {"/run": "exec,mode=755", "/run/lock": "", "/tmp": "exec,mode=1777"}  # noqa: S108
CGROUP_TREE = "/sys/fs/cgroup"
BOOT_SECONDS = 60.0
# A command whose output is streamed and that says nothing for so long hangs.
STREAM_SILENCE_SECONDS = 300.0
STOP_SIGNAL = "SIGRTMIN+3"
INITS = (
    "/sbin/init",
    "/lib/systemd/systemd",
    "/usr/lib/systemd/systemd",
    "/usr/sbin/init",
    "/bin/systemd",
    "init",
    "systemd",
)
IDLE_COMMAND = ("/bin/sh", "-c", "while true; do sleep 10000; done")

# One exec that waits inside the machine: asking again and again from outside costs 0.06 s a time.
_WAIT_FOR_BOOT = """
end=$(($(date +%s) + $1))
while :; do
  left=$((end - $(date +%s))); [ "$left" -gt 0 ] || break
  said=$(timeout "$left" systemctl is-system-running --wait 2>/dev/null) || :
  case "$said" in
    running) echo running; exit 0 ;;
    degraded|maintenance) echo "$said"; systemctl --failed --plain --no-legend --no-pager; exit 0 ;;
  esac
  sleep 0.05
done
echo "${said:-no answer}"; systemctl list-jobs --plain --no-legend --no-pager 2>&1; exit 1
"""
_FIND_PYTHON = """
for p in python3 /usr/libexec/platform-python python3.13 python3.12 python3.11 python3.10 python3.9 python3.8; do
  command -v "$p" && exit 0
done
"""
_SETTLE = """
i=0
while [ "$i" -lt "$1" ]; do
  case "$(systemctl list-jobs --no-legend --no-pager 2>/dev/null | head -n 1)" in ''|"No jobs"*) exit 0 ;; esac
  sleep 0.2; i=$((i + 1))
done
"""


@dataclass(frozen=True)
class MachineSpec:
    """What a machine is made of; values as in Docker's own options.

    Attributes:
        name: The machine's name in the inventory.
        image: The image that it starts from.
        hostname: What it calls itself, the same on every path.
        command: None boots the image's init, or idles where it has none.
        networks: Docker network names with the aliases that the machine has there; empty is the default bridge.
        addresses: The IPv4 address that the machine asks for on a network; elsewhere the engine chooses.
        extra: Further keyword arguments of Docker's container creation, such as ``dns`` or ``shm_size``.
    """

    name: str
    image: str
    hostname: str
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    capabilities: tuple[str, ...] = USUAL_CAPABILITIES
    tmpfs: Mapping[str, str] = field(default_factory=dict)
    volumes: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    networks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    addresses: Mapping[str, str] = field(default_factory=dict)
    network_mode: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Output:
    """What a command in a machine returned."""

    code: int
    stdout: bytes
    stderr: bytes


class Machine:
    """One container under test."""

    def __init__(self, client: DockerClient, container: Container, spec: MachineSpec, *, boots: bool) -> None:
        self._client = client
        self._container = container
        self.spec = spec
        self.boots = boots
        self._python = ""

    @property
    def name(self) -> str:
        """The machine's name in the inventory."""
        return self.spec.name

    @property
    def container(self) -> str:
        """The name of its container."""
        return str(self._container.name)

    @classmethod
    def create(cls, client: DockerClient, spec: MachineSpec, *, container: str, labels: Mapping[str, str]) -> Machine:
        """Create the container, give the machine its identity, and start it.

        Raises:
            EnvironmentFailed: The image is not there or the engine refuses.
        """
        with engine_errors(f"create machine {spec.name} from image {spec.image}"):
            config = _image_config(client, spec.image)
            command, boots = _what_runs(spec, config)
            host: dict[str, Any] = {
                "cap_add": list(spec.capabilities),
                "tmpfs": {**(BOOT_TMPFS if boots else {}), **spec.tmpfs},
                "volumes": [*spec.volumes, *([f"{CGROUP_TREE}:{CGROUP_TREE}:rw"] if boots else [])],
                "cgroupns": "host" if boots else None,
                "stop_signal": STOP_SIGNAL if boots else None,
            }
            if spec.network_mode:
                host["network_mode"] = spec.network_mode
            elif spec.networks:
                host["network"] = next(iter(spec.networks))
                host["networking_config"] = {
                    host["network"]: client.api.create_endpoint_config(
                        aliases=list(spec.networks[host["network"]]),
                        ipv4_address=spec.addresses.get(host["network"]),
                    )
                }
            options = {key: value for key, value in {**spec.extra, **host}.items() if value is not None}
            made = client.containers.create(
                spec.image,
                command=command,
                entrypoint=list(spec.entrypoint) if spec.entrypoint else None,
                name=container,
                hostname=spec.hostname,
                environment={"container": "docker", **spec.env},
                labels=dict(labels),
                detach=True,
                **options,
            )
            for network in list(spec.networks)[1:]:
                client.networks.get(network).connect(
                    made, aliases=list(spec.networks[network]), ipv4_address=spec.addresses.get(network)
                )
            if boots:
                made.put_archive("/etc", _machine_id(spec.hostname))
            made.start()
        return cls(client, made, spec, boots=boots)

    def wait_until_booted(self, seconds: float = BOOT_SECONDS) -> str:
        """Return systemd's word for the state of the system, once it has one: ``running`` or ``degraded``.

        Raises:
            EnvironmentFailed: It was not up within ``seconds``; the message has the last state and log lines.
        """
        if not self.boots:
            return "running"
        began = clock.monotonic()
        answer = Output(1, b"", b"")
        while clock.monotonic() - began < seconds:
            left = max(1, int(seconds - (clock.monotonic() - began)))
            answer = self.execute(["/bin/sh", "-c", _WAIT_FOR_BOOT, "sh", str(left)])
            if answer.code == 0:
                return answer.stdout.decode(errors="replace").strip()
            if not self.is_running():
                break
            clock.sleep(0.2)
        said = answer.stdout.decode(errors="replace").strip() or "no answer"
        state = "runs" if self.is_running() else "has stopped"
        raise EnvironmentFailed(
            f"machine {self.name} (image {self.spec.image}) did not boot within {seconds:.0f} s: "
            f"systemd says {said!r}, its container {state}\n{self.log_tail()}",
            hint="`labrig doctor` checks whether machines can boot here",
        )

    def execute(self, command: list[str], *, user: str = "") -> Output:
        """Run a command in the machine and return all it said."""
        with engine_errors(f"run {command[0]} in machine {self.name}"):
            try:
                api = self._client.api
                handle = api.exec_create(self._container.id, command, user=user)["Id"]
                stdout, stderr = api.exec_start(handle, demux=True)
                code = api.exec_inspect(handle)["ExitCode"]
            except APIError as error:
                # One that stops between the creation of a command and its start is an internal error to Docker 20.10.
                if error.status_code in (404, 409) or "is not running" in str(error.explanation):
                    return Output(255, b"", str(error.explanation).encode())
                raise
        return Output(int(code if code is not None else 255), stdout or b"", stderr or b"")

    def stream(self, command: Sequence[str], stdin: bytes = b"", *, user: str = "") -> Iterator[bytes]:
        """Run a command with bytes on its standard input; yield its output in pieces as it comes.

        ``user`` is as in Docker: a name or a number; empty for the one that the image names.

        Raises:
            EnvironmentFailed: The command did not end with 0, the message has what it wrote to standard error; or it
                said nothing for five minutes.
        """
        with engine_errors(f"run {command[0]} in machine {self.name}"):
            api = self._client.api
            handle = api.exec_create(self._container.id, list(command), stdin=True, user=user)["Id"]
            connection = api.exec_start(handle, socket=True)
            errors = b""
            try:
                raw: Any = getattr(connection, "_sock", connection)
                raw.settimeout(STREAM_SILENCE_SECONDS)
                raw.sendall(stdin)
                raw.shutdown(socket.SHUT_WR)
                for stream, piece in frames(raw, lambda: STREAM_SILENCE_SECONDS):
                    if stream == STDOUT:
                        yield piece
                    else:
                        errors = (errors + piece)[-4000:]
            except TimeoutError:
                raise EnvironmentFailed(
                    f"{command[0]} in machine {self.name} has said nothing for {STREAM_SILENCE_SECONDS:.0f} s",
                    hint="a file system or a service in the machine may hang",
                ) from None
            finally:
                close_stream(connection)
            code = api.exec_inspect(handle)["ExitCode"]
        if code != 0:
            said = errors.decode(errors="replace").strip() or "nothing on standard error"
            raise EnvironmentFailed(f"{command[0]} in machine {self.name} ended with exit code {code}: {said}")

    def restart(self) -> None:
        """Boot the machine again, and wait until it is up."""
        kept = self.mounted_files()
        with engine_errors(f"restart machine {self.name}"):
            self._container.restart(timeout=20)
        self.wait_until_booted()
        self.restore(kept)

    def mounted_files(self) -> MountedFiles:
        """Return the files of the machine that Docker mounts into it and writes anew at each start."""
        said = self.execute(["tail", "-n", "+1", "-v", *PATHS]).stdout.decode(errors="surrogateescape")
        parts = re.split(r"(?:^|\n)==> (\S+) <==\n", said)
        return MountedFiles(dict(zip(parts[1::2], parts[2::2], strict=True)), self.addresses())

    def restore(self, kept: MountedFiles) -> None:
        """Write such files as they were, with the machine's addresses of now: a server keeps what is written there."""
        for path, content in kept.now(self.mounted_files()).items():
            # In place: the file is a mount, and cannot be replaced.
            written = self.execute(["/bin/sh", "-c", 'printf %s "$1" > "$2"', "sh", content, path])
            if written.code != 0:
                raise EnvironmentFailed(f"{path} in machine {self.name} cannot be written: {written.stderr!r}")

    def stop(self) -> None:
        """Shut the machine down in order."""
        with engine_errors(f"stop machine {self.name}"):
            self._container.stop(timeout=20)

    def remove(self) -> None:
        """Remove the container."""
        with engine_errors(f"remove machine {self.name}"), contextlib.suppress(NotFound):
            self._container.remove(force=True, v=True)

    def commit(self, repository: str, tag: str, labels: Mapping[str, str]) -> str:
        """Keep the machine's files as an image; return the image's id."""
        doing = f"commit machine {self.name} as {repository}:{tag}"
        config = {"Labels": dict(labels)}
        return commit(self._client, self._container, doing, repository=repository, tag=tag, conf=config)

    def is_running(self) -> bool:
        """Tell whether the container runs."""
        with engine_errors(f"look at machine {self.name}"):
            try:
                self._container.reload()
            except NotFound:
                return False
        return str(self._container.status) == "running"

    def addresses(self) -> tuple[str, ...]:
        """Return the machine's own IP addresses."""
        with engine_errors(f"look at machine {self.name}"):
            self._container.reload()
        networks = self._container.attrs["NetworkSettings"]["Networks"].values()
        return tuple(sorted({n[key] for n in networks for key in ("IPAddress", "GlobalIPv6Address") if n.get(key)}))

    def python(self) -> str:
        """Return a Python that runs in the machine.

        Raises:
            EnvironmentFailed: There is none; Ansible could not work there either.
        """
        if self._python:
            return self._python
        found = self.execute(["/bin/sh", "-c", _FIND_PYTHON]).stdout.decode(errors="replace").strip()
        self._python = found
        if not found:
            raise EnvironmentFailed(
                f"machine {self.name} (image {self.spec.image}) has no Python, which Ansible and labrig need",
                hint="use an image that has it, such as labrig/debian-12:latest, by --image FROM=TO",
            )
        return found

    def settle(self, seconds: int = 20) -> None:
        """Wait until systemd has no job left, at most for ``seconds``: what is still starting is not a state."""
        if self.boots:
            self.execute(["/bin/sh", "-c", _SETTLE, "sh", str(seconds * 5)])

    def inspect(self) -> dict[str, Any]:
        """Return what Docker says of the container."""
        with engine_errors(f"look at machine {self.name}"):
            self._container.reload()
        return dict(self._container.attrs)

    def log_tail(self, lines: int = 15) -> str:
        """Return the last lines that the container printed; empty when there are none."""
        try:
            return str(self._container.logs(tail=lines).decode(errors="replace")).strip()
        except (APIError, OSError):
            return ""


def require_image(client: DockerClient, name: str) -> str:
    """Return the id of an image, pulled if it is not here.

    Raises:
        EnvironmentFailed: It is not to be had.
    """
    found = look_up(client, name)
    if found is not None:
        return found
    try:
        client.images.pull(name)
    except (APIError, NotFound) as error:
        said = str(error.explanation or error).strip()
        hint = "free some disk space" if engine.is_full_disk(said) else _image_hint(name)
        raise EnvironmentFailed(
            f"image {name} is not on this engine and cannot be pulled: {said}", hint=hint
        ) from error
    with engine_errors(f"pull image {name}"):
        return str(client.api.inspect_image(name)["Id"])


def _image_hint(name: str) -> str:
    if name.startswith("labrig/production/"):
        return "build it with `labrig snapshot build`"
    if name.startswith("labrig/"):
        return "build it with `labrig image build`"
    return f"name another one with --image '{name}=labrig/debian-12:latest', or load it with `docker load`"


def _image_config(client: DockerClient, name: str) -> dict[str, Any]:
    require_image(client, name)
    config: dict[str, Any] = client.api.inspect_image(name)["Config"]
    return config


def _what_runs(spec: MachineSpec, image: Mapping[str, Any]) -> tuple[list[str] | None, bool]:
    """Return the command to give to Docker and whether the machine boots an init.

    An image that boots is booted even where a scenario names no command or an idle loop for it.
    """
    own = [*(image.get("Entrypoint") or []), *(image.get("Cmd") or [])]
    if spec.command:
        return list(spec.command), _is_init(list(spec.command))
    if spec.entrypoint:
        return None, _is_init(list(spec.entrypoint))
    if _is_init(own):
        return None, True
    return list(IDLE_COMMAND), False


def _is_init(command: list[str]) -> bool:
    words = command[2].split() if len(command) > 2 and command[0].endswith("sh") and command[1] == "-c" else command
    words = [word for word in words if word != "exec"]
    return bool(words) and words[0] in INITS


def _machine_id(hostname: str) -> bytes:
    """Return a tar with /etc/machine-id: the same for the same host name, on every path and in every run."""
    content = (hashlib.sha256(f"labrig machine {hostname}".encode()).hexdigest()[:32] + "\n").encode()
    entry = tarfile.TarInfo("machine-id")
    entry.size = len(content)
    # As in the base image, where systemd fills the file that it finds.
    entry.mode = 0o644
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
