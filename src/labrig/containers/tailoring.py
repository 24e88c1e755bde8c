"""Fitting a user's unmodified sample file to a test: what is substituted in its parsed model, shown as a diff.

All of it is values in, values out. Models are those of ``engine.compose``, or of ``docker stack config``, which has the
same keys. What a test asks for and the file does not have is an error, so that a sample that changes cannot turn a
substitution into nothing unseen.
"""

from __future__ import annotations

import copy
import difflib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from labrig.containers import dockerfile
from labrig.containers.context import Content
from labrig.engine.compose import Model, nearest
from labrig.errors import UsageError

PARTS = ("networks", "volumes", "secrets", "configs")
# The name space of images that are labrig's to remove.
BUILT = "labrig/test/"
FREE = None
"""As a port: whichever the engine has free."""


@dataclass(frozen=True)
class Build:
    """A build context in the place of a sample's; ``dockerfile`` is a path within it, None keeps the sample's."""

    context: Path
    dockerfile: str | None = None


@dataclass(frozen=True)
class Tailoring:
    """What a test changes of a sample file.

    Attributes:
        images: Image of the sample to image of the test; also in ``FROM`` of Dockerfiles that the sample builds.
        external_ports: Host port of the sample to host port of the test, ``FREE`` for one that the engine has free.
            What is not named gets a free one as well; a port that has to stay is mapped to itself.
        host_paths: Path on the host, as the sample writes it, to that of the test; also for everything below it.
        builds: Path of a build context, as the sample writes it, to that of the test.
        files: Path of a build context, as the sample writes it, to files that are added to a copy of it: name there
            to content, or to the file that it is a copy of.
        texts: Text to text, in every value of the file, before anything else.
    """

    images: Mapping[str, str] = field(default_factory=dict)
    external_ports: Mapping[int, int | None] = field(default_factory=dict)
    host_paths: Mapping[str, str | Path] = field(default_factory=dict)
    builds: Mapping[str, Build | Path] = field(default_factory=dict)
    files: Mapping[str, Mapping[str, Content]] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Sample:
    """A sample file as it was read.

    Attributes:
        file: Where it stands; messages name it.
        directory: The folder that its relative paths start from.
        model: Its normal form.
        dockerfiles: The text of each Dockerfile by its absolute path: the sample's, and those of substituted contexts.
    """

    file: Path
    directory: Path
    model: Model
    dockerfiles: Mapping[Path, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ContextCopy:
    """A build context that has to be copied from ``source`` to ``target``, with ``files`` added."""

    source: Path
    target: Path
    files: Mapping[str, Content]


@dataclass(frozen=True)
class Tailored:
    """A sample fitted to a test: its model, the contexts to copy first, and what changed as a unified diff."""

    model: Model
    copies: tuple[ContextCopy, ...]
    diff: str


def tailor(sample: Sample, how: Tailoring, *, project: str, room: Path) -> Tailored:
    """Fit a sample to a test.

    Beside what ``how`` says, fixed names of containers, networks, volumes, secrets, configs and images that are built
    give way to names of the project, so that two tests can run the same sample at once; a container can still be
    reached by its old name.

    Args:
        sample: What the user has.
        how: What the test changes.
        project: What Compose calls this composition.
        room: A folder for copies of build contexts.

    Raises:
        UsageError: The sample does not have what is to be substituted; the message names what it has.
    """
    model = copy.deepcopy(sample.model)
    work = _Work(sample, model)
    work.texts(how.texts)
    work.host_paths(how.host_paths)
    copies = work.builds(how.builds, how.files, room)
    work.images(how.images)
    work.external_ports(how.external_ports)
    work.names(project)
    return Tailored(model, copies, diff(sample.model, model, sample.file))


def diff(before: Model, after: Model, file: Path) -> str:
    """Return what is different between two models as a unified diff of their YAML; empty where nothing is."""
    old, new = (yaml.safe_dump(model, default_flow_style=False).splitlines() for model in (before, after))
    lines = difflib.unified_diff(old, new, str(file), f"{file} (tailored)", lineterm="")
    return "".join(f"{line}\n" for line in lines)


def owned(model: Model, labels: Callable[[str], Mapping[str, str]], *, swarm: bool = False) -> Model:
    """Return a model in which everything that will be made carries the labels of its owner.

    Args:
        model: A tailored model; what is external in it is not made, and gets none.
        labels: Labels for one kind of thing: ``test`` for containers, ``network``, ``volume``, ``test-image``, and in a
            swarm ``service``, ``secret`` and ``config``.
        swarm: The model is a stack.
    """
    mine = copy.deepcopy(model)
    for service in mine["services"].values():
        service["labels"] = _labels(service.get("labels")) | dict(labels("test"))
        if swarm:
            deploy = service.setdefault("deploy", {})
            deploy["labels"] = _labels(deploy.get("labels")) | dict(labels("service"))
        elif "build" in service:
            build = service["build"]
            build["labels"] = _labels(build.get("labels")) | dict(labels("test-image"))
    # Compose alone mounts secrets and configs as files; only in a swarm they are things of the engine.
    for part, kind in zip(PARTS if swarm else PARTS[:2], ("network", "volume", "secret", "config"), strict=False):
        for name, thing in (mine.get(part) or {}).items():
            if not (thing or {}).get("external"):
                mine[part][name] = (thing or {}) | {"labels": _labels((thing or {}).get("labels")) | dict(labels(kind))}
    return mine


def canonical(image: str) -> str:
    """Return the one full name of an image that can be written in several ways.

    >>> canonical("nginx"), canonical("docker.io/library/nginx:latest")
    ('nginx:latest', 'nginx:latest')
    """
    name = image.removeprefix("docker.io/").removeprefix("library/")
    return name if "@" in name or ":" in name.rpartition("/")[2] else f"{name}:latest"


class _Work:
    """One model on its way from a sample to what a test runs; each method is one kind of change, made in place."""

    def __init__(self, sample: Sample, model: Model) -> None:
        self._sample = sample
        self._model = model
        self._services: dict[str, dict[str, Any]] = model["services"]
        self._copies: dict[Path, ContextCopy] = {}

    def texts(self, texts: Mapping[str, str]) -> None:
        found: set[str] = set()
        for part in ("services", *PARTS):
            self._model[part] = _replaced(self._model.get(part) or {}, texts, found)
        self._services = self._model["services"]
        self._expect(texts, found, "text", ())

    def host_paths(self, paths: Mapping[str, str | Path]) -> None:
        wanted = {name: self._absolute(name) for name in paths}
        found: set[str] = set()
        known: set[str] = set()
        for holder, key in _host_paths(self._model):
            known.add(holder[key])
            # The longest first: what is said of a folder holds below it, unless more is said.
            for name in sorted(wanted, key=lambda n: len(str(wanted[n])), reverse=True):
                if Path(holder[key]).is_relative_to(wanted[name]):
                    below = Path(holder[key]).relative_to(wanted[name])
                    holder[key] = _clean(Path(paths[name]) / below)
                    found.add(name)
                    break
        self._expect(paths, found, "host path", known)

    def builds(
        self,
        builds: Mapping[str, Build | Path],
        files: Mapping[str, Mapping[str, Content]],
        room: Path,
    ) -> tuple[ContextCopy, ...]:
        found: dict[str, set[str]] = {"build context": set(), "build context for files": set()}
        known = {str(service["build"]["context"]) for service in self._services.values() if "build" in service}
        for service in self._services.values():
            if "build" not in service:
                continue
            build = service["build"]
            written = Path(build["context"])
            for name, other in builds.items():
                if self._absolute(name) == written:
                    found["build context"].add(name)
                    chosen = other if isinstance(other, Build) else Build(other)
                    build["context"] = _clean(chosen.context)
                    if chosen.dockerfile is not None:
                        build["dockerfile"] = chosen.dockerfile
            for name, added in files.items():
                if self._absolute(name) == written:
                    found["build context for files"].add(name)
                    source = Path(build["context"])
                    target = room / f"context-{len(self._copies) + 1}"
                    build["context"] = str(self._copies.setdefault(source, ContextCopy(source, target, added)).target)
        self._expect(builds, found["build context"], "build context", known)
        self._expect(files, found["build context for files"], "build context", known)
        return tuple(self._copies.values())

    def images(self, images: Mapping[str, str]) -> None:
        found: set[str] = set()
        known: set[str] = set()
        for service in self._services.values():
            if "build" in service:
                found |= self._images_of_build(service["build"], images, known)
            elif service.get("image"):
                known.add(service["image"])
                for name, image in images.items():
                    if canonical(name) == canonical(service["image"]):
                        found.add(name)
                        service["image"] = image
                        # What a test has made is in no registry.
                        service.pop("pull_policy", None)
                        break
        self._expect(images, found, "image", known)

    def _images_of_build(self, build: dict[str, Any], images: Mapping[str, str], known: set[str]) -> frozenset[str]:
        text = self._dockerfile(build)
        args = {key: str(value) for key, value in (build.get("args") or {}).items()}
        there = dockerfile.images(text, args)
        known.update(there)
        # The names of the test, in the way that this Dockerfile writes them.
        wanted = {one: name for one in there for name in images if canonical(one) == canonical(name)}
        if wanted:
            others = {one: images[name] for one, name in wanted.items()}
            build.pop("dockerfile", None)
            build["dockerfile_inline"] = dockerfile.substituted(text, others, args)
        return frozenset(wanted.values())

    def _dockerfile(self, build: Mapping[str, Any]) -> str:
        if "dockerfile_inline" in build:
            return str(build["dockerfile_inline"])
        context, name = Path(build["context"]), str(build.get("dockerfile", "Dockerfile"))
        for copied in self._copies.values():
            if copied.target == context:
                added = copied.files.get(name)
                if isinstance(added, str):
                    return added
                context = copied.source
        return self._sample.dockerfiles.get(context / name, "")

    def external_ports(self, ports: Mapping[int, int | None]) -> None:
        found: set[int] = set()
        known: set[str] = set()
        for service in self._services.values():
            for port in service.get("ports") or ():
                written = str(port.get("published") or "")
                if not written:
                    continue
                known.add(written)
                other = ports.get(int(written)) if written.isdigit() else FREE
                if written.isdigit() and int(written) in ports:
                    found.add(int(written))
                if other is FREE:
                    del port["published"]
                else:
                    # Compose writes a text, a stack a number.
                    port["published"] = type(port["published"])(other)
        self._expect([str(port) for port in ports], {str(port) for port in found}, "external port", known)

    def names(self, project: str) -> None:
        for service in self._services.values():
            name = service.pop("container_name", None)
            if name:
                _alias(service, name)
        self._built(project)
        for part in PARTS:
            for key, thing in (self._model.get(part) or {}).items():
                if thing and thing.get("name") and not thing.get("external"):
                    thing["name"] = f"{project}_{key}"

    def _built(self, project: str) -> None:
        """Give images that are built names of their own, also where another service uses them."""
        built = {
            canonical(service["image"]): f"{BUILT}{project}-{name}"
            for name, service in self._services.items()
            if "build" in service and service.get("image")
        }
        for name, service in self._services.items():
            if service.get("image"):
                service["image"] = built.get(canonical(service["image"]), service["image"])
            elif "build" in service:
                service["image"] = f"{BUILT}{project}-{name}"

    def _absolute(self, path: str) -> Path:
        return Path(_clean(self._sample.directory / path))

    def _expect(self, asked: Iterable[str], found: Iterable[str], what: str, known: Iterable[str]) -> None:
        """Raise for what was asked for and not found."""
        missing = [str(name) for name in asked if name not in found]
        if not missing:
            return
        there = sorted(map(str, known))
        listed = f"; there are: {', '.join(there)}" if there else ""
        raise UsageError(
            f"{self._sample.file}: nothing here has the {what} {missing[0]!r} that is to be substituted{listed}",
            hint=nearest(missing[0], there),
        )


def _host_paths(model: Model) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield every place in a model that holds a path on the host, as a mapping and a key of it."""
    for service in model["services"].values():
        for volume in service.get("volumes") or ():
            if volume.get("type") == "bind":
                yield volume, "source"
    for part in ("secrets", "configs"):
        for thing in (model.get(part) or {}).values():
            if thing and thing.get("file"):
                yield thing, "file"
    for volume in (model.get("volumes") or {}).values():
        options = (volume or {}).get("driver_opts") or {}
        if str(options.get("device", "")).startswith("/"):
            yield options, "device"


def _alias(service: dict[str, Any], name: str) -> None:
    """Let a service be reached by a name on each of its networks; on those of other services it has none anyway."""
    networks = service.get("networks")
    if isinstance(networks, Mapping):
        for network, given in networks.items():
            aliases: Sequence[str] = (given or {}).get("aliases") or ()
            service["networks"][network] = (given or {}) | {"aliases": sorted({*aliases, name})}


def _replaced(value: Any, texts: Mapping[str, str], found: set[str]) -> Any:
    if isinstance(value, str):
        for text, other in texts.items():
            if text in value:
                found.add(text)
                value = value.replace(text, other)
        return value
    if isinstance(value, Mapping):
        return {key: _replaced(part, texts, found) for key, part in value.items()}
    if isinstance(value, list):
        return [_replaced(part, texts, found) for part in value]
    return value


def _clean(path: Path) -> str:
    # Compose takes `..` out of a path without a look at links, and so must what is compared with its paths.
    return os.path.abspath(path)  # noqa: PTH100


def _labels(given: Any) -> dict[str, str]:
    """Return labels as a mapping; a list of ``key=value`` is allowed in some places of a normal form."""
    if isinstance(given, Mapping):
        return {str(key): str(value) for key, value in given.items()}
    return dict(item.partition("=")[::2] for item in given or ())
