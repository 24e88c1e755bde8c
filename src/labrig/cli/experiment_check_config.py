"""``labrig experiment check-config``: every setting that holds, and what an experiment of a branch is called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import yaml
from pydantic import BaseModel

from labrig.cli.console import out, words, write_json
from labrig.cli.options import project_option
from labrig.errors import UsageError
from labrig.experiments import configuration, kept, naming, sealing, secrets, wanting
from labrig.experiments.secrets import PublicKey
from labrig.experiments.settings import Settings

_UNITS = {"d": 86400, "h": 3600, "m": 60}


@click.command("check-config")
@project_option
@click.option("--branch", metavar="BRANCH", help="Also tell what an experiment of this branch is called.")
@click.option("--name", metavar="NAME", help="The experiment's name [default: made of the branch].")
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path), metavar="FILE", help="Write all of it as JSON; - is stdout."
)
def check_config(*, project: Path, branch: str | None, name: str | None, json_file: Path | None) -> None:
    """Check the settings, and print every one that holds, also those that nobody set.

    They are section `experiment` of labrig.yml, or LabTest's own file, in the project's folder or the nearest above.
    """
    if name is not None and branch is None:
        raise UsageError("--name needs --branch")
    source, settings = configuration.read(project)
    content = {"file": str(source.path), "settings": _shown(settings)}
    if branch is not None:
        content["experiment"] = _called(settings, branch, name)
    sealed = _sealed(source, settings)
    if sealed:
        content["sealed"] = sealed
    words.print(f"{source.path} is valid", markup=False)
    if json_file is not None:
        write_json(content, json_file)
        return
    del content["file"]
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    out.print(text.rstrip(), markup=False, soft_wrap=True)


def _called(settings: Settings, branch: str, name: str | None) -> dict[str, Any]:
    """Return what an experiment of a branch is called."""
    naming.checked_branch(branch)
    chosen = naming.label(branch) if name is None else naming.checked_name(name, "--name")
    what = wanting.identity(settings, branch, chosen, release="")
    names = what.names
    return {
        "name": chosen,
        "host": what.virtual_host,
        "url": kept.of(settings, what).url,
        "folder": names.folder,
        "network": names.network,
        "services": {one: names.service(one) for one in settings.services},
    }


def _sealed(source: configuration.Source, settings: Settings) -> dict[str, list[str]]:
    """Return who can open each variable that is sealed."""
    found = {}
    sealer = sealing.provider(settings.secrets, home=Path.home(), folder=source.path.parent)
    places = {"environment": settings.environment}
    places |= {f"services.{name}.environment": one.environment for name, one in settings.services.items()}
    for place, variables in places.items():
        for name, text in variables.items():
            for part in secrets.sealed_parts(text):
                try:
                    found[f"{place}.{name}"] = sealing.openers(part, sealer, settings.secrets)
                except ValueError as error:
                    where = f"{source.path}:{source.line(source.own_way((*place.split('.'), name)))}"
                    raise UsageError(
                        f"{where}: {place}.{name}: ENC[...] is {error}", hint="labrig experiment encrypt seals values"
                    ) from error
    return found


def _time(value: timedelta | None) -> str:
    if value is None:
        return "never"
    seconds = value.total_seconds()
    unit = next((unit for unit, size in _UNITS.items() if seconds % size == 0), "s")
    return f"{seconds / _UNITS.get(unit, 1):g}{unit}"


# Options whose values a person writes, or may see, otherwise than they are kept.
_WORDS: Mapping[str, Callable[[Any], Any]] = {
    "host": lambda value: value[0] if len(value) == 1 else list(value),
    "memory": lambda value: value.human_readable(),
    "users": lambda value: dict.fromkeys(value, "(set)"),
    "secrets": lambda value: {name: _shown(getattr(value, name)) for name in value.options},
    "expires": _time,
    "sleeps": _time,
}


def _shown(value: Any) -> Any:
    """Return settings as they stand in a file, without what is sealed and without hashes of passwords."""
    shown = value
    match value:
        case BaseModel():
            shown = {name: _WORDS.get(name, _shown)(getattr(value, name)) for name in type(value).model_fields}
        case dict():
            shown = {name: _shown(one) for name, one in value.items()}
        case tuple():
            shown = [_shown(one) for one in value]
        case timedelta():
            shown = _time(value)
        case PublicKey():
            shown = str(value)
        case str():
            shown = secrets.SEALED.sub("ENC[...]", value)
    return shown
