from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from labrig.errors import EnvironmentFailed, UsageError
from labrig.experiments import secrets
from labrig.experiments.secrets import Age, PublicKey


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    for name, options in {
        "anna": ["-t", "ed25519", "-N", ""],
        "lab": ["-t", "rsa", "-b", "2048", "-N", ""],
        "locked": ["-t", "ed25519", "-N", "passphrase", "-a", "1"],
        "ecdsa": ["-t", "ecdsa", "-N", ""],
    }.items():
        subprocess.run(["ssh-keygen", "-q", *options, "-C", f"{name}@desk", "-f", folder / name], check=True)
    return folder


def public(keys: Path, name: str) -> PublicKey:
    return PublicKey.read((keys / f"{name}.pub").read_text())


def test_each_key_that_a_value_is_sealed_to_opens_it(keys: Path) -> None:
    sealer = Age(recipients=(public(keys, "anna"), public(keys, "lab")))
    sealed = sealer.seal(b"hunter2")
    assert b"hunter2" not in sealed
    for name in ("anna", "lab"):
        assert Age(identities=(keys / "missing", keys / name)).open(sealed) == b"hunter2"


def test_who_could_open_a_value_is_told_by_the_names_of_the_keys(keys: Path) -> None:
    anna, lab = public(keys, "anna"), public(keys, "lab")
    sealed = Age(recipients=(anna, lab)).seal(b"x")
    assert secrets.openers(sealed, [anna]) == [
        f"anna@desk (ssh-ed25519 {anna.tag})",
        f"an unknown ssh-rsa key {lab.tag}",
    ]


def test_who_cannot_open_a_value_is_told_who_could_and_what_was_tried(keys: Path) -> None:
    anna = public(keys, "anna")
    sealed = Age(recipients=(anna,)).seal(b"hunter2")
    with pytest.raises(UsageError, match="a sealed value cannot be opened") as caught:
        Age(recipients=(anna,), identities=(keys / "lab",)).open(sealed)
    assert caught.value.hint == f"it was sealed to: anna@desk (ssh-ed25519 {anna.tag}); keys tried: {keys / 'lab'}"
    with pytest.raises(UsageError, match="cannot be opened") as caught:
        Age().open(sealed)
    assert "keys tried: none" in caught.value.hint


def test_a_key_with_a_passphrase_is_named_where_nothing_else_opens(keys: Path) -> None:
    sealed = Age(recipients=(public(keys, "locked"),)).seal(b"x")
    with pytest.raises(UsageError, match=r"locked: ssh key must be decrypted first"):
        Age(identities=(keys / "locked", keys / "ecdsa")).open(sealed)


def test_a_damaged_value_is_refused(keys: Path) -> None:
    sealed = Age(recipients=(public(keys, "anna"),)).seal(b"hunter2")
    with pytest.raises(UsageError, match="cannot be opened"):
        Age(identities=(keys / "anna",)).open(sealed[:-4] + b"0000")
    for text in (b"", b"rubbish", b"age-encryption.org/v1\n-> X25519 a\n"):
        with pytest.raises(ValueError, match="not sealed with age"):
            secrets.openers(text, [])


def test_an_unreadable_key_is_the_environments_fault(keys: Path) -> None:
    with pytest.raises(EnvironmentFailed, match="cannot be read"):
        Age(identities=(keys,)).open(b"")


@pytest.mark.parametrize("line", ["", "rubbish", "ssh-dss AAAA", "ssh-ed25519", "ssh-ed25519 AAAA x", "ssh-rsa %%% x"])
def test_what_is_no_key_that_age_knows_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"expected a public SSH key|cannot be read"):
        PublicKey.read(line)


def test_without_keys_nothing_is_sealed() -> None:
    with pytest.raises(UsageError, match="no key to seal to") as caught:
        Age().seal(b"x")
    assert "experiment.secrets" in caught.value.hint


def test_what_stands_around_sealed_values_stays_and_values_are_masked(keys: Path) -> None:
    sealer = Age(recipients=(public(keys, "anna"),), identities=(keys / "anna",))
    texts = {
        "URL": f"db://me:{secrets.wrapped(sealer.seal(b'hunter2'))}@db/{secrets.wrapped(sealer.seal(b'x'))}",
        "A": "b",
    }
    found = secrets.opened_all(texts, sealer.open)
    assert found == {"URL": "db://me:hunter2@db/x", "A": "b"}
    assert "hunter2" not in repr(found)


def test_a_variable_that_cannot_be_opened_is_named_and_no_value_told(keys: Path) -> None:
    sealer = Age(recipients=(public(keys, "anna"),), identities=(keys / "lab",))
    with pytest.raises(UsageError, match="TOKEN: a sealed value cannot be opened"):
        secrets.opened_all({"TOKEN": secrets.wrapped(sealer.seal(b"x"))}, sealer.open)
    binary = secrets.wrapped(sealer.seal(b"\xffhunter2"))
    with pytest.raises(UsageError, match="TOKEN: a sealed value is not text") as caught:
        secrets.opened_all({"TOKEN": binary}, Age(identities=(keys / "anna",)).open)
    assert caught.value.__cause__.__cause__ is None
    with pytest.raises(UsageError, match=r"TOKEN: ENC\[...\] is damaged"):
        secrets.opened_all({"TOKEN": "ENC[a]"}, sealer.open)
