"""``labrig.Service``: the class that users derive their services from."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from labrig.errors import UsageError
from labrig.groups import fields, formatting
from labrig.groups.definition import Build, Definition, Network
from labrig.groups.formatting import FieldError

if TYPE_CHECKING:
    from labrig.engine.executing import Result
    from labrig.groups.inside import Inside

HOOKS = ("pre_start", "ping", "post_start", "pre_stop", "post_stop", "on_failure")
# Programs with braces of their own.
_COMMANDS = frozenset({"cmd", "entrypoint", "healthcheck"})
# What the collection is made of, before any value is known.
_FIXED = frozenset({"name", "dependencies"})

# All classes derived from Service, in the order in which they were defined.
defined: list[type[Service]] = []


class Service:
    """One service of a group; a class derived from it that has a ``name`` of its own is started.

    A class without a name is a base for others, or a mixin. Hooks run on the host, in a thread, and may be ``async``.
    Every field but ``name`` and ``dependencies`` is formatted from the context when the service starts.

        class Database(labrig.Service):
            name = "db"
            image = "postgres:16"
            ports = {5432: None}

            def ping(self):
                return can_connect(port=self.host_port(5432))
    """

    name: str = ""
    image: str = ""
    dependencies: Sequence[Any] = ()
    env: Mapping[str, Any] = {}
    ports: Mapping[Any, Any] = {}
    volumes: Mapping[str, Any] | Sequence[str] = {}
    always_start_new: bool = False
    stop_signal: str = "SIGTERM"
    build_from: str | Path | None = None
    dockerfile: str = "Dockerfile"
    entrypoint: str | Sequence[str] = ""
    cmd: str | Sequence[str] = ""
    user: str = ""
    networks: Sequence[str | Network] | Mapping[str, Any] = ()
    healthcheck: Any = None
    one_shot: bool = False
    limits: Mapping[str, Any] = {}
    secrets: Mapping[str, Any] = {}
    init: bool = False

    # Where the class stands, ``/srv/shop/group.py:12``.
    defined_at: ClassVar[str] = ""

    # The folder that relative paths start from; the host's ports and the inside of the container that runs.
    directory: Path
    host_ports: Mapping[str, int]
    inside: Inside | None
    _written: dict[str, Any]

    def __new__(cls, *args: Any, **options: Any) -> Any:
        """Give an instance what it needs also where a derived class has an ``__init__`` of its own."""
        del args, options
        self = super().__new__(cls)
        self.directory = Path.cwd()
        self.host_ports = {}
        self.inside = None
        self._written = {}
        return self

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        frame = inspect.currentframe()
        caller = frame.f_back if frame else None
        cls.defined_at = f"{caller.f_code.co_filename}:{caller.f_lineno}" if caller else cls.__module__
        defined.append(cls)

    def __hash__(self) -> int:
        return hash(self.name)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, Service) and self.name == other.name

    def __repr__(self) -> str:
        return f"<labrig.Service name: {self.name}>"

    def pre_start(self) -> Any:
        """Run before a new container is created."""

    def ping(self) -> Any:
        """Return whether the service is ready; asked every 0.1 s until it is, or the time is up."""
        return True

    def post_start(self) -> Any:
        """Run once a new container is ready, before its dependants start."""

    def pre_stop(self) -> Any:
        """Run before a running container is stopped."""

    def post_stop(self) -> Any:
        """Run after a container was stopped."""

    def on_failure(self, error: Exception) -> Any:
        """Run when the service could not start, while its container is still there."""

    def host_port(self, container_port: int | str) -> int:
        """Return the host's port of a port of the container, which must run.

        Raises:
            UsageError: The container publishes no such port.
        """
        key = container_port if "/" in str(container_port) else f"{container_port}/tcp"
        if key not in self.host_ports:
            raise self._wrong("ports", FieldError(f"no port of the host leads to {key} now"))
        return self.host_ports[str(key)]

    def execute(
        self, *command: str, user: str = "", stdin: str | None = None, check: bool = True, seconds: float = 60.0
    ) -> Result:
        """Run a command in the container, which must run, and return its ``code``, ``stdout`` and ``stderr``.

        Args:
            command: Program and arguments; there is no shell in between.
            user: Who runs it; the container's own user if empty.
            stdin: What it reads.
            check: Raise where it does not end with 0.
            seconds: How long it may take.

        Raises:
            CommandFailed: It did not end with 0, or not in time, or the container does not run.
            UsageError: The service has no container now.
        """
        if self.inside is None:
            raise UsageError(f"{shown(self.defined_at)}: service {self.name!r} has no container to run {command[0]} in")
        return self.inside.execute(command, user=user, stdin=stdin, check=check, seconds=seconds)

    def has_own(self, hook: str) -> bool:
        """Tell whether a hook does anything."""
        return getattr(type(self), hook) is not getattr(Service, hook)

    def placeholders(self) -> set[str]:
        """Return the names of the context that the fields ask for."""
        written = self._fields()
        return formatting.names_in({name: value for name, value in written.items() if name not in _FIXED})

    def define(self, context: Mapping[str, Any] | None) -> Definition:
        """Return what the service is, with every field formatted from the context.

        Its attributes are the formatted values from then on.

        Args:
            context: The values; None leaves placeholders as they are, to check the rest.

        Raises:
            UsageError: A field is wrong, or names what the context does not hold; with file, service and field.
        """
        if context is None:
            return self._read(self._fields(), final=False)
        formatted: dict[str, Any] = {}
        for name, value in self._fields().items():
            formatted[name] = value if name in _FIXED else self._formatted(name, value, context)
            if formatted[name] != value:
                setattr(self, name, formatted[name])
        return self._read(formatted, final=True)

    def redefine(self) -> Definition:
        """Return what the service is by its attributes as they are: a ``pre_start`` may have changed them."""
        return self._read({name: getattr(self, name) for name in self._fields()}, final=True)

    def _fields(self) -> dict[str, Any]:
        """Return the fields as they were written, before the first formatting."""
        if not self._written:
            self._written.update({name: getattr(self, name) for name in READERS})
        return self._written

    def _formatted(self, field: str, value: Any, context: Mapping[str, Any]) -> Any:
        how = formatting.lenient if field in _COMMANDS else formatting.strict
        try:
            return formatting.everywhere(value, lambda text: how(text, context))
        except FieldError as error:
            raise self._wrong(field, error) from None

    def _read(self, values: Mapping[str, Any], *, final: bool) -> Definition:
        read: dict[str, Any] = {}
        for name, reader in READERS.items():
            try:
                read[name] = reader(values[name], self.directory, final)
            except FieldError as error:
                raise self._wrong(name, error) from None
        context = read["build_from"]
        if not read["image"]:
            raise self._wrong(
                "image",
                FieldError(
                    "expected the name of an image, found ''", "give it an image, also where build_from makes it"
                ),
            )
        return Definition(
            name=read["name"],
            image=read["image"],
            file=self.defined_at,
            env=read["env"],
            ports=read["ports"],
            mounts=read["volumes"],
            networks=read["networks"],
            entrypoint=read["entrypoint"],
            command=read["cmd"],
            user=read["user"] or None,
            stop_signal=read["stop_signal"],
            healthcheck=read["healthcheck"],
            limits=read["limits"],
            secrets=read["secrets"],
            build=Build(str(self.directory / Path(context).expanduser()), read["dockerfile"]) if context else None,
            init=read["init"],
            one_shot=read["one_shot"],
            start_new=read["always_start_new"],
        )

    def _wrong(self, field: str, error: FieldError) -> UsageError:
        called = f"service {self.name!r}" if self.name else f"class {type(self).__name__}"
        return UsageError(f"{shown(self.defined_at)}: {called}: field {field!r}: {error}", hint=error.hint)


def shown(place: str) -> str:
    """Return a place as people read it: from here, where it is below here."""
    return os.path.relpath(place) if Path(place).is_relative_to(Path.cwd()) else place


Reader = Callable[[Any, Path, bool], Any]


def _plain(reader: Callable[[Any], Any]) -> Reader:
    return lambda value, _directory, _final: reader(value)


# Each field, with what reads it: from its value, the folder of the group, and whether placeholders are replaced.
READERS: Mapping[str, Reader] = {
    "name": _plain(fields.host_name),
    "image": _plain(lambda value: fields.image(value) if value != "" else ""),
    "dependencies": _plain(fields.sequence),
    "env": _plain(fields.environment),
    "ports": _plain(fields.ports),
    "volumes": lambda value, directory, _: fields.mounts(value, directory),
    "always_start_new": _plain(fields.flag),
    "stop_signal": _plain(fields.signal),
    "build_from": _plain(lambda value: None if value is None else fields.path(value)),
    "dockerfile": _plain(fields.filled),
    "entrypoint": _plain(fields.words),
    "cmd": _plain(fields.words),
    "user": _plain(fields.text),
    "networks": _plain(fields.networks),
    "healthcheck": _plain(fields.healthcheck),
    "one_shot": _plain(fields.flag),
    "limits": _plain(fields.limits),
    "secrets": lambda value, directory, final: fields.secrets(value, directory, Path.read_bytes if final else None),
    "init": _plain(fields.flag),
}
