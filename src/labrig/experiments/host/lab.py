"""What the lab host itself is: its own settings, its memory, its disk, the networks it uses."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass, fields
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import labrig
from labrig import clock
from labrig.errors import EnvironmentFailed, UsageError
from labrig.experiments import naming
from labrig.experiments.host.engine import Engine
from labrig.experiments.protocol import Hello

FILE = Path("/etc/labrig/lab.json")


@dataclass(frozen=True)
class Lab:
    """The host's own settings, which its role has written.

    Attributes:
        domain: That its wildcard record leads to it; empty where nobody has told.
        range: The network that the subnets of experiments are taken from.
    """

    domain: str = ""
    range: str = "10.213.0.0/16"


def read(file: Path = FILE) -> Lab:
    """Return the host's own settings; what they are where nobody has written any.

    Raises:
        UsageError: The file cannot be read.
    """
    try:
        told = dict(json.loads(file.read_text(encoding="utf-8")))
        known = {one.name: told[one.name] for one in fields(Lab) if one.name in told}
        return Lab(**{name: str(value) for name, value in known.items()})
    except FileNotFoundError:
        return Lab()
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"{file}: expected an object of JSON: {error}", hint="labrig.core.lab writes it") from error


def hello(who: str, *, lab: Lab, engine: Engine) -> Hello:
    """Return what a client is told first.

    Args:
        who: The developer whose key opened the connection; empty where it is not known.
        lab: The host's own settings.
        engine: Its Docker Engine; that it cannot be had is told, and is no error.
    """
    version, trouble, networks = "", "", set(_routed())
    try:
        version = engine.version()
        networks.update(_of_engine(engine))
    except EnvironmentFailed as error:
        trouble = error.message
    return Hello(
        who=who,
        user=f"{os.getuid()}:{os.getgid()}",
        domain=lab.domain,
        range=lab.range,
        subnets=tuple(str(one) for one in sorted(networks)),
        engine=version,
        trouble=trouble,
        time=clock.now().isoformat(),
        **resources(),
    )


def resources() -> dict[str, Any]:
    """Return what the host is and has: ``host``, ``version`` of its programs, ``memory`` and ``disk`` in free bytes."""
    return {
        "host": socket.gethostname(),
        "version": labrig.__version__,
        "memory": _memory(),
        "disk": shutil.disk_usage(_nearest(Path(naming.ROOT))).free,
    }


def _of_engine(engine: Engine) -> Iterator[IPv4Network]:
    for network in engine.ask("/networks"):
        for one in network["IPAM"]["Config"] or ():
            if ":" not in one.get("Subnet", ":"):
                # The engine keeps a subnet as it was written, also with an address of a host in it.
                yield IPv4Network(one["Subnet"], strict=False)


def _routed() -> Iterator[IPv4Network]:
    """Yield the networks that the kernel has routes to, but for the one to everywhere."""
    for line in Path("/proc/net/route").read_text(encoding="ascii").splitlines()[1:]:
        words = line.split()
        address, mask = (IPv4Address(int.from_bytes(bytes.fromhex(words[place]), "little")) for place in (1, 7))
        if int(mask):
            yield IPv4Network((int(address), str(mask)), strict=False)


def _memory() -> int:
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))


def _nearest(path: Path) -> Path:
    return next(one for one in (path, *path.parents) if one.exists())
