"""Containers, images, networks and volumes of an engine that runs on the machine, as its interface tells them.

Docker's and Podman's service speak the same HTTP on a socket. An engine that does not run is not started by looking.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import socket
import time
from typing import TYPE_CHECKING, Any

from labrig.state.probe.machine import Unreadable
from labrig.state.probe.masking import looks_secret, masked, masked_inside
from labrig.state.probe.servers import running
from labrig.state.probe.text import written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from labrig.state.probe.machine import Entries, Machine, Value

# Program to the sockets that its interface is on, and the prefix of its keys.
ENGINES = (
    (("dockerd",), ("docker.sock",), ""),
    (("podman",), ("podman.sock",), "podman "),
)

# In seconds, for all that one engine is asked.
LIMIT = 20
ANSWER_SIZE = 64 << 20

# What an engine's own folder holds besides the volumes, which deployments put files in.
OWN_FOLDERS = [
    "buildkit",
    "containerd",
    "containers",
    "image",
    "network",
    "overlay",
    "overlay2",
    "aufs",
    "btrfs",
    "devicemapper",
    "fuse-overlayfs",
    "vfs",
    "zfs",
    "plugins",
    "runtimes",
    "swarm",
    "tmp",
    "trust",
]

# Labels that say when and by which run something was made, or name what differs by nature.
PASSING_LABELS = re.compile(
    r"org\.labrig\.(created|expires|run)|com\.docker\.swarm\.(task|node)\b.*|com\.docker\.compose\.(image|version|replace)"
    r"|com\.docker\.compose\.project\.(working_dir|config_files)\.hash|org\.opencontainers\.image\.created"
)

# Docker makes up a name, from one of these and a scientist, where none is given.
MADE_UP = re.compile(
    "(admiring|adoring|affectionate|agitated|amazing|angry|awesome|beautiful|blissful|bold|boring|brave|busy|charming"
    "|clever|compassionate|competent|condescending|confident|cool|cranky|crazy|dazzling|determined|distracted|dreamy"
    "|eager|ecstatic|elastic|elated|elegant|eloquent|epic|exciting|fervent|festive|flamboyant|focused|friendly|frosty"
    "|funny|gallant|gifted|goofy|gracious|great|happy|hardcore|heuristic|hopeful|hungry|infallible|inspiring"
    "|intelligent|interesting|jolly|jovial|keen|kind|laughing|loving|lucid|magical|modest|musing|mystifying|naughty"
    "|nervous|nice|nifty|nostalgic|objective|optimistic|peaceful|pedantic|pensive|practical|priceless|quirky"
    "|quizzical|recursing|relaxed|reverent|romantic|sad|serene|sharp|silly|sleepy|stoic|strange|stupefied|suspicious"
    "|sweet|tender|thirsty|trusting|unruffled|upbeat|vibrant|vigilant|vigorous|wizardly|wonderful|xenodochial"
    "|youthful|zealous|zen)_[a-z]+[0-9]?"
)

# Docker takes a network's addresses from these where nobody says otherwise, in the order of creation.
AUTOMATIC = re.compile(r"172\.(1[7-9]|2\d|3[01])\.0\.0/16|192\.168\.\d+\.0/20|10\.8[89]\.\d+\.0/24")
BUILT_IN_NETWORKS = frozenset({"host", "none"})

LONG_ID = re.compile(r"[0-9a-f]{64}")


def read(machine: Machine) -> Entries:
    """Yield ``container NAME``, ``image NAME``, ``network NAME`` and ``volume NAME`` of every engine that runs.

    Raises:
        Unreadable: An engine runs that does not answer.
    """
    found: dict[str, Value] = {}
    problems = []
    for programs, sockets, prefix in ENGINES:
        try:
            servers = running(machine, programs)
        except Unreadable as problem:
            # Every command of Podman is a program of that name; only its service listens.
            if programs != ("podman",) or not machine.live:
                problems.append(str(problem))
            continue
        for server in servers:
            paths = [path for path in server.unix if path.endswith(sockets)]
            if not paths:
                problems.append(f"{server.program} listens on none of {', '.join(sockets)}")
                continue
            try:
                told = engine(machine, _Interface(paths[0]).get)
            except (OSError, http.client.HTTPException, ValueError, KeyError) as problem:
                problems.append(f"{server.program} at {paths[0]}: {problem}")
                continue
            found.update({prefix + key: value for key, value in told.items()})
    for key in sorted(found):
        yield written(key.encode("utf-8", "surrogateescape")), found[key]
    if problems:
        raise Unreadable("; ".join(problems))


def engine(machine: Machine, get: Callable[[str], Any]) -> dict[str, Value]:
    """Return all that an engine has; ``get`` returns what it answers for a path of its interface."""
    about = get("/info")
    folder = os.path.realpath(about.get("DockerRootDir") or "/var/lib/docker")
    for name in OWN_FOLDERS:
        machine.described[os.fsencode(f"{folder}/{name}")] = "container"
    # Docker's containerd keeps the rest in a folder of its own.
    machine.described[b"/var/lib/containerd"] = "container"
    images = get("/images/json")
    found = {**_images(machine, get, images), **_containers(machine, get, images)}
    for told in get("/networks"):
        if told["Name"] not in BUILT_IN_NETWORKS:
            found[f"network {told['Name']}"] = network(told)
    for told in get("/volumes").get("Volumes") or ():
        if not LONG_ID.fullmatch(told["Name"]):
            options = _masked_pairs(machine, told.get("Options") or {})
            found[f"volume {told['Name']}"] = _said(
                {"driver": told.get("Driver"), "options": options, "labels": _labels(told)}
            )
    swarm = about.get("Swarm") or {}
    if swarm.get("LocalNodeState", "inactive") not in ("inactive", ""):
        found["swarm"] = {"state": swarm["LocalNodeState"], "manager": bool(swarm.get("ControlAvailable"))}
    return found


def _images(machine: Machine, get: Callable[[str], Any], images: Iterable[Mapping[str, Any]]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for image in images:
        value: Value = {"image_id": image["Id"], **_said({"digest": digest(image), "labels": _labels(image)})}
        tags = _tags(image)
        if tags and "digest" not in value:
            value.update(_built(machine, get, image))
        found.update((f"image {tag}", value) for tag in tags)
    return found


def _built(machine: Machine, get: Callable[[str], Any], image: Mapping[str, Any]) -> Value:
    """Return what tells an image that was built on the machine from another one, as its number differs anyway.

    The steps are told by a hash: they hold the values of arguments, which may be secret.
    """
    try:
        config = get(f"/images/{image['Id']}/json").get("Config") or {}
        steps = [str(step.get("CreatedBy")) for step in get(f"/images/{image['Id']}/history")]
    except FileNotFoundError:
        return {}  # It went away while we looked.
    return _said(
        {
            "size": image.get("Size"),
            "definition": hashlib.sha256("\n".join(steps).encode("utf-8", "surrogateescape")).hexdigest()[:16],
            "command": [masked_inside(word) for word in _words(config.get("Entrypoint")) + _words(config.get("Cmd"))],
            "environment": _environment(machine, config.get("Env") or ()),
            "user": config.get("User", ""),
        }
    )


def _tags(image: Mapping[str, Any]) -> list[str]:
    return sorted(tag for tag in image.get("RepoTags") or () if tag != "<none>:<none>")


def _containers(machine: Machine, get: Callable[[str], Any], images: Iterable[Mapping[str, Any]]) -> dict[str, Value]:
    by_id = {image["Id"]: image for image in images}
    tags = {tag: image["Id"] for image in images for tag in _tags(image)}
    found: dict[str, Value] = {}
    unnamed: dict[str, list[Value]] = {}
    for listed in get("/containers/json?all=1"):
        try:
            told = get(f"/containers/{listed['Id']}/json")
        except FileNotFoundError:
            continue  # It went away while we looked.
        value = container(machine, told, by_id, tags)
        name = name_of(told)
        if name:
            found[f"container {name}"] = value
        else:
            unnamed.setdefault(value["image"], []).append(value)
    for image, values in unnamed.items():
        for place, value in enumerate(sorted(values, key=lambda value: json.dumps(value, sort_keys=True)), start=1):
            found[f"container without a name, of {image}" + (f", {place}" if place > 1 else "")] = value
    return found


def _said(value: Value) -> Value:
    """Return what a value says; what is empty or off says nothing."""
    return {name: held for name, held in value.items() if held not in (None, "", [], {}, False)}


def name_of(told: Mapping[str, Any]) -> str:
    """Return the name that somebody gave a container, "" if Docker made one up; a task of a service by its service."""
    labels = (told.get("Config") or {}).get("Labels") or {}
    name = str(told["Name"]).lstrip("/")
    task = labels.get("com.docker.swarm.task.id")
    if task:
        return name[: -len(task) - 1] if name.endswith("." + task) else name
    return "" if MADE_UP.fullmatch(name) else name


def digest(image: Mapping[str, Any]) -> str:
    """Return the digests that an image was pulled by, "" for one that was built or loaded here."""
    return ", ".join(sorted({name.rpartition("@")[2] for name in image.get("RepoDigests") or () if "@sha256:" in name}))


def container(
    machine: Machine, told: Mapping[str, Any], images: Mapping[str, Mapping[str, Any]], tags: Mapping[str, str]
) -> Value:
    """Return what is lasting of a container: what it is made from and told to do, and whether it runs."""
    config, host, state = told["Config"], told["HostConfig"], told["State"]
    image = images.get(told["Image"], {})
    named = config.get("Image") or told["Image"]
    if named.startswith("sha256:") or LONG_ID.fullmatch(named):
        named = min(_tags(image), default="an image without a name")
    means = tags.get(named if ":" in named.rpartition("/")[2] else named + ":latest")
    value: Value = {
        "image": named,
        "image_id": told["Image"],
        "digest": digest(image),
        # The name has been given to another image since: the container is not a new one.
        "image_outdated": means is not None and means != told["Image"],
        "state": state.get("Status", ""),
        "health": (state.get("Health") or {}).get("Status", ""),
        "command": [masked_inside(word) for word in _words(config.get("Entrypoint")) + _words(config.get("Cmd"))],
        "environment": _environment(machine, config.get("Env") or ()),
        "user": config.get("User", ""),
        "folder": config.get("WorkingDir", ""),
        "ports": sorted(
            f"{bound.get('HostIp') or '0.0.0.0'}:{bound.get('HostPort') or 'any'} to {port}"  # noqa: S104 - shown
            for port, bindings in (host.get("PortBindings") or {}).items()
            for bound in bindings or ()
        ),
        "mounts": sorted(_mount(mount) for mount in told.get("Mounts") or ()),
        "tmpfs": sorted(host.get("Tmpfs") or {}),
        "networks": sorted((told.get("NetworkSettings") or {}).get("Networks") or {}),
        "network_mode": _mode(host.get("NetworkMode", ""), told),
        "restart": _restart(host.get("RestartPolicy") or {}),
        "privileged": bool(host.get("Privileged")),
        "capabilities": sorted(
            [f"+{name}" for name in host.get("CapAdd") or ()] + [f"-{name}" for name in host.get("CapDrop") or ()]
        ),
        "security": sorted(host.get("SecurityOpt") or ()),
        "devices": sorted(
            f"{device['PathOnHost']} at {device['PathInContainer']}" for device in host.get("Devices") or ()
        ),
        "read_only": bool(host.get("ReadonlyRootfs")),
        "extra_hosts": sorted(host.get("ExtraHosts") or ()),
        "log_driver": (host.get("LogConfig") or {}).get("Type", ""),
        "limits": _limits(host),
        "labels": _labels(config),
    }
    if LONG_ID.match(str(config.get("Hostname", ""))) is None and not str(told["Id"]).startswith(
        config.get("Hostname") or "-"
    ):
        value["hostname"] = config.get("Hostname", "")
    if value["state"] == "exited":
        value["exit_code"] = state.get("ExitCode")
    return _said(value)


def network(told: Mapping[str, Any]) -> Value:
    """Return what somebody decided of a network; addresses that the engine chose are left out."""
    subnets = sorted(given["Subnet"] for given in (told.get("IPAM") or {}).get("Config") or () if given.get("Subnet"))
    options = {
        name: text for name, text in (told.get("Options") or {}).items() if name != "com.docker.network.bridge.name"
    }
    value: Value = {
        "driver": told.get("Driver"),
        "subnets": [subnet for subnet in subnets if not AUTOMATIC.fullmatch(subnet)],
        "internal": bool(told.get("Internal")),
        "attachable": bool(told.get("Attachable")),
        "ipv6": bool(told.get("EnableIPv6")),
        "options": options,
        "labels": _labels(told),
    }
    return _said(value)


def _labels(told: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: masked(text) if looks_secret(name) else masked_inside(text)
        for name, text in (told.get("Labels") or {}).items()
        if not PASSING_LABELS.fullmatch(name)
    }


def _environment(machine: Machine, variables: Iterable[str]) -> dict[str, str]:
    return _masked_pairs(machine, dict(variable.partition("=")[::2] for variable in variables))


def _masked_pairs(machine: Machine, pairs: Mapping[str, str]) -> dict[str, str]:
    shown = {}
    for name, text in pairs.items():
        if looks_secret(name):
            shown[name] = masked(text, machine.fingerprint(text).get("fingerprint", ""))
        else:
            own = machine.own_text(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")
            shown[name] = masked_inside(own)
    return shown


def _words(given: object) -> list[str]:
    return [given] if isinstance(given, str) else list(given or ())  # type: ignore[call-overload]


def _mount(mount: Mapping[str, Any]) -> str:
    source = mount.get("Name") or mount.get("Source", "")
    if LONG_ID.fullmatch(source):
        source = "a volume without a name"
    return f"{source} at {mount.get('Destination')}{'' if mount.get('RW', True) else ', read-only'}"


def _mode(mode: str, told: Mapping[str, Any]) -> str:
    networks = (told.get("NetworkSettings") or {}).get("Networks") or {}
    if mode in networks or mode == "default":
        return ""
    return "that of another container" if mode.startswith("container:") else mode


def _restart(policy: Mapping[str, Any]) -> str:
    name = policy.get("Name") or "no"
    most = policy.get("MaximumRetryCount")
    return f"{name}, at most {most} times" if most else name


def _limits(host: Mapping[str, Any]) -> dict[str, Any]:
    wanted = (
        "Memory",
        "MemorySwap",
        "MemoryReservation",
        "NanoCpus",
        "CpuShares",
        "CpuQuota",
        "CpusetCpus",
        "PidsLimit",
    )
    return {name: host[name] for name in wanted if host.get(name) not in (None, 0, "", -1)}


class _Interface:
    """The HTTP interface of an engine on a socket."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._end = time.monotonic() + LIMIT

    def get(self, place: str) -> Any:
        """Return what it answers, from JSON.

        Raises:
            FileNotFoundError: It knows nothing of that kind.
            OSError: It refuses, or gives no answer in time.
            ValueError: The answer is no JSON.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise OSError(f"it gave no answer within {LIMIT} s")
        connection = http.client.HTTPConnection("localhost", timeout=left)
        connection.sock = socket.socket(socket.AF_UNIX)
        try:
            connection.sock.settimeout(left)
            connection.sock.connect(self._path)
            connection.request("GET", place)
            answer = connection.getresponse()
            content = answer.read(ANSWER_SIZE)
        finally:
            connection.close()
        if answer.status == http.client.NOT_FOUND:
            raise FileNotFoundError(place)
        if answer.status != http.client.OK:
            raise OSError(f"it answers {answer.status} {answer.reason} for {place}")
        return json.loads(content)
