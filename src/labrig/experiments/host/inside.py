"""Into the containers of an experiment: commands in them, and what they have written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from labrig.errors import EnvironmentFailed, UsageError
from labrig.experiments import edge
from labrig.experiments.host.engine import Engine
from labrig.experiments.naming import SERVICE, SLOT, VERSION, Names

# The best shell that an image has.
SHELL = ("sh", "-c", "command -v bash >/dev/null && exec bash; exec sh")


def enter(engine: Engine, names: Names, service: str, argv: Sequence[str], *, has_terminal: bool) -> list[str]:
    """Return the command that runs another in a container of an experiment, or a shell where there is no other.

    Args:
        engine: The host's.
        names: The experiment.
        service: Of which service; empty for the application's own container.
        argv: The command.
        has_terminal: Input and output are a terminal.

    Raises:
        UsageError: There is no such experiment or service.
        EnvironmentFailed: The container does not run.
    """
    found = _container(engine, names, service)
    if found["State"] != "running":
        hint = "it may sleep: a request to its URL wakes it" if not service else ""
        raise EnvironmentFailed(
            f"the container of {_called(names, service)} does not run: {found['Status']}", hint=hint
        )
    given = ["--interactive", *(["--tty"] if has_terminal else [])]
    return ["docker", "exec", *given, str(found["Id"]), *(argv or SHELL)]


def logs(engine: Engine, names: Names, service: str, options: Sequence[str]) -> list[str]:
    """Return the command that prints what a container of an experiment has written.

    Args:
        engine: The host's.
        names: The experiment.
        service: Of which service; empty for the application's own container.
        options: Of ``docker logs``.

    Raises:
        UsageError: There is no such experiment or service.
    """
    return ["docker", "logs", *options, str(_container(engine, names, service)["Id"])]


def _container(engine: Engine, names: Names, service: str) -> Mapping[str, Any]:
    """Return a container of an experiment as the engine lists it; the application's is the one that serves."""
    all_of_it: list[dict[str, Any]] = engine.ask("/containers/json", {"label": names.selectors}, all="1")
    if service:
        of_service = {one["Labels"].get(SERVICE): one for one in all_of_it}
        if service not in of_service:
            own = ", ".join(sorted(one for one in of_service if one)) or "none"
            raise UsageError(
                f"there is no {_called(names, service)} with a container of its own", hint=f"those that have: {own}"
            )
        return of_service[service]
    versions = [one for one in all_of_it if SLOT in one["Labels"]]
    if not versions:
        raise UsageError(f"there is no container of {_called(names, '')}", hint="labrig experiment list tells all")
    routed = _routed(names)
    return max(versions, key=lambda one: (one["Labels"].get(VERSION) == routed, one["Created"]))


def _routed(names: Names) -> str:
    try:
        found = edge.read((Path(edge.FOLDER) / f"{names.base}.conf").read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return ""
    return found.version if found else ""


def _called(names: Names, service: str) -> str:
    return f"service {service} of {names.app}/{names.name}" if service else f"experiment {names.app}/{names.name}"
