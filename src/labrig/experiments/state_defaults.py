"""What a lab host's state says about an application's settings: the layers below those that its own file gives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from labrig import yaml_file
from labrig.errors import UsageError
from labrig.experiments import labtest
from labrig.experiments.configuration import Source
from labrig.experiments.secrets import KMS, SEALED
from labrig.experiments.state import State, Value
from labrig.project_file import way

EXPERIMENT = "/experiment"
SERVICES = "/services/docker"
SECRETS = "/secrets"
# Where these come from decides which state is asked.
_OWN = ("host", "app", "ssh_config")
# Where a developer's token and values go, and what runs on their machine.
_OF_DEVELOPERS = ("address", "endpoint", "namespace", "password_file")


def layers(state: State, source: Source, host: str, app: str, name: str) -> list[Source]:
    """Return what holds where an application's file says nothing, the most general first.

    Of ``/services/docker/KIND/APP``, what a service's container is made of; of ``/secrets``, what seals secrets; of
    ``/experiment/APP/NAME``, any option.

    Whoever can write a state must not get what a developer's rights open: it names no server that these are shown to,
    and no program, and none of its sealed values is opened by its own say-so.

    Args:
        state: The lab host's.
        source: The application's file.
        host: The lab host, for messages.
        app: The application.
        name: The experiment.

    Raises:
        UsageError: A value is no mapping, or holds what may not stand there.
        EnvironmentFailed: The state cannot be asked.
    """
    found = [*_services(state, source, host, app)]
    general = state.find(f"{EXPERIMENT}/{app}/{name}")
    if general is not None:
        told = _mapping(general, host)
        own = next((key for key in _OWN if key in told), None)
        if own is not None:
            raise UsageError(f"{_where(general, host)}: {own} is the application's own, and not for a lab host's state")
        found.append(_source(general, host, told))
    if "secrets" in source.options:
        # Half of one provider and half of another would be neither.
        return [_without_secrets(one) for one in found]
    for one in found:
        _check_nothing_sealed(one)
    if not any("secrets" in one.options for one in found) and (sealing := state.find(SECRETS)) is not None:
        found.insert(0, _secrets(sealing, host))
    for one in found:
        _check_secrets(one)
    return found


def _services(state: State, source: Source, host: str, app: str) -> Iterator[Source]:
    services = source.options.get("services")
    for name, told in services.items() if isinstance(services, Mapping) else ():
        # Of a server of others, nothing of what it is made of can be said.
        if not isinstance(told, Mapping) or told.get("provision", "independent") != "independent":
            continue
        value = state.find(f"{SERVICES}/{told.get('service')}/{app}")
        if value is not None:
            given = _mapping(value, host)
            named = {labtest.OPTIONS_OF_SERVICE.get(key, key): key for key in given}
            options = {"services": {name: {ours: given[theirs] for ours, theirs in named.items()}}}
            ways: dict[labtest.Way, labtest.Way] = {("services", name): ()}
            ways |= {("services", name, ours): (theirs,) for ours, theirs in named.items()}
            yield _source(value, host, options, ways)


def _secrets(value: Value, host: str) -> Source:
    """Return what seals secrets; LabTest's own words for KMS are known."""
    told = _mapping(value, host)
    ways: dict[labtest.Way, labtest.Way] = {("secrets",): ()}
    if told.get("provider") == "aws":
        options = told.get("options")
        if told.get("service") != "kms" or not isinstance(options, Mapping):
            raise UsageError(f"{_where(value, host)}: of aws, service kms seals secrets, with options key_id")
        told = {"provider": KMS, **{"key" if key == "key_id" else key: one for key, one in options.items()}}
        ways |= {("secrets", key): ("options", "key_id" if key == "key" else key) for key in told}
    return _source(value, host, {"secrets": told}, ways)


def _check_secrets(one: Source) -> None:
    """Refuse what decides whom a developer's rights are shown to."""
    told = one.options.get("secrets")
    for key in _OF_DEVELOPERS:
        if isinstance(told, Mapping) and key in told:
            raise UsageError(
                f"{_place(one, ('secrets', key))}: not for a lab host's state: with it, a developer's rights could be"
                " had by whoever can write there",
                hint="it belongs into secrets in the application's own file, or into the developer's environment",
            )


def _check_nothing_sealed(one: Source) -> None:
    """Refuse sealed values, which are opened with a developer's rights."""
    services = one.options.get("services")
    places: list[tuple[labtest.Way, Any]] = [(("environment",), one.options.get("environment"))]
    for name, told in services.items() if isinstance(services, Mapping) else ():
        if isinstance(told, Mapping):
            places.append((("services", name, "environment"), told.get("environment")))
    for steps, variables in places:
        entries: Iterable[tuple[str | int, Any]] = ()
        if isinstance(variables, Mapping):
            entries = variables.items()
        elif isinstance(variables, list):
            entries = enumerate(variables)
        for entry, text in entries:
            if SEALED.search(str(text)):
                raise UsageError(
                    f"{_place(one, (*steps, entry))}: a sealed value of a lab host's state is opened only where the"
                    " application's own file has secrets",
                    hint="with secrets in labrig.yml the application says itself what opens it",
                )


def _place(one: Source, steps: labtest.Way) -> str:
    own = one.own_way(steps)
    return f"{one.path}:{one.line(own)}: {way(own)}"


def _mapping(value: Value, host: str) -> dict[str, Any]:
    return yaml_file.parse_mapping(value.text, _where(value, host))


def _where(value: Value, host: str) -> Path:
    return Path(f"state of {host}:{value.key}")


def _source(
    value: Value, host: str, options: Mapping[str, Any], ways: Mapping[labtest.Way, labtest.Way] | None = None
) -> Source:
    return Source(_where(value, host), value.text, "", options, ways or {}, is_yaml=True)


def _without_secrets(one: Source) -> Source:
    options = {key: value for key, value in one.options.items() if key != "secrets"}
    return Source(one.path, one.text, one.section, options, one.ways, is_yaml=one.is_yaml)
