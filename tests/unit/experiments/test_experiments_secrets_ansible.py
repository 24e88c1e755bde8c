from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from labrig.errors import EnvironmentFailed, UsageError
from labrig.experiments.secrets_ansible import PASSWORD_FILE, AnsibleVault


@pytest.fixture
def password(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text("open sesame\n")
    return path


def test_ansible_vault_opens_what_labrig_seals_and_the_other_way_round(tmp_path: Path, password: Path) -> None:
    vault = AnsibleVault(str(password))
    sealed = vault.seal(b"hunter2")
    assert vault.open(sealed) == b"hunter2"
    options = ["--vault-password-file", str(password), "--output", "-"]
    done = subprocess.run(["ansible-vault", "decrypt", *options], input=sealed, capture_output=True, check=True)
    assert done.stdout == b"hunter2"
    done = subprocess.run(["ansible-vault", "encrypt", *options], input=b"other", capture_output=True, check=True)
    assert vault.open(done.stdout) == b"other"


def test_a_program_may_tell_the_password_of_a_name(tmp_path: Path, password: Path) -> None:
    program = tmp_path / "ask-client"
    program.write_text('#!/bin/sh\ntest "$*" = "--vault-id lab" && echo open sesame\n')
    program.chmod(0o755)
    sealed = AnsibleVault(str(program), "lab").seal(b"hunter2")
    assert sealed.startswith(b"$ANSIBLE_VAULT;1.2;AES256;lab\n")
    assert AnsibleVault(str(password)).open(sealed) == b"hunter2"


def test_a_program_is_asked_once_for_all_values(tmp_path: Path) -> None:
    program = tmp_path / "ask"
    program.write_text(f"#!/bin/sh\necho x >> {tmp_path}/asked\necho open sesame\n")
    program.chmod(0o755)
    vault = AnsibleVault(str(program))
    assert {vault.open(vault.seal(value)) for value in (b"a", b"b")} == {b"a", b"b"}
    assert (tmp_path / "asked").read_text() == "x\n"


def test_where_the_settings_name_no_file_ansibles_own_variable_does(
    password: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSWORD_FILE, str(password))
    assert AnsibleVault().open(AnsibleVault(str(password)).seal(b"x")) == b"x"
    monkeypatch.delenv(PASSWORD_FILE)
    with pytest.raises(UsageError, match="no file with the password") as caught:
        AnsibleVault().seal(b"x")
    assert "password_file" in caught.value.hint


def test_another_password_opens_nothing_and_the_file_is_named(tmp_path: Path, password: Path) -> None:
    sealed = AnsibleVault(str(password)).seal(b"hunter2")
    other = tmp_path / "other"
    other.write_text("wrong\n")
    with pytest.raises(UsageError, match=f"cannot be opened with the password in {other}"):
        AnsibleVault(str(other)).open(sealed)
    with pytest.raises(UsageError, match="cannot be opened"):
        AnsibleVault(str(password)).open(sealed[:-10])


@pytest.mark.parametrize("damaged", [b"$ANSIBLE_VAULT;1.1", b"$ANSIBLE_VAULT;1.1;AES256\nzz", b"$ANSIBLE_VAULT;9;X"])
def test_a_value_that_is_damaged_is_told_to_be(password: Path, damaged: bytes) -> None:
    with pytest.raises(UsageError, match="cannot be opened") as caught:
        AnsibleVault(str(password)).open(damaged)
    assert "damaged" in caught.value.hint


def test_a_password_that_cannot_be_read_is_the_environments_fault(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailed, match=r"cannot be read from .*missing: .*not found"):
        AnsibleVault(str(tmp_path / "missing")).seal(b"x")
    empty = tmp_path / "empty"
    empty.write_text("")
    with pytest.raises(EnvironmentFailed, match="cannot be read from"):
        AnsibleVault(str(empty)).seal(b"x")
