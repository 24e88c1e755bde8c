"""``labrig experiment``: the settings of branches deployed on lab hosts."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import yaml
from pydantic import BaseModel

from labrig import yaml_file
from labrig.cli.console import out, words, write_json
from labrig.cli.options import project_option
from labrig.errors import EnvironmentFailed, UsageError
from labrig.experiments import configuration, naming, sealing, secrets, template, wanting
from labrig.experiments.secrets import PublicKey
from labrig.experiments.settings import SecretsSettings, Settings
from labrig.project_file import FILE

_UNITS = {"d": 86400, "h": 3600, "m": 60}


@click.group()
def experiment() -> None:
    """Branches on lab hosts: begin with their settings, check them, seal secrets."""


@experiment.command("check-config")
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


@experiment.command()
@project_option
def init(*, project: Path) -> None:
    """Write the section `experiment`, with every option and its meaning, into labrig.yml.

    A section that is there already stays as it is.
    """
    path = project / FILE
    before = ""
    if path.exists():
        before = yaml_file.read_text(path)
        if configuration.SECTION in yaml_file.parse_mapping(before, path):
            words.print(f"left as it is  {path}: it has a section {configuration.SECTION}", markup=False)
            return
        before = before.rstrip("\n") + "\n\n" if before.strip() else ""
    own = template.text(
        host="lab.example.com",
        domain="lab.example.com",
        app=naming.label(project.resolve().name),
        repository=_origin(project),
    )
    try:
        path.write_text(before + own, encoding="utf-8")
    except OSError as error:
        raise EnvironmentFailed(f"{path} cannot be written: {error.strerror}") from error
    words.print(f"written  {path}", markup=False)
    words.print("next: name your lab host and its domain there, then: labrig experiment check-config", markup=False)


@experiment.command()
@project_option
@click.argument("name", required=False)
@click.option(
    "--to",
    "keys",
    multiple=True,
    metavar="KEY",
    help="Seal to this public SSH key, or the file that has it, besides those of the settings; may be repeated.",
)
def encrypt(*, project: Path, name: str | None, keys: tuple[str, ...]) -> None:
    """Seal a value, and print what stands for it in the settings: `ENC[...]`, or `NAME=ENC[...]`.

    The value is read from standard input, or asked for where that is a terminal; never from an argument, which others
    on this machine could see. It is sealed as `secrets` says: to SSH keys, or with ansible-vault, HashiCorp Vault, KMS.
    """
    named = tuple(key for one in keys for key in _keys(one))
    sealer = _sealer(project, named)
    if sys.stdin.isatty():
        value = str(click.prompt("value", hide_input=True, confirmation_prompt=True, err=True))
    else:
        # What a shell's echo adds to a value is none of it.
        value = sys.stdin.read().removesuffix("\n")
    if not value:
        raise UsageError("there is no value to seal: standard input is empty")
    text = secrets.wrapped(sealer.seal(value.encode()))
    click.echo(f"{name}={text}" if name else text)
    for one in sealer.openers:
        words.print(f"can be opened by {one}", markup=False)


def _sealer(project: Path, named: tuple[PublicKey, ...]) -> sealing.Sealing:
    """Return what seals for a project, and to further keys; without settings, to those alone."""
    folder, chosen = project, SecretsSettings()
    if not named or _has_settings(project):
        source, settings = configuration.read(project)
        folder, chosen = source.path.parent, settings.secrets
    if named:
        if chosen.provider != secrets.AGE:
            raise UsageError(f"--to is for age, and experiment.secrets names {chosen.provider}")
        chosen = chosen.model_copy(update={"keys": (*chosen.keys, *named)})
    return sealing.provider(chosen, home=Path.home(), folder=folder)


def _has_settings(project: Path) -> bool:
    try:
        configuration.find(project)
    except UsageError:
        return False
    return True


def _keys(text: str) -> list[PublicKey]:
    """Return the key that an option gives, or those of the file that it names."""
    lines = [text] if text.startswith("ssh-") else yaml_file.read_text(Path(text)).splitlines()
    try:
        found = [PublicKey.read(line) for line in lines if line.strip() and not line.startswith("#")]
    except ValueError as error:
        raise UsageError(f"--to {text}: {error}") from error
    if not found:
        raise UsageError(f"--to {text}: the file has no public SSH key")
    return found


def _called(settings: Settings, branch: str, name: str | None) -> dict[str, Any]:
    """Return what an experiment of a branch is called."""
    naming.checked_branch(branch)
    chosen = naming.label(branch) if name is None else naming.checked_name(name, "--name")
    what = wanting.identity(settings, branch, chosen, release="")
    names = what.names
    return {
        "name": chosen,
        "host": what.virtual_host,
        "url": f"{'https' if settings.tls else 'http'}://{what.virtual_host}/",
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


def _origin(project: Path) -> str:
    """Return the URL of the repository's remote, without a password; an example where there is none."""
    argv = ["git", "-C", str(project), "remote", "get-url", "origin"]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return _EXAMPLE
    return re.sub(r"(?<=://)[^/@]*@", "", done.stdout.strip()) or _EXAMPLE


_EXAMPLE = "git@git.example.com:team/project.git"
