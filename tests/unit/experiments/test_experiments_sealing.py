from __future__ import annotations

import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from labrig.errors import UsageError
from labrig.experiments import sealing
from labrig.experiments.secrets import Age
from labrig.experiments.settings import SECRETS_OPTIONS, SecretsSettings

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ9wY3Lu4WvHUZLwWBFv9EMUZ6fa4xOq5lSMtFZVtbAB anna@desk"
LEAST = {"age": {}, "ansible-vault": {}, "vault": {"key": "labrig"}, "kms": {"key": "alias/labrig"}}


@pytest.mark.parametrize("name", SECRETS_OPTIONS)
def test_each_provider_seals_under_its_name_and_says_who_opens(name: str) -> None:
    found = sealing.provider(SecretsSettings(provider=name, **LEAST[name]), home=Path("/h"), folder=Path("/p"))
    assert found.name == name
    assert name == "age" or found.openers


def test_a_list_of_keys_is_ages(tmp_path: Path) -> None:
    (tmp_path / "labrig.yml").write_text(
        "experiment: {host: lab, domain: lab.example, app: shop, repository: /r, secrets: ['%s']}\n" % KEY  # noqa: UP031
    )
    from labrig.experiments import configuration

    settings = configuration.read(tmp_path)[1]
    assert settings.secrets.provider == "age"
    assert [one.comment for one in settings.secrets.keys] == ["anna@desk"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"provider": "kms", "key": "a", "keys": [KEY]}, "keys is no option of kms: it has key, region, endpoint"),
        ({"password_file": "x"}, "password_file is no option of age"),
        ({"provider": "vault"}, "vault needs key"),
        ({"provider": "kms"}, "kms needs key"),
        ({"provider": "vault", "key": "a", "address": "vault:8200"}, "should match pattern"),
        ({"provider": "vault", "key": "../../sys/seal"}, r"key[\s\S]*expected a name"),
        ({"provider": "vault", "key": "a", "mount": "../sys"}, r"mount[\s\S]*expected a name"),
        ({"provider": "gpg"}, "'age', 'ansible-vault', 'vault' or 'kms'"),
    ],
)
def test_options_of_another_provider_are_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said.replace("|", r"\|")):
        SecretsSettings(**options)


def test_a_path_is_relative_to_the_settings_file(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("open sesame")
    settings = SecretsSettings(provider="ansible-vault", password_file="password")
    found = sealing.provider(settings, home=Path("/nowhere"), folder=tmp_path)
    assert found.open(found.seal(b"x")) == b"x"


def test_what_another_provider_sealed_is_named(tmp_path: Path) -> None:
    settings = SecretsSettings(provider="kms", key="a")
    found = sealing.provider(settings, home=tmp_path, folder=tmp_path)
    sealed = Age(recipients=SecretsSettings(keys=[KEY]).keys).seal(b"x")
    with pytest.raises(UsageError, match=r"sealed with age, and experiment\.secrets names kms") as caught:
        found.open(sealed)
    assert "encrypt seals it anew" in caught.value.hint
    with pytest.raises(ValueError, match="sealed with age, not with kms"):
        sealing.openers(sealed, found, settings)
    by_age = SecretsSettings(keys=[KEY])
    (who,) = sealing.openers(sealed, sealing.provider(by_age, home=tmp_path, folder=tmp_path), by_age)
    assert who.startswith("anna@desk")
    with pytest.raises(ValueError, match="not sealed with age"):
        sealing.openers(b"rubbish", sealing.provider(by_age, home=tmp_path, folder=tmp_path), by_age)


@pytest.mark.parametrize(("name", "package"), [("kms", "botocore"), ("vault", "hvac")])
def test_what_is_not_installed_is_told_with_how_it_is(
    name: str, package: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    found = sealing.provider(SecretsSettings(provider=name, key="a"), home=tmp_path, folder=tmp_path)
    for act in (found.seal, found.open):
        with pytest.raises(UsageError, match=f"{name} needs .*, which is not installed") as caught:
            act(b"x")
        assert caught.value.hint.startswith("pip install labrig[")
