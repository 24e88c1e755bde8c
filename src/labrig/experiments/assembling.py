"""Out of settings and of what there is on the host: all that the commands of one experiment need to know."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Network

from labrig.errors import EnvironmentFailed, UsageError
from labrig.experiments import environment, kept, record, services
from labrig.experiments.addresses import PREFIX, Addresses
from labrig.experiments.deployment import Deployment, ServiceDeployment, labels
from labrig.experiments.environment import Identity
from labrig.experiments.naming import Names
from labrig.experiments.protocol import Hello
from labrig.experiments.secrets import Provider as Opener
from labrig.experiments.secrets import opened_all
from labrig.experiments.services import PROVIDERS, Credentials, Provider
from labrig.experiments.settings import ServiceSettings, Settings
from labrig.experiments.standing import Wanted
from labrig.experiments.survey import Server, Survey

NO_SUBNET = "ask who keeps the lab host for a larger range of subnets, or delete experiments"


@dataclass(frozen=True)
class Opened:
    """The variables of the settings with their secrets opened.

    Attributes:
        own: Of the experiment.
        services: Of each service's own container.
        secrets: What was sealed, which nobody may be shown; a part of a variable's value, where only that was.
    """

    own: Mapping[str, str] = field(default_factory=dict, repr=False)
    services: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)


def opened(settings: Settings, opener: Opener) -> Opened:
    """Return the variables of the settings with their secrets opened.

    Raises:
        UsageError: One cannot be opened; the message has its name, and the hint which keys could.
    """
    found, secret = {}, []

    def noted(sealed: bytes) -> bytes:
        value = opener.open(sealed)
        secret.append(value.decode(errors="replace"))
        return value

    for name, service in settings.services.items():
        try:
            found[name] = opened_all(service.environment, noted)
        except UsageError as error:
            raise UsageError(f"services.{name}.environment.{error.message}", hint=error.hint) from error
    try:
        own = opened_all(settings.environment, noted)
    except UsageError as error:
        raise UsageError(f"environment.{error.message}", hint=error.hint) from error
    return Opened(own, found, tuple(secret))


def assembled(
    settings: Settings,
    what: Identity,
    wanted: Wanted,
    found: Survey,
    hello: Hello,
    values: Opened,
    *,
    who: str,
    now: datetime,
) -> Deployment:
    """Return all that the commands of a deployment need to know.

    Args:
        settings: The application's.
        what: What the experiment is.
        wanted: What is wanted of it.
        found: What there is of it.
        hello: What the host said of itself.
        values: The variables of the settings.
        who: ``user@host`` that deploys it.
        now: The time.

    Raises:
        UsageError: A service of another experiment is wanted that is not there, or there are no initial data.
        EnvironmentFailed: The lab host has no server that is shared, or no subnet that is free.
    """
    noted = record.deployed(
        found.record,
        branch=what.branch,
        repository=settings.repository,
        who=who,
        now=now,
        stays=settings.expires,
        settings=kept.of(settings, what),
    )
    key = found.key or secrets.token_hex(32)
    made = {
        name: _service(name, one, what.names, wanted, found, key, values.services.get(name, {}))
        for name, one in settings.services.items()
    }
    told: dict[str, str] = {}
    for name, one in made.items():
        told |= PROVIDERS[one.settings.service].variables(name, name, one.credentials)
    return Deployment(
        identity=what,
        settings=settings,
        labels=labels(what.names, noted),
        addresses=Addresses(found.subnet or free_subnet(what.names, hello.range, hello.subnets)),
        record=noted,
        key=key,
        variables=environment.assembled(what, values.own, told),
        services=made,
        connected=found.connected,
        user=hello.user,
        # Until it is replaced, the version of before runs with what was sealed then.
        sealed=tuple(dict.fromkeys((*found.sealed, *values.secrets))),
    )


def unshown(found: Survey) -> tuple[str, ...]:
    """Return what nobody may be shown of what there is: its key, its services' passwords, and what was sealed."""
    if not found.key:
        return found.sealed
    return (found.key, *found.sealed, *(password(found.key, name) for name in found.standing.services))


def free_subnet(names: Names, of_range: str, used: tuple[str, ...]) -> IPv4Network:
    """Return a subnet out of a range that touches none that is in use.

    The search begins at a place that follows from the experiment's name: two that are made at the same time
    hardly ever find the same one.

    Raises:
        EnvironmentFailed: All are in use, or the range has not room for one.
    """
    whole = _range(of_range)
    taken = [IPv4Network(one, strict=False) for one in used if ":" not in one]
    taken = [one for one in taken if one.overlaps(whole)]
    count = 2 ** (PREFIX - whole.prefixlen)
    start = int.from_bytes(hashlib.sha256(names.base.encode()).digest()[:4]) % count
    for place in range(count):
        first = int(whole.network_address) + (start + place) % count * 2 ** (32 - PREFIX)
        subnet = IPv4Network((first, PREFIX))
        if not any(subnet.overlaps(one) for one in taken):
            return subnet
    raise EnvironmentFailed(f"no subnet of {of_range} is free for another experiment", hint=NO_SUBNET)


def _range(text: str) -> IPv4Network:
    try:
        whole = IPv4Network(text, strict=False)
    except ValueError:
        whole = None
    if whole is None or whole.prefixlen > PREFIX:
        raise EnvironmentFailed(
            f"the lab host's range of networks for experiments is {text!r}: expected one such as 10.213.0.0/16, with"
            f" room for a /{PREFIX}",
            hint="who keeps the lab host sets lab_host_networks",
        )
    return whole


def password(key: str, service: str) -> str:
    """Return the password of an experiment's service: the same each time, and no other service's."""
    return hmac.new(key.encode(), service.encode(), hashlib.sha256).hexdigest()[:32]


def of_server(provider: Provider, variables: Mapping[str, str]) -> Credentials:
    """Return who somebody is to a server that was made with variables.

    >>> of_server(PROVIDERS["postgresql"], {"POSTGRES_USER": "anna", "POSTGRES_DB": "shop"}).database
    'shop'
    """
    found = {what: variables[name] for name, what in provider.environment.items() if name in variables}
    return Credentials(found.get("user", ""), found.get("database", ""), found.get("password", ""))


def _service(
    name: str,
    one: ServiceSettings,
    names: Names,
    wanted: Wanted,
    found: Survey,
    key: str,
    own: Mapping[str, str],
) -> ServiceDeployment:
    provider = PROVIDERS[one.service]
    who = services.credentials(names, name, password(key, name))
    shape = wanted.services[name]
    dump = ""
    if one.provision == "independent":
        # Of what it is given itself the experiment has to be told, not of what it would have been given.
        who = of_server(provider, provider.container_environment(who, own))
        has_data = found.standing.services.get(name)
        is_filled = has_data is not None and dict(has_data.filled_with or {}) == shape.filling
        if one.initial_data and not (is_filled and has_data and has_data.has_server):
            dump = _dump(name, one, provider, found)
    else:
        server = found.servers[name]
        _check(name, one, server)
        if one.provision == "communal":
            who = of_server(provider, server.environment)
    return ServiceDeployment(
        settings=one, credentials=who, record=shape.record, filling=shape.filling, variables=own, dump=dump
    )


def _dump(name: str, one: ServiceSettings, provider: Provider, found: Survey) -> str:
    newest = services.newest(found.dumps[name], provider.loads)
    if newest is None:
        kinds = ", ".join(provider.loads) or "nothing at all"
        raise UsageError(
            f"services.{name}.initial_data: {one.initial_data} on the lab host is no dump, and has none in it",
            hint=f"{one.service} loads files whose names end with {kinds}; the host's user must be able to read it",
        )
    return newest


def _check(name: str, one: ServiceSettings, server: Server) -> None:
    if server.running:
        return
    why = "does not run" if server.environment else "is not there"
    if one.experiment:
        whose = f"{one.app or 'this application'}'s experiment {one.experiment}"
        raise UsageError(
            f"services.{name}: the service of {whose} ({server.container}) {why}",
            hint="`labrig experiment list` tells what there is",
        )
    raise EnvironmentFailed(
        f"services.{name}: the lab host's own {one.service} ({server.container}) {why}",
        hint=f"who keeps the lab host gives it one with role labrig.core.{one.service}",
    )
