"""Prove an infrastructure change before it reaches a server."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labrig.cli.script import run as cli
    from labrig.groups.context import Context
    from labrig.groups.definition import Network
    from labrig.groups.script import compose_file, group_name, on_reload_service, on_start_services, on_stop_services
    from labrig.groups.service import Service

__version__ = "0.1.0"
__all__ = [
    "Context",
    "Network",
    "Service",
    "__version__",
    "cli",
    "compose_file",
    "group_name",
    "on_reload_service",
    "on_start_services",
    "on_stop_services",
]

# What scripts that define services use; `import labrig` alone imports none of it.
_HOMES = {
    "Context": "labrig.groups.context",
    "Network": "labrig.groups.definition",
    "Service": "labrig.groups.service",
    "compose_file": "labrig.groups.script",
    "group_name": "labrig.groups.script",
    "on_reload_service": "labrig.groups.script",
    "on_start_services": "labrig.groups.script",
    "on_stop_services": "labrig.groups.script",
}


def __getattr__(name: str) -> Any:
    if name == "cli":
        return importlib.import_module("labrig.cli")
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
