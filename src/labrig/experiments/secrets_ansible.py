"""Secrets that are sealed as ``ansible-vault`` does, with the library of ansible-core."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from labrig.errors import EnvironmentFailed, UsageError

PASSWORD_FILE = "ANSIBLE_VAULT_PASSWORD_FILE"  # noqa: S105  # a variable's name


@dataclass(frozen=True)
class AnsibleVault:
    """Sealing with a password of Ansible's vault.

    Attributes:
        password_file: The file of the password, or a program that prints it, as ``--vault-password-file`` takes; empty
            is ``ANSIBLE_VAULT_PASSWORD_FILE``, or what ansible.cfg says.
        vault_id: The name of the password, which sealed values bear and a program is asked for; empty is Ansible's.
    """

    password_file: str = ""
    vault_id: str = ""

    @property
    def openers(self) -> tuple[str, ...]:
        """Who knows the password."""
        return (f"those who have the password of ansible-vault{f' {self.vault_id}' if self.vault_id else ''}",)

    def seal(self, value: bytes) -> bytes:
        """Return the sealed value; errors are those of ``secrets.Provider``."""
        sealed: bytes = self._vault.encrypt(value, vault_id=self.vault_id or None)
        return sealed

    def open(self, sealed: bytes) -> bytes:
        """Return the value; errors are those of ``secrets.Provider``."""
        vault = self._vault
        from ansible.parsing.vault import AnsibleVaultError, AnsibleVaultFormatError  # noqa: PLC0415

        try:
            value: bytes = vault.decrypt(sealed)
        except (AnsibleVaultError, AnsibleVaultFormatError) as error:
            raise UsageError(
                f"a sealed value cannot be opened with the password in {self._file}",
                hint="it was sealed with another password of ansible-vault, or it is damaged",
            ) from error
        return value

    @property
    def _file(self) -> str:
        if self.password_file:
            return self.password_file
        from ansible import constants  # noqa: PLC0415

        # Ansible's own constants are read when it is imported, which may be long ago.
        return os.environ.get(PASSWORD_FILE) or constants.DEFAULT_VAULT_PASSWORD_FILE or ""

    @cached_property
    def _vault(self) -> Any:
        # Once for all values: a program may ask somebody for the password.
        # Importing ansible takes a third of a second, and most laboratories never seal with it.
        from ansible import constants  # noqa: PLC0415
        from ansible.errors import AnsibleError  # noqa: PLC0415
        from ansible.parsing.dataloader import DataLoader  # noqa: PLC0415
        from ansible.parsing.vault import VaultLib, get_file_vault_secret  # noqa: PLC0415

        path = self._file
        if not path:
            raise UsageError(
                "no file with the password of ansible-vault is known",
                hint=f"option password_file of secrets, {PASSWORD_FILE}, or vault_password_file in ansible.cfg",
            )
        try:
            secret = get_file_vault_secret(filename=path, vault_id=self.vault_id or None, loader=DataLoader())
            secret.load()
        except AnsibleError as error:
            said = " ".join(str(error).split())
            raise EnvironmentFailed(f"the password of ansible-vault cannot be read from {path}: {said}") from error
        return VaultLib([(self.vault_id or constants.DEFAULT_VAULT_IDENTITY, secret)])
