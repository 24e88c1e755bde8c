"""``labrig experiment encrypt``: a sealed value for the settings."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from labrig import yaml_file
from labrig.cli.console import words
from labrig.cli.experiment_options import Call, host_options
from labrig.errors import EnvironmentFailed, UsageError
from labrig.experiments import configuration, ordering, sealing, secrets
from labrig.experiments.configuration import Source
from labrig.experiments.secrets import PublicKey
from labrig.experiments.settings import SecretsSettings, Settings


@click.command()
@host_options
@click.argument("name", required=False)
@click.option(
    "--to",
    "keys",
    multiple=True,
    metavar="KEY",
    help="Seal to this public SSH key, or the file that has it, besides those of the settings; may be repeated.",
)
def encrypt(*, call: Call, name: str | None, keys: tuple[str, ...]) -> None:
    """Seal a value, and print what stands for it in the settings: `ENC[...]`, or `NAME=ENC[...]`.

    The value is read from standard input, or asked for where that is a terminal; never from an argument, which others
    on this machine could see. It is sealed as `secrets` says: to SSH keys, or with ansible-vault, HashiCorp Vault, KMS.
    Where the settings have no `secrets`, the lab host is asked whether it has.
    """
    named = tuple(key for one in keys for key in _keys(one))
    sealer = _sealer(call, named)
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


def _sealer(call: Call, named: tuple[PublicKey, ...]) -> sealing.Sealing:
    """Return what seals for a project, and to further keys; without settings, to those alone."""
    folder, chosen = call.project, SecretsSettings()
    if not named or _has_settings(call.project):
        source, settings = configuration.read(call.project)
        folder, chosen = source.path.parent, settings.secrets
        if not named and "secrets" not in source.options:
            chosen = _of_lab(source, settings, call.host, call.ssh_config)
    if named:
        if chosen.provider != secrets.AGE:
            raise UsageError(f"--to is for age, and experiment.secrets names {chosen.provider}")
        chosen = chosen.model_copy(update={"keys": (*chosen.keys, *named)})
    return sealing.provider(chosen, home=Path.home(), folder=folder)


def _of_lab(source: Source, settings: Settings, host: str, ssh_config: Path | None) -> SecretsSettings:
    try:
        return ordering.of_lab(source, settings, host=host, config=ssh_config).secrets
    except EnvironmentFailed as error:
        raise UsageError(
            f"there is no key to seal to: the settings name none, and the lab host's are unknown: {error.message}",
            hint="experiment.secrets in labrig.yml lists public SSH keys: the lab host's and those of developers",
        ) from error


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
