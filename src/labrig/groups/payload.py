"""A definition in the engine's words: the body that creates its container. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labrig.groups.definition import Definition, HealthCheck, Limits, Port

NANO = 1_000_000_000


def body(
    definition: Definition, *, image: str, networks: Mapping[str, str], labels: Mapping[str, str]
) -> dict[str, Any]:
    """Return what the engine is sent to create a container.

    Args:
        definition: What is wanted.
        image: The image's name or id.
        networks: What the service's networks are called on the engine.
        labels: Whose it is.
    """
    first, *_ = definition.networks or (None,)
    host: dict[str, Any] = {
        "PortBindings": bindings(definition.ports),
        "Binds": [f"{one.source}:{one.target}:{one.mode}" for one in definition.mounts],
        **limits(definition.limits),
        **definition.host_config,
    }
    if first is not None:
        host["NetworkMode"] = networks[first.network.name]
    if definition.init:
        host["Init"] = True
    config: dict[str, Any] = {
        "Image": image,
        "Env": [key if value is None else f"{key}={value}" for key, value in definition.env.items()],
        "ExposedPorts": {port.key: {} for port in definition.ports},
        **definition.config,
        "Labels": {**definition.config.get("Labels", {}), **labels},
        "HostConfig": host,
        "NetworkingConfig": {"EndpointsConfig": endpoints(definition, networks)},
    }
    for key, value in (
        ("Cmd", definition.command),
        ("Entrypoint", definition.entrypoint),
        ("User", definition.user),
        ("StopSignal", definition.stop_signal),
    ):
        if value is not None:
            config[key] = list(value) if isinstance(value, tuple) else value
    if definition.healthcheck is not None:
        config["Healthcheck"] = health(definition.healthcheck)
    return config


def endpoints(definition: Definition, networks: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the networks of a container by their names on the engine, with its names there."""
    return {
        networks[one.network.name]: {"Aliases": list(dict.fromkeys((definition.name, *one.aliases)))}
        for one in definition.networks
    }


def bindings(ports: tuple[Port, ...]) -> dict[str, list[dict[str, str]]]:
    """Return ports as the engine binds them; an empty host port is a free one."""
    found: dict[str, list[dict[str, str]]] = {}
    for port in ports:
        found.setdefault(port.key, []).append(
            {"HostIp": port.address, "HostPort": "" if port.host is None else str(port.host)}
        )
    return found


def limits(wanted: Limits) -> dict[str, Any]:
    """Return limits in the engine's units; nothing for none."""
    named = {
        "Memory": wanted.memory,
        "NanoCpus": round(wanted.cpus * NANO),
        "PidsLimit": wanted.pids,
    }
    return {key: value for key, value in named.items() if value}


def health(check: HealthCheck) -> dict[str, Any]:
    """Return a health check with times in nanoseconds."""
    return {
        "Test": list(check.test),
        "Interval": round(check.interval * NANO),
        "Timeout": round(check.timeout * NANO),
        "StartPeriod": round(check.start_period * NANO),
        "Retries": check.retries,
    }
