"""What a deployment has to know of a lab host before it plans: asked for in one go, side by side."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network
from typing import TYPE_CHECKING

from labrig.errors import EnvironmentFailed
from labrig.experiments import branches, looking
from labrig.experiments.addresses import PREFIX, Addresses
from labrig.experiments.command import Command
from labrig.experiments.deployment import Recorded
from labrig.experiments.looking import Looks
from labrig.experiments.naming import ROOT, Names
from labrig.experiments.protocol import LATE, NOT_FOUND, REFUSED, Done
from labrig.experiments.record import Record
from labrig.experiments.running import Runner
from labrig.experiments.standing import Standing
from labrig.experiments.wanting import server_of_others

if TYPE_CHECKING:
    # A lab host has no pydantic.
    from labrig.experiments.settings import ServiceSettings, Settings


@dataclass(frozen=True)
class Server:
    """A server that is not the experiment's own.

    Attributes:
        container: Its container.
        running: It runs.
        environment: The variables that it was made with; they hold its password.
    """

    container: str
    running: bool = False
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Survey:
    """What there is.

    Attributes:
        standing: Of the experiment itself.
        record: Its record, if it has one that can be read.
        key: The secret that the passwords of its services are made of; empty where it has none yet.
        sealed: What was sealed in the settings that it was deployed with.
        subnet: Of its network, if it has one.
        connected: The containers of others that its network leads to, by service.
        dumps: The files among which each service's initial data are, and when they were changed, by service.
        servers: The servers of others that services are, by service.
        branches: Commits of the branches that were asked for; None where that was not.
    """

    standing: Standing
    record: Record | None = None
    key: str = field(default="", repr=False)
    sealed: tuple[str, ...] = field(default=(), repr=False)
    subnet: IPv4Network | None = None
    connected: Mapping[str, str] = field(default_factory=dict)
    dumps: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    servers: Mapping[str, Server] = field(default_factory=dict)
    branches: Mapping[str, str] | None = None


def survey(lab: Runner, names: Names, *, host: str, settings: Settings | None = None, branch: str = "") -> Survey:
    """Ask a lab host for all that there is of an experiment.

    Args:
        lab: The host.
        names: The experiment's.
        host: The host name that is wanted for it.
        settings: What is wanted; None asks for nothing that is not the experiment's own.
        branch: The branch whose commit is asked for; empty for none.

    Raises:
        EnvironmentFailed: Something could not be asked.
    """
    looks = Looks(names, host)
    own = looks.questions
    more = _questions(names, settings, branch)
    asked = {**{f"own {key}": one for key, one in own.items()}, **more}
    answers = lab.run_all(asked)
    for key, command in asked.items():
        answer = answers[key]
        # A repository that does not answer is told of below.
        if key != "branch" and is_unanswered(command, answer):
            raise EnvironmentFailed(
                f"{lab.host} cannot tell what there is of {names.app}/{names.name}: {command.argv[0]} ended with"
                f" {answer.code}: {answer.err.strip()[-200:]}"
            )
    texts = {key: answers[f"own {key}"].out for key in own}
    standing, connected = looks.read(texts), looking.connected(texts, names)
    if settings is not None:
        standing = _with_ways(standing, connected, answers["attached"].out.split())
    return Survey(
        standing=standing,
        record=looking.noted(texts, names),
        key=answers["key"].out.strip(),
        sealed=_texts(answers["sealed"].out),
        subnet=_subnet(answers["subnet"]),
        connected=connected,
        dumps={name: _times(answers[f"dumps {name}"]) for name in _filled(settings)},
        servers={
            name: _server(container, answers[f"server {name}"]) for name, container in _others(names, settings).items()
        },
        branches=branches.reached(answers["branch"], settings.repository, lab.host) if settings and branch else None,
    )


def is_unanswered(command: Command, done: Done) -> bool:
    """Tell whether a question could not be asked: then what it asks for may be there or not."""
    return done.code in {LATE, REFUSED, NOT_FOUND} or (done.code != 0 and not command.may_fail)


def existing(lab: Runner, app: str) -> list[str]:
    """Return the names of an application's experiments."""
    found = lab.run(Command(("find", f"{ROOT}/{app}", "-mindepth", "1", "-maxdepth", "1", "-printf", r"%f\n")))
    return sorted(found.out.split())


def as_found(names: Names, found: Survey) -> Recorded:
    """Return what the commands need to know that remove what there is of an experiment."""
    noted = found.record or Record(found.standing.branch, "", "", "", "")
    # Nothing that is removed depends on the addresses, so it does not matter that the network may be gone already.
    addresses = Addresses(found.subnet or IPv4Network(f"192.0.2.0/{PREFIX}"))
    return Recorded(names, noted, addresses, found.connected)


def with_healthy(found: Survey, version: str) -> Survey:
    """Return a survey in which a version is known to answer as it should."""
    containers = dict(found.standing.containers)
    containers[version] = replace(containers[version], healthy=True)
    return replace(found, standing=replace(found.standing, containers=containers))


def _questions(names: Names, settings: Settings | None, branch: str) -> dict[str, Command]:
    found = {
        "key": ("grep", "--no-messages", "", names.key),
        "sealed": ("grep", "--no-messages", "", names.sealed),
        "subnet": (
            *("docker", "network", "inspect", "--format={{range .IPAM.Config}}{{.Subnet}} {{end}}"),
            names.network,
        ),
    }
    if settings is not None:
        attached = "--format={{range .Containers}}{{.Name}} {{end}}"
        found["attached"] = ("docker", "network", "inspect", attached, names.network)
    for name, service in _filled(settings).items():
        found[f"dumps {name}"] = (
            *("find", "-L", str(service.initial_data), "-maxdepth", "1", "-type", "f"),
            *("-printf", r"%T@ %p\n"),
        )
    for name, container in _others(names, settings).items():
        asked = "--format=[{{json .State.Running}},{{json .Config.Env}}]"
        found[f"server {name}"] = ("docker", "container", "inspect", asked, container)
    commands = {key: Command(argv, may_fail=True) for key, argv in found.items()}
    if settings and branch:
        commands["branch"] = branches.question(settings.repository, branch)
    return commands


def _filled(settings: Settings | None) -> dict[str, ServiceSettings]:
    services = settings.services if settings else {}
    return {name: one for name, one in services.items() if one.initial_data}


def _others(names: Names, settings: Settings | None) -> dict[str, str]:
    services = settings.services if settings else {}
    return {
        name: server_of_others(name, one, names) for name, one in services.items() if one.provision != "independent"
    }


def _with_ways(standing: Standing, connected: Mapping[str, str], attached: Collection[str]) -> Standing:
    """Return what there is without the ways to servers of others that have been made anew since, and lead nowhere.

    Args:
        standing: What there is, by its files.
        connected: The containers that its network is to lead to, by service.
        attached: Those that it leads to.
    """
    services = {
        name: replace(one, has_server=False, made_of=None)
        if one.provision != "independent" and connected.get(name) not in attached
        else one
        for name, one in standing.services.items()
    }
    return replace(standing, services=services)


def _subnet(done: Done) -> IPv4Network | None:
    words = done.out.split()
    return IPv4Network(words[0], strict=False) if done.code == 0 and words else None


def _texts(text: str) -> tuple[str, ...]:
    """Return a list of JSON; an empty one where it cannot be read."""
    try:
        return tuple(map(str, json.loads(text)))
    except (TypeError, ValueError):
        return ()


def _times(done: Done) -> dict[str, float]:
    """Return times of change by path."""
    rows = (line.partition(" ") for line in done.out.splitlines())
    return {path: float(time) for time, _, path in rows}


def _server(container: str, done: Done) -> Server:
    if done.code:
        return Server(container)
    running, variables = json.loads(done.out)
    pairs = (one.partition("=") for one in variables or ())
    return Server(container, running=running, environment={name: value for name, _, value in pairs})
