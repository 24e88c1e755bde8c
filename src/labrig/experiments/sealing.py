"""Which provider seals an application's secrets, as its settings tell, and refuses what another one sealed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from labrig.errors import UsageError
from labrig.experiments import secrets
from labrig.experiments.secrets import Age, Provider
from labrig.experiments.secrets_ansible import AnsibleVault
from labrig.experiments.secrets_kms import Kms
from labrig.experiments.secrets_vault import Vault
from labrig.experiments.settings import SecretsSettings


@dataclass(frozen=True)
class Sealing:
    """The provider that settings name.

    Attributes:
        name: What they call it.
        own: What seals and opens.
    """

    name: str
    own: Provider

    @property
    def openers(self) -> tuple[str, ...]:
        """Who opens what is sealed from now on, for people."""
        return self.own.openers

    def seal(self, value: bytes) -> bytes:
        """Return the sealed value; errors are those of ``secrets.Provider``."""
        return self.own.seal(value)

    def open(self, sealed: bytes) -> bytes:
        """Return the value; errors are those of ``secrets.Provider``.

        Raises:
            UsageError: Another provider sealed it.
        """
        other = secrets.sealed_with(sealed)
        if other is not None and other != self.name:
            raise UsageError(
                f"a value was sealed with {other}, and experiment.secrets names {self.name}",
                hint="labrig experiment encrypt seals it anew",
            )
        return self.own.open(sealed)


def provider(settings: SecretsSettings, *, home: Path, folder: Path) -> Sealing:
    """Return the provider of an application's secrets.

    Args:
        settings: Section ``secrets``.
        home: Whose SSH keys age opens with.
        folder: What paths in the settings are relative to: that of their file.
    """
    match settings.provider:
        case secrets.AGE:
            own: Provider = Age(settings.keys, tuple(secrets.default_identities(home)))
        case secrets.ANSIBLE_VAULT:
            path = settings.password_file
            own = AnsibleVault(str(folder / Path(path).expanduser()) if path else "", settings.vault_id)
        case secrets.VAULT:
            own = Vault(settings.key, address=settings.address, mount=settings.mount, namespace=settings.namespace)
        case secrets.KMS:
            own = Kms(settings.key, region=settings.region, endpoint=settings.endpoint)
    return Sealing(settings.provider, own)


def openers(sealed: bytes, sealing: Sealing, settings: SecretsSettings) -> list[str]:
    """Return who can open a sealed value, for people.

    Raises:
        ValueError: None of what the settings name sealed it.
    """
    with_what = secrets.sealed_with(sealed)
    if with_what == secrets.AGE == sealing.name:
        return secrets.openers(sealed, settings.keys)
    if with_what == sealing.name or (with_what is None and sealing.name == secrets.KMS):
        return list(sealing.openers)
    raise ValueError(
        f"sealed with {with_what}, not with {sealing.name}" if with_what else f"not sealed with {sealing.name}"
    )
