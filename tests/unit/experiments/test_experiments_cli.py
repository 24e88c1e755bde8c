"""`labrig experiment` as far as it needs no lab host."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from labrig.cli.experiment import experiment
from labrig.errors import UsageError
from labrig.experiments import configuration, template
from labrig.experiments.secrets import Age, sealed_parts
from labrig.experiments.settings import Settings

FILLED = template.text(host="lab", domain="lab.example", app="shop", repository="git@git.example:shop.git")


def labrig(*words: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(experiment, words, input=stdin, catch_exceptions=False)


def shown(*words: str) -> dict[str, Any]:
    done = labrig("check-config", *words, "--json", "-")
    assert done.exit_code == 0
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "labrig.yml").write_text(FILLED)
    return tmp_path


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "anna"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "anna@desk", "-f", path], check=True)
    return path


def test_what_init_writes_is_valid_and_has_every_option(tmp_path: Path) -> None:
    folder = tmp_path / "My Shop"
    folder.mkdir()
    labrig("init", "--project", str(folder))
    assert shown("--project", str(folder))["settings"]["app"] == "my-shop"
    text = (folder / "labrig.yml").read_text()
    for option in Settings.model_fields:
        assert re.search(rf"^  (# )?{option}:", text, re.MULTILINE), option


def test_the_options_that_init_leaves_out_are_right_as_they_stand_there(project: Path) -> None:
    """Uncommented, all of it is valid, and what stands for a default is the default."""
    lines = [re.sub(r"^  # (\w+:|  )", r"  \1", line) for line in FILLED.splitlines()]
    lines = [line for line in lines if "..." not in line and line.strip() not in {"secrets:", "users:"}]
    (project / "labrig.yml").write_text("\n".join(lines))
    found = configuration.read(project)[1]
    plain = Settings(host="lab", domain="lab.example", app="shop", repository="git@git.example:shop.git")
    for option in ("port", "image", "health", "host_name", "limits", "expires", "sleeps", "ssh_config", "verbose"):
        assert getattr(found, option) == getattr(plain, option), option
    assert found.services["db"].service == "postgresql"


def test_init_adds_to_a_file_and_leaves_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "labrig.yml"
    path.write_text("scenario: web\n")
    labrig("init", "--project", str(tmp_path))
    assert yaml.safe_load(path.read_text())["scenario"] == "web"
    once = path.read_text()
    assert once.startswith("scenario: web\n\n# Branches")
    labrig("init", "--project", str(tmp_path))
    assert path.read_text() == once


@pytest.mark.parametrize(
    ("remote", "named"),
    [
        ("https://anna:hunter2@git.example/shop.git", "https://git.example/shop.git"),
        ("https://anna:hunt@er2@git.example/shop.git", "https://git.example/shop.git"),
        ("https://hunter2@git.example/shop@2.git", "https://git.example/shop@2.git"),
        ("ssh://git:hunter2@git.example/shop.git", "ssh://git@git.example/shop.git"),
        ("ssh://git@git.example:2222/shop.git", "ssh://git@git.example:2222/shop.git"),
        ("git@git.example:shop.git", "git@git.example:shop.git"),
    ],
)
def test_init_names_the_repository_without_its_password(tmp_path: Path, remote: str, named: str) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    subprocess.run(["git", "-C", tmp_path, "remote", "add", "origin", remote], check=True)
    labrig("init", "--project", str(tmp_path))
    assert shown("--project", str(tmp_path))["settings"]["repository"] == named


def test_check_config_prints_what_holds_as_a_file_has_it(project: Path) -> None:
    done = labrig("check-config", "--project", str(project))
    printed = yaml.safe_load(done.stdout)["settings"]
    assert list(printed) == list(Settings.model_fields)
    assert (printed["expires"], printed["sleeps"], printed["limits"]["memory"]) == ("7d", "never", "1.0GiB")


def test_what_check_config_prints_can_be_settings_again(project: Path) -> None:
    printed = shown("--project", str(project))["settings"]
    assert Settings.model_validate(printed) == configuration.read(project)[1]


def test_check_config_tells_what_an_experiment_is_called(project: Path) -> None:
    found = shown("--project", str(project), "--branch", "Feature/Login_Form")["experiment"]
    assert found["url"] == "http://shop-feature-login-form.lab.example/"
    found = shown("--project", str(project), "--branch", "x" * 90)["experiment"]
    assert len(found["host"].removesuffix(".lab.example")) == 63
    found = shown("--project", str(project), "--branch", "a/b", "--name", "mine")["experiment"]
    assert found["host"] == "shop-mine.lab.example"


@pytest.mark.parametrize(
    ("words", "said", "hint"),
    [
        (["--branch", "a b"], "'a b' is no name of a branch", "git branch --all"),
        (["--branch", "a", "--name", "A b"], "--name 'A b' cannot be part of a host name", "a-b would do"),
        (["--name", "a"], "--name needs --branch", ""),
    ],
)
def test_a_name_that_cannot_be_is_refused(project: Path, words: list[str], said: str, hint: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)) as caught:
        labrig("check-config", "--project", str(project), *words)
    assert hint in caught.value.hint


def test_what_is_encrypted_is_opened_by_the_key_and_check_config_tells_whose(project: Path, key: Path) -> None:
    public = key.with_suffix(".pub").read_text()
    with (project / "labrig.yml").open("a") as file:
        file.write(f"  secrets: [{public.strip()}]\n")
    done = labrig("encrypt", "--project", str(project), "TOKEN", stdin="a=b=c\n")
    assert done.stdout.startswith("TOKEN=ENC[")
    with (project / "labrig.yml").open("a") as file:
        file.write(f"  environment:\n    - {done.stdout}")
    value = configuration.read(project)[1].environment["TOKEN"]
    (sealed,) = sealed_parts(value)
    assert Age(identities=(key,)).open(sealed) == b"a=b=c"
    found = shown("--project", str(project))
    assert found["settings"]["environment"] == {"TOKEN": "ENC[...]"}
    (opener,) = found["sealed"]["environment.TOKEN"]
    assert opener.startswith("anna@desk (ssh-ed25519 ")


def test_a_value_can_be_sealed_to_a_file_of_keys_without_settings(tmp_path: Path, key: Path) -> None:
    keys = tmp_path / "authorized_keys"
    keys.write_text("# ours\n" + key.with_suffix(".pub").read_text() * 2)
    done = labrig("encrypt", "--project", str(tmp_path), "--to", str(keys), stdin="x")
    assert done.stdout.startswith("ENC[")


@pytest.mark.parametrize(
    ("stdin", "to", "said"),
    [
        ("", None, "there is no value to seal"),
        ("x", "nothing", "cannot be read"),
        ("x", "ssh-dss AAAA", "expected a public SSH key"),
        ("x", "empty", "the file has no public SSH key"),
    ],
)
def test_what_cannot_be_sealed_is_refused(project: Path, key: Path, stdin: str, to: str | None, said: str) -> None:
    (project / "empty").write_text("# nobody\n")
    chosen = str(key.with_suffix(".pub")) if to is None else to if " " in to else str(project / to)
    with pytest.raises(UsageError, match=said):
        labrig("encrypt", "--project", str(project), "--to", chosen, stdin=stdin)


def test_without_keys_nothing_is_sealed(project: Path) -> None:
    with pytest.raises(UsageError, match="there is no key to seal to"):
        labrig("encrypt", "--project", str(project), stdin="x")


def test_what_is_not_sealed_with_age_is_named(project: Path) -> None:
    with (project / "labrig.yml").open("a") as file:
        file.write("  environment: ['TOKEN=ENC[AAAA]']\n")
    with pytest.raises(UsageError, match=r"labrig.yml:\d+: environment.TOKEN: ENC\[...\] is not sealed with age"):
        labrig("check-config", "--project", str(project))
