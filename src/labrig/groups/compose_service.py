"""One service of a compose file, in its normal form, as a definition: every key is carried over or refused. Pure.

The tables below say which key becomes what. A key that is in none of them is refused with file, line, service and key:
a group that starts without something the file asks for would be worse than one that does not start.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from labrig.engine.compose import ComposeFile, Model
from labrig.errors import UsageError
from labrig.groups.definition import Build, Definition, HealthCheck, Limits, Membership, Mount, Network, Port, Secret

ReadFile = Callable[[str], bytes]
"""Returns the content of a file of the host by its absolute path; raises OSError."""

NAMES_ARE_LABRIGS = "leave it out: containers of a group are found by `labrig group status`, not by a name"
# Keys of a service that say nothing about its container: other functions read them, or Compose has already.
READ_ELSEWHERE = ("depends_on", "profiles", "env_file", "extends")
# Keys that become fields of the definition.
FIELDS = """
    build command configs cpus deploy entrypoint environment expose healthcheck image init mem_limit network_mode
    networks pids_limit ports pull_policy scale secrets stop_signal user volumes
"""
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PART = re.compile(r"(\d+(?:\.\d+)?)(h|ms|us|µs|ns|m|s)")


def seconds(duration: str) -> float:
    """Return a duration of Compose in seconds.

    >>> seconds("1m30s"), seconds("1.5s"), seconds("500ms")
    (90.0, 1.5, 0.5)
    """
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(duration))


def _devices(given: Sequence[Any]) -> list[dict[str, str]]:
    """Return devices; older versions of Compose write each as ``source:target:permissions``."""
    names = ("source", "target", "permissions")
    said = [dict(zip(names, one.split(":"), strict=False)) if isinstance(one, str) else one for one in given]
    return [
        {
            "PathOnHost": one["source"],
            "PathInContainer": one.get("target") or one["source"],
            "CgroupPermissions": one.get("permissions") or "rwm",
        }
        for one in said
    ]


def _restart(given: str) -> dict[str, Any]:
    name, _, count = given.partition(":")
    return {"Name": name, "MaximumRetryCount": int(count or 0)}


def _tmpfs(given: str | Sequence[str]) -> dict[str, str]:
    return dict(one.partition(":")[::2] for one in ([given] if isinstance(given, str) else given))


def _ulimits(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    pairs = {name: one if isinstance(one, Mapping) else {"soft": one, "hard": one} for name, one in given.items()}
    return [{"Name": name, "Soft": int(pair["soft"]), "Hard": int(pair["hard"])} for name, pair in pairs.items()]


# Keys of a service to keys of the engine's container configuration, each with what makes its value.
CONFIG: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "domainname": ("Domainname", str),
    "hostname": ("Hostname", str),
    "labels": ("Labels", dict),
    "stdin_open": ("OpenStdin", bool),
    "stop_grace_period": ("StopTimeout", lambda given: round(seconds(given))),
    "tty": ("Tty", bool),
    "working_dir": ("WorkingDir", str),
}
# Likewise, to keys of the engine's host configuration.
HOST: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "cap_add": ("CapAdd", list),
    "cap_drop": ("CapDrop", list),
    "cgroup": ("CgroupnsMode", str),
    "cgroup_parent": ("CgroupParent", str),
    "cpu_period": ("CpuPeriod", int),
    "cpu_quota": ("CpuQuota", int),
    "cpu_shares": ("CpuShares", int),
    "cpuset": ("CpusetCpus", str),
    "device_cgroup_rules": ("DeviceCgroupRules", list),
    "devices": ("Devices", _devices),
    "dns": ("Dns", list),
    "dns_opt": ("DnsOptions", list),
    "dns_search": ("DnsSearch", list),
    "extra_hosts": ("ExtraHosts", lambda given: [one.replace("=", ":", 1) for one in given]),
    "group_add": ("GroupAdd", list),
    "logging": ("LogConfig", lambda given: {"Type": given.get("driver", ""), "Config": given.get("options") or {}}),
    "mem_reservation": ("MemoryReservation", int),
    "mem_swappiness": ("MemorySwappiness", int),
    "memswap_limit": ("MemorySwap", int),
    "oom_kill_disable": ("OomKillDisable", bool),
    "oom_score_adj": ("OomScoreAdj", int),
    "privileged": ("Privileged", bool),
    "read_only": ("ReadonlyRootfs", bool),
    "restart": ("RestartPolicy", _restart),
    "runtime": ("Runtime", str),
    "security_opt": ("SecurityOpt", list),
    "shm_size": ("ShmSize", int),
    "storage_opt": ("StorageOpt", dict),
    "sysctls": ("Sysctls", dict),
    "tmpfs": (
        "Tmpfs",
        _tmpfs,
    ),
    "ulimits": ("Ulimits", _ulimits),
    "userns_mode": ("UsernsMode", str),
    "uts": ("UTSMode", str),
}
# Name spaces that can be shared with the host, or with nobody; with another service's container they cannot be.
SPACES = {"ipc": "IpcMode", "pid": "PidMode"}


@dataclass(frozen=True)
class Given:
    """One service as Compose gives it, and where it stands."""

    name: str
    service: Mapping[str, Any]
    model: Model
    source: ComposeFile

    def refuse(self, key: str, why: str = "", hint: str = "", part: str = "services", thing: str = "") -> UsageError:
        """Return the error of a key that cannot be carried over; ``a.b`` is key b in a."""
        path = [int(step) if step.isdigit() else step for step in filter(None, key.split("."))]
        about = f"service {self.name}" if part == "services" else f"service {self.name}: {part[:-1]} {thing}"
        named = f"{about}: {key}" if key else about
        return UsageError(
            f"{self.source.where(part, thing or self.name, *path)}: {named} cannot be carried over to a group"
            + (f": {why}" if why else ""),
            hint=hint,
        )

    def only(self, key: str, given: Mapping[str, Any], known: set[str], **where: str) -> None:
        """Raise for what a part of the service says beside what is known; what is empty says nothing."""
        for name, value in given.items():
            if name not in known and value not in (None, {}, [], ""):
                raise self.refuse(f"{key}.{name}" if key else name, **where)


def definition(given: Given, *, one_shot: bool, read: ReadFile) -> Definition:
    """Return the definition of a service.

    Args:
        given: The service in Compose's normal form.
        one_shot: Others wait for its end.
        read: Reads files of secrets.

    Raises:
        UsageError: It says something that a group cannot do.
    """
    service = given.service
    _only_known(given)
    config, host = dict(_carried(given, CONFIG)), dict(_carried(given, HOST))
    memberships = _networks(given, host)
    for key, name in SPACES.items():
        if key in service:
            host[name] = _space(given, key)
    ports, mounts = tuple(_ports(given)), tuple(_mounts(given, config, host))
    if service.get("expose"):
        config["ExposedPorts"] = {key: {} for key in (*(one.key for one in ports), *_exposed(service["expose"]))}
    return Definition(
        name=given.name,
        image=service.get("image") or f"{given.model['name']}-{given.name}",
        file=given.source.where("services", given.name),
        dependencies=tuple(service.get("depends_on") or ()),
        env={key: str(value) for key, value in (service.get("environment") or {}).items() if value is not None},
        ports=ports,
        mounts=(*mounts, *_configs(given)),
        networks=memberships,
        entrypoint=_words(service.get("entrypoint")),
        command=_words(service.get("command")),
        user=service.get("user"),
        stop_signal=service.get("stop_signal"),
        healthcheck=_healthcheck(given),
        limits=_limits(given),
        secrets=tuple(_secrets(given, read)),
        build=_build(given),
        init=bool(service.get("init")),
        one_shot=one_shot,
        config=config,
        host_config=host,
    )


def _only_known(given: Given) -> None:
    known = {*READ_ELSEWHERE, *FIELDS.split(), *CONFIG, *HOST, *SPACES}
    for key, value in given.service.items():
        if key.startswith("x-") or key in known or value in (None, {}, []):
            continue
        raise given.refuse(key, hint=NAMES_ARE_LABRIGS if key == "container_name" else "")
    if given.service.get("scale", 1) != 1:
        raise given.refuse("scale", "a service of a group is one container")
    if given.service.get("pull_policy", "missing") not in ("missing", "if_not_present"):
        raise given.refuse("pull_policy", "images are pulled where they are missing", "leave it out")
    given.only("logging", given.service.get("logging") or {}, {"driver", "options"})


def _carried(given: Given, table: Mapping[str, tuple[str, Callable[[Any], Any]]]) -> Iterator[tuple[str, Any]]:
    for key, (name, make) in table.items():
        value = given.service.get(key)
        if value not in (None, [], {}):
            yield name, make(value)


def _networks(given: Given, host: dict[str, Any]) -> tuple[Membership, ...]:
    mode = given.service.get("network_mode")
    if mode is not None:
        if mode not in ("none", "host", "bridge"):
            raise given.refuse("network_mode", "a container of its own network it has to be", "use networks")
        host["NetworkMode"] = mode
        return ()
    found = []
    for name, options in (given.service.get("networks") or {}).items():
        given.only(f"networks.{name}", options or {}, {"aliases"})
        aliases = tuple((options or {}).get("aliases") or ())
        found.append(Membership(_network(given, name), aliases))
    return tuple(found)


def _network(given: Given, name: str) -> Network:
    said: Mapping[str, Any] = given.model["networks"].get(name) or {}
    where = {"part": "networks", "thing": name}
    if said.get("external"):
        return Network(str(said.get("name") or name), external=True)
    given.only("", said, {"name", "internal", "driver", "ipam"}, **where)
    given.only("ipam", said.get("ipam") or {}, set(), **where)
    if said.get("name") not in (None, f"{given.model['name']}_{name}"):
        raise given.refuse(
            "name", "a group names its networks", "external: true is for a network that is there", **where
        )
    return Network(name, internal=bool(said.get("internal")), driver=str(said.get("driver") or "bridge"))


def _ports(given: Given) -> Iterator[Port]:
    for number, port in enumerate(given.service.get("ports") or ()):
        given.only(
            f"ports.{number}", port, {"mode", "host_ip", "target", "published", "protocol", "name", "app_protocol"}
        )
        published = str(port.get("published") or "")
        if published and not published.isdigit():
            raise given.refuse("ports", f"{published} is a choice of several ports", "name one, or none for a free one")
        yield Port(
            int(port["target"]),
            port.get("protocol", "tcp"),
            int(published) if published else None,
            port.get("host_ip", ""),
        )


def _exposed(ports: Sequence[str]) -> Iterator[str]:
    for port in ports:
        numbers, _, protocol = str(port).partition("/")
        first, _, last = numbers.partition("-")
        for number in range(int(first), int(last or first) + 1):
            yield f"{number}/{protocol or 'tcp'}"


def _mounts(given: Given, config: dict[str, Any], host: dict[str, Any]) -> Iterator[Mount]:
    for number, volume in enumerate(given.service.get("volumes") or ()):
        kind, key = volume["type"], f"volumes.{number}"
        given.only(key, volume, {"type", "source", "target", "read_only", kind})
        options: Mapping[str, Any] = volume.get(kind) or {}
        mode = ["ro" if volume.get("read_only") else "rw"]
        if kind == "bind":
            given.only(f"{key}.bind", options, {"create_host_path", "propagation", "selinux"})
            mode += [options[name] for name in ("selinux", "propagation") if options.get(name)]
            yield Mount(volume["source"], volume["target"], ",".join(mode))
        elif kind == "volume" and not volume.get("source"):
            config.setdefault("Volumes", {})[volume["target"]] = {}
        elif kind == "volume":
            given.only(f"{key}.volume", options, {"nocopy"})
            mode += ["nocopy"] if options.get("nocopy") else []
            yield Mount(_volume(given, volume["source"]), volume["target"], ",".join(mode))
        elif kind == "tmpfs":
            given.only(f"{key}.tmpfs", options, {"size", "mode"})
            said = [f"size={options['size']}"] if options.get("size") else []
            said += [f"mode={int(options['mode']):o}"] if options.get("mode") else []
            host["Tmpfs"] = {**host.get("Tmpfs", {}), volume["target"]: ",".join(said)}
        else:
            raise given.refuse(f"{key}.type", f"there is no way to mount a {kind}")


def _volume(given: Given, name: str) -> str:
    said: Mapping[str, Any] = given.model["volumes"].get(name) or {}
    if not said.get("external"):
        given.only(
            "", said, {"name"} | ({"driver"} if said.get("driver") == "local" else set()), part="volumes", thing=name
        )
    return str(said.get("name") or name)


def _configs(given: Given) -> Iterator[Mount]:
    for number, config in enumerate(given.service.get("configs") or ()):
        name = config["source"]
        said: Mapping[str, Any] = given.model["configs"].get(name) or {}
        given.only(f"configs.{number}", config, {"source", "target"})
        if not said.get("file"):
            raise given.refuse("file", "only a file can be mounted", part="configs", thing=name)
        yield Mount(said["file"], config.get("target") or f"/{name}", "ro")


def _secrets(given: Given, read: ReadFile) -> Iterator[Secret]:
    for number, secret in enumerate(given.service.get("secrets") or ()):
        name = secret["source"]
        said: Mapping[str, Any] = given.model["secrets"].get(name) or {}
        target = PurePosixPath("/run/secrets") / (secret.get("target") or name)
        given.only(f"secrets.{number}", secret, {"source", "target", "mode", "uid", "gid"})
        if target.parent != PurePosixPath("/run/secrets"):
            raise given.refuse(f"secrets.{number}", "secrets of a group are files in /run/secrets")
        yield Secret(
            target.name,
            _content(given, name, said, read),
            mode=int(secret.get("mode") or 0o444),
            uid=int(secret.get("uid") or 0),
            gid=int(secret.get("gid") or 0),
        )


def _content(given: Given, name: str, said: Mapping[str, Any], read: ReadFile) -> bytes:
    where = {"part": "secrets", "thing": name}
    if said.get("environment"):
        variable = said["environment"]
        if variable not in given.source.environment:
            raise given.refuse("environment", f"the variable {variable} is not set", **where)
        return given.source.environment[variable].encode()
    if not said.get("file"):
        raise given.refuse("external", "there is no swarm that has it", "give its file", **where)
    try:
        return read(said["file"])
    except OSError as error:
        raise given.refuse("file", f"{said['file']} cannot be read: {error.strerror}", **where) from error


def _healthcheck(given: Given) -> HealthCheck | None:
    check: Mapping[str, Any] = given.service.get("healthcheck") or {}
    if not check:
        return None
    if check.get("disable"):
        return HealthCheck(("NONE",))
    given.only("healthcheck", check, {"test", "interval", "timeout", "start_period", "retries", "disable"})
    times = {name: seconds(check[name]) for name in ("interval", "timeout", "start_period") if check.get(name)}
    # Without a test, only the times are other than the image's.
    return HealthCheck(tuple(check.get("test") or ()), retries=int(check.get("retries") or 0), **times)


def _limits(given: Given) -> Limits:
    service, deploy = given.service, given.service.get("deploy") or {}
    given.only("deploy", deploy, {"resources", "replicas"})
    if deploy.get("replicas", 1) != 1:
        raise given.refuse("deploy.replicas", "a service of a group is one container", "define several services")
    resources: Mapping[str, Any] = deploy.get("resources") or {}
    given.only("deploy.resources", resources, {"limits"})
    limits: Mapping[str, Any] = resources.get("limits") or {}
    given.only("deploy.resources.limits", limits, {"cpus", "memory", "pids"})
    return Limits(
        memory=int(limits.get("memory") or service.get("mem_limit") or 0),
        cpus=float(limits.get("cpus") or service.get("cpus") or 0),
        pids=int(limits.get("pids") or service.get("pids_limit") or 0),
    )


def _build(given: Given) -> Build | None:
    build = given.service.get("build")
    if build is None:
        return None
    given.only("build", build, {"context", "dockerfile", "args", "target"})
    args = {key: str(value) for key, value in (build.get("args") or {}).items() if value is not None}
    return Build(build["context"], build.get("dockerfile") or "Dockerfile", args, build.get("target") or "")


def _space(given: Given, key: str) -> str:
    mode = str(given.service[key])
    if mode.startswith(("service:", "container:")):
        raise given.refuse(key, "it cannot be shared with another container")
    return mode


def _words(value: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if value is None else tuple(value)
