"""A compose file as a group: each of its services becomes one of labrig's, and hooks attach to it by its name.

The file stays a compose file: what labrig reads of it beside the specification stands under ``x-labrig``::

    x-labrig:
      hooks: hooks.py
    services:
      db:
        image: postgres:16

and in ``hooks.py``::

    class Database(labrig.Service):
        name = "db"

        def post_start(self):
            labrig.Context["token"] = make_token(self.host_port(5432))

    class Web(labrig.Service):
        name = "web"
        env = {"TOKEN": "{token}"}
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from labrig.engine import compose
from labrig.engine.compose import ComposeFile, Model, nearest
from labrig.errors import UsageError
from labrig.groups.compose_service import Given, definition
from labrig.groups.definition import Definition
from labrig.groups.fields import environment
from labrig.groups.formatting import names_in
from labrig.groups.service import READERS, Service, shown

if TYPE_CHECKING:
    _Base = Service
else:
    # Together with a user's class it makes a service, and is itself none that could be started.
    _Base = object

EXTENSION = "x-labrig"
Condition = Literal["service_started", "service_healthy", "service_completed_successfully"]
COMPLETED: Condition = "service_completed_successfully"
HEALTHY: Condition = "service_healthy"


@dataclass(frozen=True)
class Composed:
    """A compose file that was read.

    Attributes:
        source: Where it is.
        model: Its normal form.
        hooks: The Python file that its ``x-labrig`` names.
    """

    source: ComposeFile
    model: Model
    hooks: Path | None

    @property
    def group(self) -> str:
        """Compose's name of the project: what the file says under ``name``, or its folder."""
        return str(self.model["name"])


def read(file: Path) -> Composed:
    """Return what a compose file says, with the variables of the caller, as ``docker compose`` reads it.

    Raises:
        UsageError: It is no compose file; with file, line, service and key.
        EnvironmentFailed: There is no Compose v2.
    """
    source = ComposeFile([Path(shown(str(file)))], environment=dict(os.environ))
    model = compose.load(source)
    said = model.get(EXTENSION) or {}
    unknown = next((key for key in said if key != "hooks"), None) if isinstance(said, Mapping) else EXTENSION
    if unknown is not None:
        raise UsageError(
            f"{source.where(EXTENSION, unknown)}: {EXTENSION}: expected `hooks`, found {unknown}",
            hint="write x-labrig: {hooks: hooks.py}",
        )
    hooks = file.parent / str(said["hooks"]) if said.get("hooks") else None
    if hooks is not None and not hooks.is_file():
        raise UsageError(f"{source.where(EXTENSION, 'hooks')}: {EXTENSION}: there is no file {hooks}")
    return Composed(source, model, hooks)


def definitions(composed: Composed) -> dict[str, Definition]:
    """Return the definition of every service.

    Raises:
        UsageError: A service says something that a group cannot do; with file, line, service and key.
    """
    model = composed.model
    given = {name: Given(name, service, model, composed.source) for name, service in model["services"].items()}
    asked: dict[str, dict[Condition, str]] = {name: {} for name in given}
    for one in given.values():
        for needed, condition in conditions(one).items():
            asked[needed].setdefault(condition, one.name)
    return {
        name: dataclasses.replace(
            definition(one, one_shot=_is_one_shot(one, asked[name]), read=lambda path: Path(path).read_bytes()),
            # Where nobody waits for its health, its check may need those that wait for its start.
            awaits_health=not asked[name] or HEALTHY in asked[name],
        )
        for name, one in given.items()
    }


def _is_one_shot(given: Given, asked: Mapping[Condition, str]) -> bool:
    if COMPLETED in asked and HEALTHY in asked:
        raise given.refuse("", f"{asked[COMPLETED]} waits for its end and {asked[HEALTHY]} for its health")
    return COMPLETED in asked


def conditions(given: Given) -> dict[str, Condition]:
    """Return what a service waits for, by the services that it depends on.

    Raises:
        UsageError: It would start without one of them.
    """
    found: dict[str, Condition] = {}
    for needed, said in (given.service.get("depends_on") or {}).items():
        if said.get("required") is False:
            raise given.refuse(f"depends_on.{needed}.required", "a service of a group waits for all it depends on")
        given.only(f"depends_on.{needed}", said, {"condition", "required", "restart"})
        found[needed] = cast("Condition", said.get("condition", "service_started"))
    return found


def services(composed: Composed, others: Sequence[Service]) -> list[Service]:
    """Return the services of a compose file, with the hooks of those of Python that have their names, and the rest.

    Args:
        composed: The file.
        others: Services of a Python file. One that has the name of a service of the compose file lends it its hooks;
            one with another name is a service of its own.

    Raises:
        UsageError: A service cannot be carried over; or hooks say something of a service that only its file can.
    """
    defined = definitions(composed)
    hooks = {one.name: type(one) for one in others if one.name in defined}
    for name, kind in hooks.items():
        _only_hooks(composed, name, kind)
    for one in others:
        if one.name not in defined and not one.image:
            raise UsageError(
                f"{one.defined_at}: there is no service {one.name!r} in {composed.source.files[0]} for these hooks",
                hint=nearest(one.name, defined) or f"services: {', '.join(defined)}",
            )
    mine = [_service(one, hooks.get(name, Service)) for name, one in defined.items()]
    return [*mine, *(one for one in others if one.name not in defined)]


class OfComposeFile(_Base):
    """What a service of a compose file has in the place of fields: its definition, and variables that hooks may set.

    Attributes:
        definition: What the file says.
        more: Variables that its class adds to those of the file, with names of the context in braces.
        env: All of its variables; a ``pre_start`` may change them.
    """

    definition: Definition
    more: Mapping[str, Any]

    def define(self, context: Mapping[str, Any] | None) -> Definition:
        """Return what the file says, with the variables of the class; braces in the file itself are its own."""
        more = self.more if context is None else self._formatted("env", self.more, context)
        self.env = {**self.definition.env, **more}
        return self.redefine()

    def redefine(self) -> Definition:
        """Return what the file says, with the variables as a ``pre_start`` has left them."""
        return dataclasses.replace(self.definition, env=environment(self.env))

    def placeholders(self) -> set[str]:
        """Return the names of the context that the variables of the class ask for."""
        return names_in(self.more)


def _service(defined: Definition, hooks: type[Service]) -> Service:
    kind: Any = type(
        hooks.__name__ if hooks is not Service else "ComposeService",
        (OfComposeFile, hooks),
        {
            "name": defined.name,
            "image": defined.image,
            "dependencies": defined.dependencies,
            "definition": defined,
            "more": dict(hooks.env),
            "__doc__": hooks.__doc__,
        },
    )
    # Messages about hooks name their file.
    kind.defined_at = defined.file if hooks is Service else hooks.defined_at
    return cast("Service", kind())


def _only_hooks(composed: Composed, name: str, kind: type[Service]) -> None:
    for base in kind.__mro__[: kind.__mro__.index(Service)]:
        for field in READERS:
            if field in vars(base) and field not in ("name", "env"):
                raise UsageError(
                    f"{kind.defined_at}: service {name!r}: field {field!r} is said by {composed.source.files[0]}",
                    hint=f"take it out of class {kind.__name__}, which may have hooks and further variables in `env`",
                )
