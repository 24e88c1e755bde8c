"""What differs between a container that is there and the definition of its service, key by key. Pure.

Containers are compared by what the engine says of them, not by a hash: what somebody changed with ``docker update`` or
``docker network disconnect`` shows as well, and each difference can be said.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from labrig.groups import payload
from labrig.groups.definition import Definition
from labrig.groups.naming import FURTHER, VARIABLES

SHOWN_CHARACTERS = 60
# Values of variables are often passwords, and differences end up in logs.
HIDDEN = "(not shown)"


@dataclass(frozen=True)
class Difference:
    """One key that is not the same: what the container has and what its definition wants."""

    key: str
    has: str
    wants: str

    def __str__(self) -> str:
        if self.has == self.wants == HIDDEN:
            return f"{self.key} has another value"
        return f"{self.key}: {self.has} -> {self.wants}"


@dataclass(frozen=True)
class Image:
    """The image that a definition means; ``config`` is what the engine says of it, as of a container."""

    name: str
    id: str
    config: Mapping[str, Any]


def differences(
    definition: Definition, found: Mapping[str, Any], image: Image, networks: Mapping[str, str]
) -> list[Difference]:
    """Return what is to be recreated for; empty where the container is as defined.

    Args:
        definition: What is wanted.
        found: What the engine says of the container.
        image: The image that the definition means now.
        networks: The ids of the service's networks by their names on the engine.
    """
    return [
        *_image(found, image),
        *_variables(definition, found, image),
        *_ports(definition, found),
        *_volumes(definition, found),
        *_process(definition, found, image),
        *_networks(definition, found, networks),
        *_limits(definition, found),
        *_healthcheck(definition, found, image),
        *_further(definition, found),
    ]


def _image(found: Mapping[str, Any], image: Image) -> Iterator[Difference]:
    if found["Image"] == image.id:
        return
    name = str(found["Config"]["Image"])
    if name == image.name:
        yield Difference("image", f"{name} ({_short(found['Image'])})", f"{name} ({_short(image.id)})")
    else:
        yield Difference("image", name, image.name)


def _variables(definition: Definition, found: Mapping[str, Any], image: Image) -> Iterator[Difference]:
    has = dict(line.partition("=")[::2] for line in found["Config"].get("Env") or ())
    given = dict(line.partition("=")[::2] for line in image.config.get("Env") or ())
    for key, value in definition.env.items():
        if has.get(key) != value:
            if key in has and value is not None:
                yield Difference(f"env {key}", HIDDEN, HIDDEN)
            else:
                yield Difference(f"env {key}", _is_set(key in has), _is_set(value is not None))
    # Only what a definition had set is missed: a hook may have set others.
    labels = found["Config"].get("Labels") or {}
    for key in json.loads(labels.get(VARIABLES, "[]")):
        if key not in definition.env and has.get(key) != given.get(key):
            yield Difference(f"env {key}", _is_set(is_set=True), _is_set(key in given))


def _ports(definition: Definition, found: Mapping[str, Any]) -> Iterator[Difference]:
    has = {
        key: [(one.get("HostIp") or "", one.get("HostPort") or "") for one in bound or ()]
        for key, bound in (found["HostConfig"].get("PortBindings") or {}).items()
    }
    wants = {
        key: [(one["HostIp"], one["HostPort"]) for one in bound]
        for key, bound in payload.bindings(definition.ports).items()
    }
    for key in sorted({*has, *wants}):
        if sorted(_plain(has.get(key, ()))) != sorted(_plain(wants.get(key, ()))):
            yield Difference(f"ports {key}", _bound(has.get(key)), _bound(wants.get(key)))


def _plain(bound: Any) -> list[tuple[str, str]]:
    """Return bindings with one word for all addresses, and one for a free port."""
    return [("" if ip in ("", "0.0.0.0") else ip, "" if port == "0" else port) for ip, port in bound]  # noqa: S104


def _bound(bound: Any) -> str:
    if not bound:
        return "not published"
    return ", ".join(f"{ip}:{port or 'free'}" if ip else (port or "free") for ip, port in bound)


def _volumes(definition: Definition, found: Mapping[str, Any]) -> Iterator[Difference]:
    has = {}
    for line in found["HostConfig"].get("Binds") or ():
        source, target, *mode = line.split(":")
        has[target] = (source, mode[0] if mode else "rw")
    wants = {one.target: (one.source, one.mode) for one in definition.mounts}
    for target in sorted({*has, *wants}):
        if has.get(target) != wants.get(target):
            yield Difference(f"volumes {target}", _mounted(has.get(target)), _mounted(wants.get(target)))


def _mounted(mount: tuple[str, str] | None) -> str:
    return f"{mount[0]} ({mount[1]})" if mount else "not mounted"


def _process(definition: Definition, found: Mapping[str, Any], image: Image) -> Iterator[Difference]:
    config = found["Config"]
    entrypoint = definition.entrypoint or _words(image.config.get("Entrypoint"))
    # An entrypoint of one's own takes the image's command away.
    own = definition.command or (() if definition.entrypoint else _words(image.config.get("Cmd")))
    signal = definition.stop_signal or image.config.get("StopSignal") or ""
    for key, has, wants in (
        ("entrypoint", _words(config.get("Entrypoint")), entrypoint),
        ("command", _words(config.get("Cmd")), own),
        ("user", config.get("User") or "", definition.user or image.config.get("User") or ""),
        ("stop_signal", config.get("StopSignal") or "", signal),
        ("init", bool(found["HostConfig"].get("Init")), definition.init),
    ):
        if has != wants:
            yield Difference(key, _shown(has), _shown(wants))


def _networks(definition: Definition, found: Mapping[str, Any], networks: Mapping[str, str]) -> Iterator[Difference]:
    has = found["NetworkSettings"].get("Networks") or {}
    names = {one.network.name: name for one, name in zip(definition.networks, networks, strict=True)}
    wants = payload.endpoints(definition, names)
    for name in sorted({*has, *wants}):
        if name not in has or name not in wants:
            yield Difference(f"networks {name}", _member(name in has), _member(name in wants))
        elif has[name].get("NetworkID") and has[name]["NetworkID"] != networks[name]:
            yield Difference(f"networks {name}", "a former network of this name", "the one that is there")
        else:
            missing = [alias for alias in wants[name]["Aliases"] if alias not in (has[name].get("Aliases") or ())]
            if missing:
                yield Difference(f"networks {name}", "other aliases", f"alias {', '.join(missing)}")


def _limits(definition: Definition, found: Mapping[str, Any]) -> Iterator[Difference]:
    wants = payload.limits(definition.limits)
    for key, name in (("Memory", "memory"), ("NanoCpus", "cpus"), ("PidsLimit", "pids")):
        # A file of further options may set them as well.
        if key in definition.host_config:
            continue
        has = max(found["HostConfig"].get(key) or 0, 0)
        if has != wants.get(key, 0):
            yield Difference(f"limits {name}", _limit(key, has), _limit(key, wants.get(key, 0)))


def _limit(key: str, value: int) -> str:
    if not value:
        return "none"
    return f"{value / payload.NANO:g}" if key == "NanoCpus" else str(value)


def _healthcheck(definition: Definition, found: Mapping[str, Any], image: Image) -> Iterator[Difference]:
    wanted = definition.healthcheck
    wants = payload.health(wanted) if wanted else image.config.get("Healthcheck") or {}
    has = found["Config"].get("Healthcheck") or {}
    for key in ("Test", "Interval", "Timeout", "StartPeriod", "Retries"):
        if (has.get(key) or None) != (wants.get(key) or None):
            yield Difference(f"healthcheck {key.lower()}", _shown(has.get(key)), _shown(wants.get(key)))


def _further(definition: Definition, found: Mapping[str, Any]) -> Iterator[Difference]:
    # Compared with what was asked for, not with what the engine made of it: it writes some of it in other words.
    labels = found["Config"].get("Labels") or {}
    wants = json.loads(json.dumps([definition.config, definition.host_config]))
    for asked, wanted in zip(json.loads(labels.get(FURTHER, "[{}, {}]")), wants, strict=True):
        for key in sorted({*asked, *wanted}):
            if asked.get(key) != wanted.get(key):
                yield Difference(key, _shown(asked.get(key)), _shown(wanted.get(key)))


def _words(value: Any) -> tuple[str, ...]:
    return tuple(value or ())


def _shown(value: Any) -> str:
    text = " ".join(value) if isinstance(value, tuple) else str(value)
    if value in (None, "", (), False):
        return "none"
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 3] + "..."


def _is_set(is_set: bool) -> str:  # noqa: FBT001  # reads as its name
    return "set" if is_set else "not set"


def _member(is_member: bool) -> str:  # noqa: FBT001  # likewise
    return "connected" if is_member else "not connected"


def _short(identifier: str) -> str:
    return identifier.removeprefix("sha256:")[:12]
