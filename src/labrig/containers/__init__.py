"""Real containers in tests, with pytest or without: made in a line, and gone whatever happens.

with Session() as session:
    web = session.container("labrig/debian-12").expose(80).run("nginx", "-g", "daemon off;")
    web.wait_for(waiting.http(80))
    urlopen(web.url(80))
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labrig.containers import waiting
    from labrig.containers.composition import Composition
    from labrig.containers.container import Container
    from labrig.containers.image import Image
    from labrig.containers.owner import Owner
    from labrig.containers.session import Session
    from labrig.containers.stack import Stack
    from labrig.containers.swarm import Secret, Service
    from labrig.containers.tailoring import Build, Tailoring

__all__ = [
    "Build",
    "Composition",
    "Container",
    "Image",
    "Owner",
    "Secret",
    "Service",
    "Session",
    "Stack",
    "Tailoring",
    "waiting",
]

# pytest loads the fixtures in every run of everybody who has labrig: Docker's library is imported when it is used.
_HOMES = {
    "Build": "tailoring",
    "Composition": "composition",
    "Container": "container",
    "Image": "image",
    "Owner": "owner",
    "Secret": "swarm",
    "Service": "swarm",
    "Session": "session",
    "Stack": "stack",
    "Tailoring": "tailoring",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_HOMES.get(name, name)}")
    return getattr(module, name) if name in _HOMES else module
