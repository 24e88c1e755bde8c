"""The fields of a service: what each may be, and reading it as a plain value.

A field is read twice: as it is written, when the group is loaded, and formatted, when the service starts. In between a
text with a placeholder may stand where a number will.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from labrig.groups.definition import (
    DEFAULT_NETWORK,
    HealthCheck,
    Limits,
    Membership,
    Mount,
    Network,
    Port,
    Secret,
)
from labrig.groups.formatting import FieldError, nearest

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_SIGNAL = re.compile(r"SIG[A-Z][A-Z0-9]*(?:[+-]\d+)?")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PROTOCOLS = ("tcp", "udp", "sctp")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt])?i?b?")


def host_name(value: Any) -> str:
    """Read ``name``."""
    if not isinstance(value, str) or not value:
        raise FieldError(f"expected a non-empty string, found {value!r}")
    if len(value) > 63 or not _HOST_NAME.fullmatch(value):
        raise FieldError(
            f"{value!r} is no host name, and the service is reached under it",
            "letters, digits and hyphens, at most 63, neither first nor last a hyphen",
        )
    return value


def image(value: Any) -> str:
    """Read ``image``."""
    if not isinstance(value, str) or not value.strip():
        raise FieldError(f"expected the name of an image, found {value!r}")
    if re.search(r"\s", value):
        raise FieldError(f"{value!r} is no name of an image: it has white space")
    return value


def text(value: Any) -> str:
    """Read a string."""
    if not isinstance(value, str):
        raise FieldError(f"expected a string, found {_kind(value)} {value!r}")
    return value


def filled(value: Any) -> str:
    """Read a string that is not empty."""
    if not text(value):
        raise FieldError("expected a non-empty string")
    return str(value)


def path(value: Any) -> str:
    """Read a path, as a string or as a ``Path``."""
    return filled(str(value) if isinstance(value, Path) else value)


def flag(value: Any) -> bool:
    """Read a boolean."""
    if not isinstance(value, bool):
        raise FieldError(f"expected True or False, found {_kind(value)} {value!r}")
    return value


def sequence(value: Any) -> tuple[Any, ...]:
    """Read a list."""
    if not isinstance(value, list | tuple):
        raise FieldError(f"expected a list, found {_kind(value)} {value!r}")
    return tuple(value)


def signal(value: Any) -> str:
    """Read ``stop_signal``."""
    if not isinstance(value, str) or not (_SIGNAL.fullmatch(value) or "{" in value):
        raise FieldError(f"expected the name of a signal such as SIGTERM or SIGKILL, found {value!r}")
    return value


def words(value: Any) -> tuple[str, ...] | None:
    """Read ``cmd`` or ``entrypoint``: a list of strings, or one that is split as a shell would; empty is None."""
    if isinstance(value, str):
        try:
            return tuple(shlex.split(value)) or None
        except ValueError as error:
            raise FieldError(f"{value!r} cannot be split into words: {error}") from None
    if isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
        return tuple(value) or None
    raise FieldError(f"expected a string or a list of strings, found {value!r}")


def environment(value: Any) -> dict[str, str | None]:
    """Read ``env``; None as a value takes a variable of the image away."""
    found: dict[str, str | None] = {}
    for key, one in _mapping(value).items():
        if not isinstance(key, str) or not key or "=" in key:
            raise FieldError(f"expected names of variables, found {key!r}")
        found[key] = None if one is None else one.decode() if isinstance(one, bytes) else str(one)
    return found


def ports(value: Any) -> tuple[Port, ...]:
    """Read ``ports``: container ports with host ports; None is a free one.

    A container port is 53 or "53/udp", a host port 5433, "127.0.0.1:5433", ("127.0.0.1", 5433), or a list of such.
    """
    found = []
    for key, one in _mapping(value).items():
        number, _, protocol = str(key).partition("/")
        if protocol and protocol not in _PROTOCOLS:
            raise FieldError(f"{key!r}: expected a protocol of {', '.join(_PROTOCOLS)}, found {protocol!r}")
        container = _port(number if isinstance(key, str) else key, key)
        for host in one if isinstance(one, list) else [one]:
            address, port = _host_port(host)
            found.append(Port(container, protocol or "tcp", port, address))  # type: ignore[arg-type]  # looked up above
    return tuple(found)


def _host_port(value: Any) -> tuple[str, int | None]:
    if value is None:
        return "", None
    if isinstance(value, tuple):
        if len(value) not in (1, 2) or not isinstance(value[0], str):
            raise FieldError(f"expected an address and a port, found {value!r}")
        return value[0], _port(value[1], value) if len(value) == 2 and value[1] is not None else None
    if isinstance(value, str):
        address, _, number = value.rpartition(":")
        return address.strip("[]"), _port(number, value) if number else None
    return "", _port(value, value) or None


def _port(value: Any, shown: Any) -> int:
    number = _integer(value)
    if number is None or isinstance(value, bool) or not 0 <= number <= 65535:
        raise FieldError(f"expected a port number from 1 to 65535, found {shown!r}")
    return number


def mounts(value: Any, directory: Path) -> tuple[Mount, ...]:
    """Read ``volumes``: "source:target[:mode]" in a list, or {source: {"bind": target, "mode": mode}}.

    A source that begins with ``.`` or ``~`` is a path, from ``directory`` or of the user; one without a slash is a
    named volume.
    """
    if isinstance(value, Mapping):
        pairs = [_mount_of_mapping(source, one) for source, one in value.items()]
    elif isinstance(value, list | tuple):
        pairs = [_mount_of_text(one) for one in value]
    else:
        raise FieldError(f"expected a list of strings or a mapping, found {_kind(value)} {value!r}")
    return tuple(Mount(_source(source, directory), target, mode) for source, target, mode in pairs)


def _mount_of_mapping(source: Any, value: Any) -> tuple[str, str, str]:
    source = str(source) if isinstance(source, Path) else source
    if not isinstance(source, str) or not source:
        raise FieldError(f"expected paths or names of volumes as keys, found {source!r}")
    if not isinstance(value, Mapping):
        raise FieldError(f"{source!r}: expected a mapping with 'bind', found {value!r}")
    if not isinstance(value.get("bind"), str):
        raise FieldError(f"{source!r}: expected 'bind', the path in the container, found {value.get('bind')!r}")
    return source, _target(value["bind"]), str(value.get("mode") or "rw")


def _mount_of_text(value: Any) -> tuple[str, str, str]:
    parts = value.split(":") if isinstance(value, str) else []
    if len(parts) not in (2, 3) or not all(parts):
        raise FieldError(f"expected 'source:target' or 'source:target:mode', found {value!r}")
    return parts[0], _target(parts[1]), parts[2] if len(parts) == 3 else "rw"


def _target(value: str) -> str:
    if not value.startswith(("/", "{")):
        raise FieldError(f"expected an absolute path in the container, found {value!r}")
    return value


def _source(value: str, directory: Path) -> str:
    if value.startswith("~"):
        return str(Path(value).expanduser())
    if value.startswith(".") or ("/" in value and not value.startswith(("/", "{"))):
        return str((directory / value).resolve())
    return value


def networks(value: Any) -> tuple[Membership, ...]:
    """Read ``networks``: names, ``Network`` objects, or a mapping of names to aliases and options; none is the group's.

    An entry of a mapping is a list of aliases, or a mapping with ``aliases``, ``internal``, ``external``, ``driver``.
    """
    if isinstance(value, str | Network):
        raise FieldError(f"expected a list, found {value!r}", f"write [{value!r}]")
    if not value:
        return (Membership(Network(DEFAULT_NETWORK)),)
    if isinstance(value, Mapping):
        found = [_membership(name, options) for name, options in value.items()]
    elif isinstance(value, list | tuple):
        found = [_membership(one, None) for one in value]
    else:
        raise FieldError(f"expected a list or a mapping, found {_kind(value)} {value!r}")
    names = [one.network.name for one in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise FieldError(f"network {twice!r} stands there twice")
    return tuple(found)


def _membership(name: Any, options: Any) -> Membership:
    if isinstance(name, Network):
        return Membership(name, tuple(words(options or ()) or ()))
    if not isinstance(name, str) or not name:
        raise FieldError(f"expected the name of a network, found {name!r}")
    if options is None or isinstance(options, list | tuple):
        return Membership(Network(name), tuple(words(options or ()) or ()))
    known = ("aliases", "internal", "external", "driver")
    _known(options, known, f"network {name!r}")
    return Membership(
        Network(
            name,
            internal=flag(options.get("internal", False)),
            external=flag(options.get("external", False)),
            driver=filled(options.get("driver", "bridge")),
        ),
        tuple(words(options.get("aliases") or ()) or ()),
    )


def healthcheck(value: Any) -> HealthCheck | None:
    """Read ``healthcheck``: a command, False for none, or a mapping of ``test`` and its times; None is the image's.

    A string is run by the container's shell, a list as it is.
    """
    if value is None:
        return None
    if value is False:
        return HealthCheck(("NONE",))
    if not isinstance(value, Mapping):
        return HealthCheck(_test(value))
    _known(value, ("test", "interval", "timeout", "start_period", "retries"), "health check")
    return HealthCheck(
        _test(value.get("test")),
        interval=_seconds(value.get("interval", 0)),
        timeout=_seconds(value.get("timeout", 0)),
        start_period=_seconds(value.get("start_period", 0)),
        retries=_count(value.get("retries", 0)),
    )


def _test(value: Any) -> tuple[str, ...]:
    if isinstance(value, str) and value.strip():
        return ("CMD-SHELL", value)
    if isinstance(value, list | tuple) and value and all(isinstance(one, str) for one in value):
        return tuple(value) if value[0] in ("CMD", "CMD-SHELL", "NONE") else ("CMD", *value)
    raise FieldError(f"expected a command, as a string or a list of strings, found {value!r}")


def limits(value: Any) -> Limits:
    """Read ``limits``: ``memory`` ("512m" or bytes), ``cpus`` (1.5), ``pids`` (100)."""
    options = _mapping(value)
    _known(options, ("memory", "cpus", "pids"), "")
    cpus = options.get("cpus", 0)
    try:
        count = 1.0 if isinstance(cpus, str) and "{" in cpus else float(cpus)
    except (TypeError, ValueError):
        count = -1.0
    if count < 0 or isinstance(cpus, bool):
        raise FieldError(f"'cpus': expected a number of processors such as 1.5, found {cpus!r}")
    return Limits(_memory(options.get("memory", 0)), count, _count(options.get("pids", 0)))


def _memory(value: Any) -> int:
    if isinstance(value, str) and "{" in value:
        return 1
    # As Docker has it: m and g are powers of 1024.
    match = _SIZE.fullmatch(str(value).strip().lower())
    if match is None or isinstance(value, bool):
        raise FieldError(f"'memory': expected a size such as 512m or 2g, found {value!r}")
    return int(float(match[1]) * 1024 ** " kmgt".index(match[2] or " "))


def secrets(value: Any, directory: Path, read: Callable[[Path], bytes] | None) -> tuple[Secret, ...]:
    """Read ``secrets``: names of files below ``/run/secrets`` with where their contents come from.

    Args:
        value: A path for each name; or a mapping with ``content`` or ``file``, and ``mode``, ``uid``, ``gid``.
        directory: Where relative paths start.
        read: Reads a file; None looks at no file, as long as placeholders are not replaced.
    """
    found = []
    for name, one in _mapping(value).items():
        if not isinstance(name, str) or not name or "/" in name:
            raise FieldError(f"expected names of files as keys, found {name!r}")
        options = one if isinstance(one, Mapping) else {"file": one}
        _known(options, ("content", "file", "mode", "uid", "gid"), f"secret {name!r}")
        if ("content" in options) == ("file" in options):
            raise FieldError(f"secret {name!r}: expected either 'content' or 'file'")
        found.append(
            Secret(
                name,
                _content(name, options, directory, read),
                mode=_count(options.get("mode", 0o444)),
                uid=_count(options.get("uid", 0)),
                gid=_count(options.get("gid", 0)),
            )
        )
    return tuple(found)


def _content(name: str, options: Mapping[str, Any], directory: Path, read: Callable[[Path], bytes] | None) -> bytes:
    if "content" in options:
        content = options["content"]
        return content if isinstance(content, bytes) else text(content).encode()
    where = directory / Path(path(options["file"])).expanduser()
    if read is None:
        return b""
    try:
        return read(where)
    except OSError as error:
        raise FieldError(f"secret {name!r}: {where} cannot be read: {error.strerror}") from None


def _mapping(value: Any) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise FieldError(f"expected a mapping, found {_kind(value)} {value!r}")
    return value


def _known(options: Any, known: tuple[str, ...], what: str) -> None:
    at = f"{what}: " if what else ""
    if not isinstance(options, Mapping):
        raise FieldError(f"{at}expected a mapping, found {options!r}")
    for key in options:
        if key not in known:
            raise FieldError(f"{at}unknown key {key!r}", f"{nearest(str(key), known)}known keys: {', '.join(known)}")


def _seconds(value: Any) -> float:
    if isinstance(value, str) and "{" in value:
        return 1.0
    match = _DURATION.fullmatch(str(value).strip())
    if match is None or isinstance(value, bool):
        raise FieldError(f"expected a time such as 0.5, 30s or 1m, found {value!r}")
    return float(match[1]) * _SECONDS[match[2] or "s"]


def _count(value: Any) -> int:
    number = _integer(value)
    if number is None or number < 0 or isinstance(value, bool):
        raise FieldError(f"expected a whole number, found {value!r}")
    return number


def _integer(value: Any) -> int | None:
    if isinstance(value, str) and "{" in value:
        return 1
    try:
        return int(value) if isinstance(value, int | str) else None
    except ValueError:
        return None


def _kind(value: Any) -> str:
    return type(value).__name__
