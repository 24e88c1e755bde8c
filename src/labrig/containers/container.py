"""A container in a test: made, run, asked, waited for, stopped, in one chain of calls."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from docker import APIClient
from docker.errors import APIError, NotFound

from labrig import clock
from labrig.containers import artifacts, commands, copying, waiting
from labrig.containers.errors import NotReady
from labrig.containers.streaming import LiveLogs
from labrig.containers.wish import State, Wish, protocol
from labrig.engine import client as engine
from labrig.engine import sweep
from labrig.engine.client import engine_errors
from labrig.engine.executing import Result
from labrig.errors import UsageError

if TYPE_CHECKING:
    from labrig.containers.image import Image
    from labrig.containers.owner import Owner

COMMAND_SECONDS = 300.0
EXIT_POLL_SECONDS = 0.05
LAST_LINES = 20


class Container:
    """One container, from before it runs until it is gone; most methods return it, so that calls can be chained.

    web = (
        Container.from_image(image, "web")
        .env(MODE="test")
        .volume_from_host(pages, "/srv")
        .expose(80)
        .log_to(folder / "web")
        .run("nginx", "-g", "daemon off;")
        .wait_for(waiting.http(80))
    )

    Nothing of the caller's environment reaches it but what ``env`` says. Where folders of the host are shared with it,
    it runs as the calling user, unless ``user`` says otherwise.

    Attributes:
        owner: What it goes with.
        label: What messages and files call it.
        id: Docker's, empty before it runs.
    """

    def __init__(self, owner: Owner, label: str, image: str, *, id: str = "") -> None:  # noqa: A002  # Docker's word
        self.owner = owner
        self.label = label
        self.image = image
        self.id = id
        self._wish = Wish()
        self._live: LiveLogs | None = None

    @classmethod
    def from_image(cls, image: Image, name: str = "", *, owner: Owner | None = None) -> Self:
        """Return a container that is to run an image, called ``name`` in messages; it belongs to the image's owner.

        Raises:
            EnvironmentFailed: The image is not on the engine.
        """
        _ = image.id
        return cls(owner or image.owner, name or image.hint, image.name)

    @classmethod
    def existing(cls, owner: Owner, name: str, *, own: bool = False) -> Self:
        """Return a container that is on the engine already, by its name or id; ``own`` removes it with the owner.

        Raises:
            UsageError: There is none.
        """
        with engine_errors(f"look for container {name}"):
            try:
                found = owner.client.api.inspect_container(name)
            except NotFound as error:
                raise UsageError(f"there is no container {name}", hint="`docker ps --all` lists them") from error
        made = cls(owner, str(found["Name"]).lstrip("/"), str(found["Image"]), id=str(found["Id"]))
        if own:
            owner.own("container", made.id)
        return made

    # Before it runs.

    def env(self, values: Mapping[str, str] | None = None, **more: str) -> Self:
        """Set variables of its environment."""
        self._before("env").env.update({**(values or {}), **more})
        return self

    def user(self, user: str) -> Self:
        """Run as this user, a name or numbers as in ``docker run --user``."""
        self._before("user").user = user
        return self

    def volume_from_host(self, host: Path | str, path: str, *, read_only: bool = False) -> Self:
        """Share a file or a folder of this machine with it.

        Raises:
            UsageError: It does not exist: the engine would make a folder that belongs to root.
        """
        wish = self._before("volume_from_host")
        if not Path(host).exists():
            raise UsageError(f"container {self.label}: volume {host} does not exist on this machine")
        wish.volumes.append(f"{Path(host).absolute()}:{path}" + (":ro" if read_only else ""))
        wish.shares = True
        return self

    def volume(self, name: str, path: str, *, read_only: bool = False) -> Self:
        """Mount a volume of the engine, such as ``owner.volume()`` makes."""
        self._before("volume").volumes.append(f"{name}:{path}" + (":ro" if read_only else ""))
        return self

    def expose(self, *ports: int | str) -> Self:
        """Make ports reachable from this machine, each at a free port that ``host_port`` tells: 80, or "53/udp"."""
        self._before("expose").ports.update(protocol(port) for port in ports)
        return self

    def network(self, name: str, *aliases: str) -> Self:
        """Connect it with a network, such as ``owner.network()`` makes, where it is called by ``aliases`` as well."""
        self._before("network").networks[name] = list(aliases)
        return self

    def options(self, **more: Any) -> Self:
        """Set further options of Docker's library for creating a container, such as ``mem_limit`` or ``init``."""
        self._before("options").options.update(more)
        return self

    def run(self, *command: str) -> Self:
        """Create it, connect it and start it; ``command`` is the image's own if empty.

        Raises:
            UsageError: It runs already.
            EnvironmentFailed: The engine refuses.
        """
        wish = self._before("run")
        with engine_errors(f"run container {self.label}"):
            networks = list(wish.networks)
            given = wish.arguments(caller=(os.getuid(), os.getgid()), local=engine.is_local())
            if networks:
                first = self._api.create_endpoint_config(aliases=wish.networks[networks[0]] or None)
                given |= {"network": networks[0], "networking_config": {networks[0]: first}}
            labels = {**wish.options.get("labels", {}), **self.owner.labels("test")}
            name = self.owner.unique(self.label)
            made = self.owner.client.containers.create(
                self.image, list(command) or None, name=name, labels=labels, detach=True, **given
            )
            self.id = str(made.id)
            for name in networks[1:]:
                self.owner.client.networks.get(name).connect(made, aliases=wish.networks[name] or None)
        return self.start()

    # While it runs.

    def start(self) -> Self:
        """Start it, also again after it was stopped or has exited."""
        self._made("start")
        if self._live is not None:
            # What it said last, before this start, is not to count as said after it.
            self._live.drain()
        with engine_errors(f"start container {self.label}"):
            try:
                self._api.start(self.id)
            except KeyboardInterrupt:
                # The engine goes on with it. Removed at that moment, it leaves its network with a dead endpoint.
                sweep.wait_until_started(self.owner.client, self.id)
                raise
        if self._live is not None:
            self._live.follow(self.id)
        return self

    def stop(self, seconds: int = 10) -> Self:
        """End it in order; it is killed if it has not ended within ``seconds``."""
        with engine_errors(f"stop container {self.label}"):
            self._api.stop(self._made("stop"), timeout=seconds)
        return self

    def kill(self, signal: str = "SIGKILL") -> Self:
        """Send a signal to its first process."""
        with engine_errors(f"kill container {self.label}"):
            self._api.kill(self._made("kill"), signal)
        return self

    def pause(self) -> Self:
        """Freeze all of its processes."""
        with engine_errors(f"pause container {self.label}"):
            self._api.pause(self._made("pause"))
        return self

    def unpause(self) -> Self:
        """Let its processes go on."""
        with engine_errors(f"unpause container {self.label}"):
            self._api.unpause(self._made("unpause"))
        return self

    def remove(self) -> None:
        """Remove it and the volumes that it made for itself; it goes with its owner at the latest."""
        if self.id:
            if self.owner.test:
                # The test may still fail, and what all of its containers printed is told then.
                name = artifacts.short(self.name, self.owner.run)
                artifacts.save_one(self.owner.client, self.id, name, self.owner.folder / artifacts.REMOVED)
            sweep.discard(self.owner.client, "container", self.id)
        if self._live is not None:
            self._live.stop()

    def wait_for(self, *conditions: waiting.Condition, seconds: float = waiting.SECONDS) -> Self:
        """Wait until it is ready, as ``labrig.containers.waiting`` has it.

        Raises:
            NotReady: It is not within ``seconds``, or has exited.
        """
        self._made("wait_for")
        waiting.until(self, conditions, seconds)
        return self

    def wait_until_exit(self, seconds: float = waiting.SECONDS) -> int:
        """Wait until it has ended and return its exit code.

        Raises:
            NotReady: It still runs after ``seconds``.
        """
        self._made("wait_until_exit")
        end = clock.monotonic() + seconds
        while (state := self.state()).alive:
            if clock.monotonic() > end:
                raise NotReady(f"container {self.label} has not exited after {seconds:g} s\n{self.last_lines()}")
            clock.sleep(EXIT_POLL_SECONDS)
        return state.code

    def execute(
        self,
        *command: str,
        user: str = "",
        env: Mapping[str, str] | None = None,
        folder: str = "",
        stdin: bytes | None = None,
        check: bool = True,
        seconds: float = COMMAND_SECONDS,
    ) -> Result:
        """Run a command in it and return what it came to.

        Args:
            command: Program and arguments; there is no shell in between.
            user: Who runs it; the container's own user if empty.
            env: Variables on top of the container's.
            folder: Where it runs; the container's own if empty.
            stdin: What it reads.
            check: Raise where it does not end with 0.
            seconds: How long it may take.

        Raises:
            CommandFailed: It did not end with 0, or not in time.
            NotReady: The container does not run.
        """
        self._made("execute")
        return commands.run(self, command, user=user, env=env, folder=folder, stdin=stdin, check=check, seconds=seconds)

    def copy_in(self, source: Path | str | bytes, path: str, *, mode: int = 0o644) -> Self:
        """Put a file or folder of this machine, or bytes with ``mode``, at a path in it; they belong to root there."""
        what = Path(source) if isinstance(source, str) else source
        copying.copy_in(self.owner.client, self._made("copy_in"), self.label, what, path, mode)
        return self

    def copy_out(self, path: str, target: Path | str) -> Path:
        """Copy a file or folder of it to ``target`` on this machine and return that; the container need not run."""
        return copying.copy_out(self.owner.client, self._made("copy_out"), self.label, path, Path(target))

    def commit(self, name: str = "") -> Image:
        """Return an image of its files as they are, which goes with its owner."""
        from labrig.containers.image import Image  # noqa: PLC0415  # it imports this module

        return Image.from_container(self, name)

    def inspect(self) -> dict[str, Any]:
        """Return what ``docker inspect`` says of it."""
        with engine_errors(f"look at container {self.label}"):
            try:
                return dict(self._api.inspect_container(self._made("inspect")))
            except NotFound as error:
                raise NotReady(f"container {self.label} is gone: somebody has removed it") from error

    def state(self) -> State:
        """Return whether it runs, or how it has ended."""
        return State.read(self.inspect()["State"])

    @property
    def name(self) -> str:
        """Docker's name for it."""
        return str(self.inspect()["Name"]).lstrip("/")

    def ip(self, network: str = "") -> str:
        """Return its address in a network, or in the first one it has; empty for none."""
        networks: dict[str, Any] = self.inspect()["NetworkSettings"]["Networks"]
        wanted = [networks[network]] if network in networks else [] if network else networks.values()
        return next((str(one["IPAddress"]) for one in wanted if one.get("IPAddress")), "")

    def host_port(self, port: int | str) -> int:
        """Return the port of this machine that leads to an exposed port.

        Raises:
            UsageError: The port was not exposed.
            NotReady: The container does not run.
        """
        found = self.inspect()
        bound = (found["NetworkSettings"]["Ports"] or {}).get(protocol(port))
        if bound:
            return int(bound[0]["HostPort"])
        state = State.read(found["State"])
        if not state.alive:
            raise NotReady(
                f"port {port} of container {self.label} leads nowhere: it {state.told()}\n{self.last_lines()}"
            )
        raise UsageError(
            f"port {port} of container {self.label} is not exposed", hint=f"call expose({port!r}) before run()"
        )

    def url(self, port: int | str, path: str = "/") -> str:
        """Return the URL of an exposed port."""
        return f"http://{engine.host()}:{self.host_port(port)}{path}"

    def reach(self, port: int | str) -> tuple[str, int] | None:
        """Return where a port is reached from here, exposed or, on this machine's engine, not; None for nowhere."""
        found = self.inspect()["NetworkSettings"]
        bound = (found["Ports"] or {}).get(protocol(port))
        if bound:
            return engine.host(), int(bound[0]["HostPort"])
        address = self.ip()
        return (address, int(str(port).partition("/")[0])) if address and engine.is_local() else None

    # What it prints.

    def log_to(self, prefix: Path | str) -> Self:
        """Write what it prints to ``PREFIX.out`` and ``PREFIX.err`` as it comes, also what it has printed before."""
        if self._live is not None:
            self._live.stop()
        self._live = LiveLogs(self.owner.client, self.label, Path(prefix))
        self.owner.at_end(self._live.stop)
        if self.id:
            self._live.follow(self.id)
        return self

    def logs(self) -> tuple[str, str]:
        """Return all that it has printed: standard output, standard error."""
        with engine_errors(f"read what container {self.label} printed"):
            both = (
                self._api.logs(self._made("logs"), stdout=stream == "out", stderr=stream == "err")
                for stream in ("out", "err")
            )
            out, err = (text.decode(errors="replace") for text in both)
        return out, err

    def printed(self, out: int = 0, err: int = 0) -> tuple[bytes, bytes]:
        """Return what it has printed since its last start, from these places on: standard output, standard error."""
        if self._live is None:
            self.log_to(self.owner.folder / f"{self.label}-{self._made('printed')[:12]}-{os.getpid()}")
        live = self._live
        assert live is not None  # noqa: S101  # set by log_to
        if not self.state().alive:
            live.drain()
        return live.since_start(out, err)

    def last_lines(self, lines: int = LAST_LINES) -> str:
        """Return the last lines that it printed, of both streams; a sentence where there are none."""
        try:
            said = self._api.logs(self._made("last_lines"), tail=lines).decode(errors="replace").strip()
        except (APIError, OSError):
            said = ""
        return said or "(it has printed nothing)"

    @property
    def _api(self) -> APIClient:
        return self.owner.client.api

    def _before(self, call: str) -> Wish:
        if self.id:
            raise UsageError(f"container {self.label} has been run already", hint=f"call {call}() before run()")
        return self._wish

    def _made(self, call: str) -> str:
        if not self.id:
            raise UsageError(f"container {self.label} has not been run yet", hint=f"call run() before {call}()")
        return self.id
