"""What the settings of an application want of one experiment."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from labrig.experiments.environment import Identity
from labrig.experiments.naming import Names, shared_server
from labrig.experiments.services import PROVIDERS, Shape
from labrig.experiments.standing import Wanted, WantedService

if TYPE_CHECKING:
    # A lab host has no pydantic.
    from labrig.experiments.settings import ServiceSettings, Settings

LENGTH = 12


def identity(settings: Settings, branch: str, name: str, release: str) -> Identity:
    """Return what an experiment is.

    Args:
        settings: The application's.
        branch: The branch.
        name: The experiment, a slug.
        release: The branch's commit.
    """
    return Identity(
        app=settings.app,
        name=name,
        branch=branch,
        release=release,
        domain=settings.domain,
        host_name=settings.host_name,
    )


def wanted(settings: Settings, what: Identity) -> Wanted:
    """Return what is wanted of an experiment.

    The build changes with all that decides the image, the version with all that decides the container besides. Secrets
    count as they are sealed, and what only edge and health check read does not count.
    """
    services = {name: _service(name, one, what.names) for name, one in settings.services.items()}
    build = _digest(
        {
            "variables": what.variables,
            "image": [settings.build_image, settings.build_command, settings.container_build_command, settings.image],
        }
    )
    version = _digest(
        {
            "build": build,
            "environment": settings.environment,
            "before_start": settings.before_start,
            "limits": settings.limits.model_dump(),
            "networks": settings.networks,
            "services": {name: [one.provision, one.record["kind"]] for name, one in services.items()},
        }
    )
    return Wanted(
        branch=what.branch,
        release=what.release,
        build=build,
        version=version,
        services=services,
        builds_application=bool(settings.build_command),
        before_start=bool(settings.before_start),
        joins=bool(settings.networks),
    )


def server_of_others(name: str, service: ServiceSettings, names: Names) -> str:
    """Return the container of a server that is not the experiment's own."""
    if service.experiment:
        return Names(service.app or names.app, service.experiment).service(name)
    return shared_server(service.service)


def _service(name: str, one: ServiceSettings, names: Names) -> WantedService:
    kind = one.service
    if one.provision == "independent":
        shape = Shape(
            kind=kind,
            image=one.image or PROVIDERS[kind].image,
            command=one.command,
            environment=one.environment,
            initial_data=one.initial_data or "",
        )
    else:
        shape = Shape(kind=kind, image=server_of_others(name, one, names))
    return WantedService(shape.record(), provision=one.provision, waits=one.wait, hook=bool(one.on_create))


def _digest(content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:LENGTH]
