from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from labrig.errors import UsageError
from labrig.experiments import configuration, defaults, state_defaults
from labrig.experiments.settings import Settings
from labrig.experiments.state import Value

LEAST = """\
experiment:
  host: lab
  domain: lab.example
  app: shop
  repository: /srv/git/shop.git
"""


class Remembered:
    """A state in memory, with the order of a real one."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = {key: one if isinstance(one, str) else json.dumps(one) for key, one in values.items()}

    def find(self, key: str) -> Value | None:
        found = defaults.found(key, self._values.get)
        return Value(*found) if found else None


def read(folder: Path, text: str, values: dict[str, Any]) -> Settings:
    (folder / "labrig.yml").write_text(LEAST + text)
    source = configuration.find(folder)
    layers = state_defaults.layers(Remembered(values), source, "lab1", "shop", "login")
    return configuration.settings(source, *layers)


def refused(folder: Path, text: str, values: dict[str, Any]) -> str:
    with pytest.raises(UsageError) as caught:
        read(folder, text, values)
    return caught.value.message.replace(f"{folder}/", "")


def test_the_file_wins_over_the_experiments_own_value_and_that_over_a_default(tmp_path: Path) -> None:
    values = {
        "/experiment/default": {"port": 8000, "limits": {"cpus": 4}},
        "/experiment/shop/login": "port: 9000\nlimits: {cpus: 2, processes: 64}\n",
    }
    found = read(tmp_path, "  limits: {processes: 32}\n", values)
    assert (found.port, found.limits.cpus, found.limits.processes) == (9000, 2, 32)
    del values["/experiment/shop/login"]
    assert read(tmp_path, "", values).port == 8000
    assert read(tmp_path, "", {}).port == 80


def test_a_service_takes_what_labtests_keys_say_about_its_kind(tmp_path: Path) -> None:
    values = {
        "/services/docker/mysql/default": {"image": "mysql:5.7", "commands": ["--sql-mode=ANSI"]},
        "/services/docker/mysql/shop": {"image": "mysql:8.0", "wait_timeout": 90},
        "/services/docker/redis/other": {"image": "redis:6"},
    }
    text = (
        "  services:\n    db: {service: mysql}\n    old: {service: mysql, image: mysql:5.6}\n    q: {service: redis}\n"
    )
    found = read(tmp_path, text, values).services
    assert (found["db"].image, found["db"].command) == ("mysql:8.0", ())
    assert found["db"].wait_timeout.total_seconds() == 90
    assert found["old"].image == "mysql:5.6"
    assert found["q"].image is None
    del values["/services/docker/mysql/shop"]
    assert read(tmp_path, text, values).services["db"].command == ("--sql-mode=ANSI",)


def test_a_service_of_others_takes_nothing(tmp_path: Path) -> None:
    values = {"/services/docker/mysql/default": {"image": "mysql:5.7"}}
    found = read(tmp_path, "  services: {db: {service: mysql, provision: shared}}\n", values)
    assert found.services["db"].image is None


def test_labtests_key_names_what_seals_secrets_where_the_file_does_not(tmp_path: Path) -> None:
    values = {"/secrets": {"provider": "aws", "service": "kms", "options": {"key_id": "alias/lab"}}}
    found = read(tmp_path, "", values).secrets
    assert (found.provider, found.key) == ("kms", "alias/lab")
    own = read(tmp_path, "  secrets: {provider: ansible-vault, password_file: x}\n", values).secrets
    assert (own.provider, own.key) == ("ansible-vault", "")
    values["/experiment/default"] = {"secrets": {"provider": "vault", "key": "labrig"}}
    assert read(tmp_path, "", values).secrets.provider == "vault"
    assert read(tmp_path, "  secrets: []\n", values).secrets.provider == "age"


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        ("/experiment/default", "port: 80\nlimts: {}\n", ":2: limts: unknown option: did you mean limits?"),
        ("/experiment/shop/default", "limits:\n  cpus: no\n", ":2: limits.cpus: "),
        ("/experiment/default", "host: other", ": host is the application's own"),
        ("/experiment/default", "- a", ": expected a mapping, found list"),
        ("/experiment/default", "a: [", ":1:5: not YAML"),
        ("/services/docker/redis/default", "image: redis\ncommands: yes\n", ":2: commands: "),
        ("/services/docker/redis/default", "imgae: redis\n", ":1: imgae: unknown option: did you mean image?"),
        ("/secrets", '{"provider": "aws", "service": "ssm"}', ": of aws, service kms"),
        ("/secrets", "provider: gpg", ":1: provider: "),
    ],
)
def test_what_is_wrong_is_told_with_its_key_and_line(tmp_path: Path, key: str, text: str, said: str) -> None:
    assert f"state of lab1:{key}{said}" in refused(tmp_path, "  services: {q: {service: redis}}\n", {key: text})


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        ("/secrets", "provider: vault\nkey: a\naddress: https://vault.example\n", ":3: address: "),
        ("/secrets", "provider: vault\nkey: a\nnamespace: other\n", ":3: namespace: "),
        ("/secrets", "provider: ansible-vault\npassword_file: /tmp/program\n", ":2: password_file: "),
        ("/secrets", '{"provider": "kms", "key": "a", "endpoint": "https://kms.example"}', ":1: endpoint: "),
        (
            "/secrets",
            "provider: aws\nservice: kms\noptions:\n  key_id: a\n  endpoint: https://kms.example\n",
            ":5: options.endpoint: ",
        ),
        (
            "/experiment/shop/login",
            "secrets:\n  provider: vault\n  key: a\n  address: https://vault.example\n",
            ":4: secrets.address: ",
        ),
    ],
)
def test_no_state_says_to_whom_a_developers_rights_go_nor_what_program_is_run(
    tmp_path: Path, key: str, text: str, said: str
) -> None:
    assert f"state of lab1:{key}{said}not for a lab host's state" in refused(tmp_path, "", {key: text})


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        ("/experiment/default", "environment: {A: 1, TOKEN: 'x ENC[eA==]'}\n", ":1: environment.TOKEN: "),
        ("/experiment/default", "port: 1\nenvironment:\n  - TOKEN=ENC[eA==]\n", ":3: environment[0]: "),
        ("/experiment/default", '{"environment": {"A": "\\u0045NC[eA==]"}}', ":1: environment.A: "),
        (
            "/experiment/default",
            "services: {q: {environment: {A: 'ENC[eA==]'}}}\n",
            ":1: services.q.environment.A: ",
        ),
        ("/services/docker/redis/shop", "environment:\n  A: ENC[eA==]\n", ":2: environment.A: "),
    ],
)
def test_a_states_sealed_values_are_opened_only_where_the_file_says_how(
    tmp_path: Path, key: str, text: str, said: str
) -> None:
    services = "  services: {q: {service: redis}}\n"
    told = refused(tmp_path, services, {key: text, "/secrets": "provider: vault\nkey: a\n"})
    assert f"state of lab1:{key}{said}a sealed value" in told
    assert "eA==" not in told
    read(tmp_path, f"{services}  secrets: []\n", {key: text})


def test_what_is_wrong_in_the_file_is_still_the_files(tmp_path: Path) -> None:
    assert "labrig.yml:6: port: " in refused(tmp_path, "  port: 0\n", {"/experiment/default": {"port": 80}})
