"""What there is of an experiment on its lab host: what to ask, and what the answers say."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from labrig.experiments import edge, record
from labrig.experiments.command import Command
from labrig.experiments.naming import BRANCH, FILLING, RECORD, SERVICE, SLOT, VERSION, Names, unit
from labrig.experiments.record import Record
from labrig.experiments.standing import Container, Service, Standing

_ENABLED = "/etc/systemd/system/multi-user.target.wants"
_NAME = r"%f\n"


@dataclass(frozen=True)
class Looks:
    """The questions about one experiment, and what their answers say.

    Attributes:
        names: The experiment's.
        host: The host name that is wanted for it.
    """

    names: Names
    host: str

    @property
    def questions(self) -> dict[str, Command]:
        """What to ask, by the name of the answer in ``read``.

        Of what a deployment must never take for absent, the engine's objects and the edge's file, the question fails
        only where it could not be answered. All others may fail: what they ask for is not there, and is made again.
        """
        names = self.names
        filters = tuple(f"--filter=label={one}" for one in names.selectors)
        repository = names.image("").removesuffix(":")
        sure = {
            "containers": ("docker", "ps", "--all", "--no-trunc", *filters, _listed(*_STATE, of=_LABELS)),
            "volumes": ("docker", "volume", "ls", *filters, _listed("Name", of=(SERVICE, FILLING))),
            "networks": ("docker", "network", "ls", *filters, _listed("Name")),
            "images": ("docker", "image", "ls", f"--filter=reference={repository}", _listed("Tag")),
            "edge": ("find", edge.FOLDER, "-maxdepth", "1", "-name", f"{names.base}.conf", "-exec", "cat", "{}", "+"),
        }
        kept = ("experiment.json", "built", "hooked-*", "account-*", "connected-*")
        contents = (*(f"--include={one}" for one in kept), "--exclude-dir=code", "--exclude-dir=git")
        # Beside them may lie what a labrig-edge has not yet put in its place, or never did.
        among = ("--include=*.conf", "--exclude=.*")
        same_host = (*among, "--fixed-strings", "--line-regexp", f"--regexp=    server_name {self.host};")
        perhaps = {
            "files": ("grep", "--recursive", "--with-filename", "--no-messages", *contents, "", names.folder),
            # Environments are secret: that they are there is all that is asked.
            "environments": ("find", names.folder, "-maxdepth", "1", "-name", "environment-*", "-printf", _NAME),
            "folder": ("find", names.folder, "-maxdepth", "0", "-printf", _NAME),
            "code": ("git", f"--git-dir={names.git}", "rev-parse", "--verify", "--quiet", "HEAD"),
            "enabled": ("find", _ENABLED, "-name", unit(f"{names.base}--*"), "-printf", _NAME),
            "same_host": ("grep", "--no-messages", "--recursive", "--files-with-matches", *same_host, edge.FOLDER),
        }
        return {
            **{name: Command(argv) for name, argv in sure.items()},
            **{name: Command(argv, may_fail=True) for name, argv in perhaps.items()},
        }

    def read(self, answers: Mapping[str, str], *, healthy: frozenset[str] = frozenset()) -> Standing:
        """Return what there is.

        Args:
            answers: What each question's command printed; empty where it failed.
            healthy: The versions that answered as they should just now.
        """
        names = self.names
        containers = [_Row(*row) for row in _rows(answers["containers"])]
        files = dict(_files(answers["files"], names.folder))
        enabled = frozenset(answers["enabled"].split())
        told = noted(answers, names)
        routed = edge.read(answers["edge"])
        jobs = {row.name: row for row in containers if row.name in names.jobs}
        before = jobs.get(names.before_start)
        return Standing(
            branch=told.branch if told else next((row.branch for row in containers), ""),
            folder=bool(answers["folder"].strip()),
            code=answers["code"].strip(),
            built=files.get("built", ""),
            images=frozenset(str(row[0]) for row in _rows(answers["images"])),
            network=names.network in {row[0] for row in _rows(answers["networks"])},
            services=self._services(containers, answers["volumes"], files, enabled),
            environments=frozenset(
                line.removeprefix("environment-")
                for line in answers["environments"].split()
                # What was not yet in its place when a deployment was killed is no environment.
                if not line.endswith(".new")
            ),
            prepared=before.version if before and before.status.startswith("Exited (0)") else "",
            jobs=bool(jobs),
            containers={
                row.version: Container(
                    slot=int(row.slot),
                    running=row.state == "running",
                    healthy=row.state == "running" and row.version in healthy,
                    enabled=unit(row.name) in enabled,
                )
                for row in containers
                if row.slot
            },
            routed=routed.version if routed else "",
            asleep=routed.asleep if routed else False,
            host_taken_by=self._other(answers["same_host"]),
        )

    def _services(
        self, containers: list[_Row], volumes: str, files: Mapping[str, str], enabled: frozenset[str]
    ) -> dict[str, Service]:
        found: dict[str, Service] = {}

        def add(name: str, **changes: Any) -> None:
            found[name] = replace(found.get(name, Service()), **changes)

        for row in containers:
            if row.service:
                is_enabled = row.state == "running" and unit(row.name) in enabled
                add(row.service, has_server=True, made_of=_object(row.record) or None, enabled=is_enabled)
        for _, service, filling in _rows(volumes):
            add(service, filled_with=_object(filling))
        for name, text in files.items():
            kind, _, service = name.partition("-")
            if kind == "account":
                add(service, provision="shared", filled_with=_object(text))
            elif kind == "connected":
                told = _object(text)
                add(service, provision=told.get("provision"), has_server=True, made_of=told.get("record"))
            elif kind == "hooked":
                add(service, hooked=True)
        return {name: one for name, one in sorted(found.items()) if one.has_server or one.filled_with is not None}

    def _other(self, same_host: str) -> str:
        """Return whose virtual host has the wanted host name, if it is not this experiment's own."""
        own = f"{self.names.base}.conf"
        others = [path.rpartition("/")[2] for path in same_host.splitlines()]
        return next((one.removesuffix(".conf") for one in others if one != own), "")


def noted(answers: Mapping[str, str], names: Names) -> Record | None:
    """Return the record of the experiment of the same answers; None where it has none that can be read."""
    return record.read(dict(_files(answers["files"], names.folder)).get("experiment.json", ""))


def connected(answers: Mapping[str, str], names: Names) -> dict[str, str]:
    """Return the containers of others that the experiment's network leads to, by service, of the same answers."""
    files = dict(_files(answers["files"], names.folder))
    return {
        name.removeprefix("connected-"): str(_object(text).get("server", ""))
        for name, text in files.items()
        if name.startswith("connected-")
    }


_STATE = ("Names", "State", "Status")
_LABELS = (BRANCH, VERSION, SLOT, SERVICE, RECORD)


@dataclass(frozen=True)
class _Row:
    """A container in the answer, in the order of the question."""

    name: str
    state: str
    status: str
    branch: str
    version: str
    slot: str
    service: str
    record: str


def _listed(*fields: str, of: tuple[str, ...] = ()) -> str:
    """Return the option of Docker for a line of JSON for each object: fields, and values of labels."""
    words = [f"{{{{json .{one}}}}}" for one in fields]
    words += [f'{{{{json (.Label "{one}")}}}}' for one in of]
    return f"--format=[{','.join(words)}]"


def _rows(text: str) -> Iterator[list[str]]:
    for line in text.splitlines():
        if line.startswith("["):
            yield json.loads(line)


def _files(text: str, folder: str) -> Iterator[tuple[str, str]]:
    """Yield names and contents of files that have one line each."""
    for line in text.splitlines():
        path, _, content = line.partition(":")
        if path.startswith(f"{folder}/") and not path.endswith(".new"):
            yield path.removeprefix(f"{folder}/"), content


def _object(text: str) -> dict[str, Any]:
    """Return a JSON object; an empty one where it cannot be read."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
