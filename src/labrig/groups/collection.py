"""The services of a group: loading them from a file, and checking that they fit together."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
import traceback
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from labrig.errors import LabrigError, UsageError
from labrig.groups import service as services_module
from labrig.groups.choice import cycle
from labrig.groups.definition import Network
from labrig.groups.formatting import nearest
from labrig.groups.service import HOOKS, Service, shown

if TYPE_CHECKING:
    from labrig.groups.compose_file import Composed

MODULE = "labrig_group_file"
COMPOSE_SUFFIXES = (".yml", ".yaml")


@dataclass
class Script:
    """What a script says beside its services: the group's name, its compose file, what is called after an operation."""

    name: str | None = None
    compose_file: Path | None = None
    on_start: Callable[[list[str]], Any] | None = None
    on_stop: Callable[[list[str]], Any] | None = None
    on_reload: Callable[[str], Any] | None = None
    # While `labrig group -f` reads it, its own cli() does nothing.
    is_read: bool = False


# The script that is being run or read; a process has one at a time.
script = Script()


@dataclass(frozen=True)
class Collection:
    """The services of one file.

    Attributes:
        group: The group's name, as ``group_name`` sets it, or after the folder of the file.
        file: The file, absolute.
        services: All services by name; each one's ``define`` gives its definition.
        dependencies: For each service the names of those that it depends on.
        networks: The networks that services describe, by name.
        script: What is called after an operation.
    """

    group: str
    file: Path
    services: Mapping[str, Service]
    dependencies: Mapping[str, tuple[str, ...]]
    networks: Mapping[str, Network] = field(default_factory=dict)
    script: Script = field(default_factory=Script)

    @property
    def directory(self) -> Path:
        """The folder of the file: relative paths start there, and the context is kept there."""
        return self.file.parent


def load(file: Path) -> Collection:
    """Return the services that a Python file, or a compose file, defines.

    Raises:
        UsageError: The file cannot be read or run, or its services do not fit together; with file, service and field.
    """
    path = file.resolve()
    if not path.is_file():
        raise UsageError(f"{file}: there is no such file", hint="name the file that defines the services with -f")
    global script  # noqa: PLW0603  # a script speaks to one group, the one that is being read
    script = Script(is_read=True)
    composed = _compose().read(path) if path.suffix in COMPOSE_SUFFIXES else None
    python = composed.hooks if composed else path
    classes = _classes(python) if python else []
    script.is_read = False
    return _collected(path, classes, script, composed)


def of_script(file: Path) -> Collection:
    """Return the services that the script which runs has defined."""
    return _collected(file.resolve(), services_module.defined, script)


def _collected(
    file: Path, classes: Iterable[type[Service]], said: Script, composed: Composed | None = None
) -> Collection:
    """Return the services of classes, and those of a compose file, with the hooks that classes have for these."""
    services = _those_that_start(classes)
    if said.compose_file is not None:
        composed = _compose().read(file.parent / said.compose_file)
    if composed is not None:
        services = _compose().services(composed, services)
        said.name = said.name or composed.group
    return assemble(file, services, said)


def _compose() -> ModuleType:
    """Return the module that reads compose files, which takes as long to import as all others: few groups need it."""
    return importlib.import_module("labrig.groups.compose_file")


def _classes(file: Path) -> list[type[Service]]:
    """Run a Python file and return the classes of services that it defines or imports."""
    before = len(services_module.defined)
    module = _run(file)
    fresh = services_module.defined[before:]
    # Also those that it imports from a module that somebody has imported before.
    imported = [one for one in vars(module).values() if isinstance(one, type) and issubclass(one, Service)]
    return [*fresh, *imported]


def assemble(file: Path, services: Iterable[Service], said: Script) -> Collection:
    """Return services as a group, once they are known to fit together.

    Raises:
        UsageError: There are none, a name is there twice, a field is wrong, a dependency is unknown, or there is a
            cycle.
    """
    where = shown(str(file))
    found = list(services)
    if not found:
        raise UsageError(
            f"{where}: no services defined", hint="derive classes from labrig.Service, each with a name and an image"
        )
    networks: dict[str, Network] = {}
    for one in found:
        one.directory = file.parent
        for member in one.define(None).networks:
            _describe(networks, member.network, one)
    counts = Counter(one.name for one in found)
    for name, count in counts.items():
        if count > 1:
            places = " and ".join(shown(one.defined_at) for one in found if one.name == name)
            raise UsageError(f"{where}: service {name!r}: field 'name': {count} services have it, at {places}")
    by_name = {one.name: one for one in found}
    dependencies = {one.name: _dependencies(one, by_name) for one in found}
    around = cycle(dependencies)
    if around:
        raise UsageError(
            f"{where}: service {around[0]!r}: field 'dependencies': the services depend on one another in a cycle: "
            + " -> ".join(around)
        )
    group = said.name or slug(file.parent.name) or "group"
    return Collection(group, file, by_name, dependencies, networks, said)


def slug(text: str) -> str:
    """Return a text as lower-case letters, digits and hyphens.

    >>> slug("My Shop (2)")
    'my-shop-2'
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")


def _those_that_start(classes: Iterable[type[Service]]) -> list[Service]:
    """Return one instance of each class that has a name of its own, in order.

    Raises:
        UsageError: A class has neither a name nor classes derived from it.
    """
    found = []
    for one in dict.fromkeys(classes):
        if one is Service:
            continue
        if "name" in vars(one) or (not one.__subclasses__() and not one.name):
            if not vars(one).get("name"):
                raise UsageError(
                    f"{shown(one.defined_at)}: class {one.__name__}: field 'name': expected a non-empty string, "
                    f"found {vars(one).get('name', '')!r}",
                    hint="a class without a name is a base for others, and nothing is derived from this one",
                )
            found.append(_instance(one))
        elif not one.__subclasses__():
            # It would be the same service once more; assemble says where both stand.
            found.append(_instance(one))
    return found


def _instance(one: type[Service]) -> Service:
    for hook in HOOKS:
        if not callable(getattr(one, hook)):
            raise UsageError(
                f"{shown(one.defined_at)}: service {one.name!r}: field {hook!r}: expected a method, "
                f"found {getattr(one, hook)!r}"
            )
    try:
        made: Service = one()
    except LabrigError:
        raise
    except Exception as error:
        raise UsageError(
            f"{shown(one.defined_at)}: service {one.name!r}: its class cannot be used: {type(error).__name__}: {error}"
        ) from error
    return made


def _describe(networks: dict[str, Network], network: Network, one: Service) -> None:
    """Take note of a network; a mere name is one that another service describes."""
    known = networks.get(network.name, Network(network.name))
    if Network(network.name) not in (known, network) and known != network:
        raise UsageError(
            f"{shown(one.defined_at)}: service {one.name!r}: field 'networks': network {network.name!r} is {network}, "
            f"and another service has it as {known}",
            hint="describe a network once, and use that object or its name elsewhere",
        )
    networks[network.name] = network if known == Network(network.name) else known


def _dependencies(one: Service, by_name: Mapping[str, Service]) -> tuple[str, ...]:
    found = []
    for needed in one.dependencies:
        name = needed if isinstance(needed, str) else getattr(needed, "name", None)
        if not isinstance(name, str) or name not in by_name:
            raise UsageError(
                f"{shown(one.defined_at)}: service {one.name!r}: field 'dependencies': there is no service {name!r}",
                hint=f"{nearest(str(name), list(by_name))}services: {', '.join(by_name)}",
            )
        found.append(name)
    return tuple(dict.fromkeys(found))


def _run(path: Path) -> Any:
    """Run a Python file as a module of its own; modules beside it can be imported, as when it is run as a script."""
    specification = importlib.util.spec_from_loader(
        MODULE, importlib.machinery.SourceFileLoader(MODULE, str(path)), origin=str(path)
    )
    assert specification is not None  # noqa: S101  # a loader was given
    module = importlib.util.module_from_spec(specification)
    sys.modules[MODULE] = module
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    try:
        assert specification.loader is not None  # noqa: S101
        specification.loader.exec_module(module)
    except LabrigError:
        raise
    except SystemExit as error:
        raise UsageError(f"{shown(str(path))}: it ends itself while it is read, with {error.code!r}") from error
    except Exception as error:
        raise UsageError(f"{_where(error, path)}: {type(error).__name__}: {error}") from error
    return module


def _where(error: BaseException, path: Path) -> str:
    """Return the file's line on which an error arose."""
    if isinstance(error, SyntaxError):
        return f"{shown(error.filename or str(path))}:{error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f"{shown(str(path))}:{lines[-1]}" if lines else shown(str(path))
