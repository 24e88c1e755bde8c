from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from labrig.errors import UsageError
from labrig.experiments import configuration
from labrig.experiments.settings import Settings
from labrig.prove.configuration import Configuration
from labrig.prove.configuration import read as read_proof

LEAST = """\
experiment:
  host: lab
  domain: lab.example
  app: shop
  repository: git@git.example:shop.git
"""
LABTEST: dict[str, Any] = {
    "host": "lab-alias",
    "test_domain": "test.example.com",
    "app_name": "shop",
    "app_build_command": "make dist",
    "app_build_image": "node:20",
    "before_start_command": "./manage migrate",
    "build_provider": "default",
    "code_repo_url": "git@git.example:shop.git",
    "container_build_command": "docker build -t $APP_NAME/$INSTANCE_NAME .",
    "container_provider": "local",
    "docker_image_pattern": "%(APP_NAME)s/%(INSTANCE_NAME)s:latest",
    "environment": ["URL=http://$VIRTUAL_HOST/?a=b"],
    "host_name_pattern": "%(BRANCH_NAME)s-x",
    "services": {
        "db": {
            "provider": "docker",
            "service": "mysql",
            "provision_type": "independent",
            "options": {
                "image": "mysql:5.7",
                "commands": ["--sql-mode=ANSI"],
                "environment": ["MYSQL_DATABASE=shop"],
                "initial_data_source": "/srv/dumps",
                "wait_for_service": True,
                "wait_attempts": 3,
                "wait_timeout": 90,
            },
        },
        "events": {"service": "redis", "provision_type": "communal", "shared_app_name": "core"},
    },
    "use_ssh_config": "yes",
    "verbose": 1,
}


def read(folder: Path, text: str, name: str = "labrig.yml", **options: Any) -> Settings:
    (folder / name).write_text(text)
    return configuration.settings(configuration.find(folder), **options)


def refused(folder: Path, text: str, name: str = "labrig.yml") -> str:
    with pytest.raises(UsageError) as caught:
        read(folder, text, name)
    return caught.value.message.replace(f"{folder}/", "")


def test_four_options_are_enough(tmp_path: Path) -> None:
    found = read(tmp_path, LEAST)
    assert (found.host, found.domain, found.app) == (("lab",), "lab.example", "shop")
    assert (found.expires, found.sleeps, found.ssh_config) == (timedelta(days=7), None, True)
    assert (found.limits.memory, found.limits.cpus, found.limits.processes) == (2**30, 1.0, 512)


def test_there_may_be_several_lab_hosts(tmp_path: Path) -> None:
    found = read(tmp_path, LEAST.replace("host: lab", "host: [lab1, labrig@lab2]"))
    assert found.host == ("lab1", "labrig@lab2")


def test_a_proof_does_not_mind_the_section(tmp_path: Path) -> None:
    read(tmp_path, LEAST + "x-own: 1\n")
    assert read_proof(tmp_path) == Configuration()


def test_settings_are_found_from_a_folder_below(tmp_path: Path) -> None:
    (tmp_path / "labrig.yml").write_text(LEAST)
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert configuration.find(below).path == tmp_path / "labrig.yml"


def test_files_without_a_section_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "labrig.yml").write_text("scenario: web\n")
    (tmp_path / "setup.cfg").write_text("[flake8]\n")
    (tmp_path / "package.json").write_text("[]")
    with pytest.raises(UsageError, match="there are no settings for experiments in") as caught:
        configuration.find(tmp_path)
    assert "labrig experiment init" in caught.value.hint


def test_every_option_of_labtest_has_its_meaning(tmp_path: Path) -> None:
    found = read(tmp_path, json.dumps({"labtest": LABTEST}), ".labtest.yml")
    assert found.model_dump(exclude_defaults=True) == {
        "host": ("lab-alias",),
        "domain": "test.example.com",
        "app": "shop",
        "build_command": "make dist",
        "build_image": "node:20",
        "before_start": "./manage migrate",
        "repository": "git@git.example:shop.git",
        "container_build_command": "docker build -t $APP_NAME/$INSTANCE_NAME .",
        "image": "${APP_NAME}/${INSTANCE_NAME}:latest",
        "environment": {"URL": "http://$VIRTUAL_HOST/?a=b"},
        "host_name": "${BRANCH_NAME}-x",
        "services": {
            "db": {
                "service": "mysql",
                "image": "mysql:5.7",
                "command": ("--sql-mode=ANSI",),
                "environment": {"MYSQL_DATABASE": "shop"},
                "initial_data": "/srv/dumps",
                "wait_attempts": 3,
                "wait_timeout": timedelta(seconds=90),
            },
            "events": {"service": "redis", "provision": "communal", "app": "core"},
        },
        "verbose": True,
    }


def test_what_labtest_does_unasked_is_done_for_its_files(tmp_path: Path) -> None:
    own = {key: LABTEST[key] for key in ("host", "test_domain", "app_name", "code_repo_url")}
    own["services"] = {"db": {"provider": "docker", "service": "mysql"}}
    found = read(tmp_path, json.dumps({"labtest": own}), ".labtest.yml")
    assert not found.ssh_config
    assert (found.services["db"].wait, found.services["db"].wait_attempts) == (False, 6)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (".labtest.yaml", "labtest: {host: lab, test_domain: a.example, app_name: a, code_repo_url: /r}\n"),
        ("package.json", '{"labtest":\n\t{"host":"a","test_domain":"a.example","app_name":"a","code_repo_url":"/r"}}'),
        ("setup.cfg", "[labtest]\nhost = lab\ntest_domain = a.example\napp_name = a\ncode_repo_url = /r\n"),
    ],
)  # fmt: skip
def test_labtests_files_are_read(tmp_path: Path, name: str, text: str) -> None:
    assert read(tmp_path, text, name).domain == "a.example"


def test_ini_lists_are_separated_by_commas(tmp_path: Path) -> None:
    text = "[labtest]\nhost=a\ntest_domain=b\napp_name=c\ncode_repo_url=/r\nenvironment = A=1, B=%(x)s\nverbose=no\n"
    found = read(tmp_path, text, "setup.cfg")
    assert (found.environment, found.verbose) == ({"A": "1", "B": "%(x)s"}, False)


def test_labrigs_own_file_wins_and_the_nearest_folder_wins_over_that(tmp_path: Path) -> None:
    (tmp_path / "labrig.yml").write_text(LEAST)
    (tmp_path / ".labtest.yml").write_text("labtest: {}\n")
    assert configuration.find(tmp_path).path.name == "labrig.yml"
    below = tmp_path / "below"
    below.mkdir()
    (below / ".labtest.yml").write_text("labtest: {host: a}\n")
    assert configuration.find(below).path.name == ".labtest.yml"


def test_all_that_is_missing_is_said_at_once(tmp_path: Path) -> None:
    assert refused(tmp_path, "x: 1\nexperiment:\n") == "labrig.yml:2: experiment lacks host, domain, app, repository"
    (tmp_path / "labrig.yml").unlink()
    missing = refused(tmp_path, "labtest:\n  host: a\n", ".labtest.yml")
    assert missing == ".labtest.yml:1: labtest lacks test_domain, app_name, code_repo_url"


def test_all_that_is_wrong_is_said_at_once_with_its_line(tmp_path: Path) -> None:
    text = LEAST + "  expire: 3d\n  limits:\n    memroy: 1G\n  port: 0\n"
    assert refused(tmp_path, text).splitlines() == [
        "labrig.yml:6: expire: unknown option: did you mean expires?",
        "  labrig.yml:8: limits.memroy: unknown option: did you mean memory?",
        "  labrig.yml:9: port: Input should be greater than or equal to 1",
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("host: -oProxyCommand=x", "expected a host, user@host or a name of ssh's configuration"),
        ("host: 'lab; reboot'", "expected a host"),
        ("host: [lab1, -oProxyCommand=x]", "expected a host, user@host or a name of ssh's configuration"),
        ("host: [lab1, lab2, lab1]", "lab1 is named twice"),
        ("host: []", "at least 1 item"),
        ("domain: 'a b'", "expected a domain such as lab.example.com"),
        ("app: My Shop", "the name 'My Shop' cannot be part of a host name"),
        ("repository: --upload-pack=x", "expected the URL of a git repository"),
        ("repository: 'ext::sh -c x'", "expected the URL of a git repository"),
        ('repository: "https://git.example/a\\0b"', "a NUL byte"),
        ("image: 'a b'", "expected the name of an image"),
        ("image: $APP_NAM/x", r"there is no variable $APP_NAM: did you mean $APP_NAME?"),
        ("host_name: $RELEASE", "there is no variable $RELEASE"),
        ("build_image: node:20", "build_image needs build_command too"),
        ("build_command: make", "build_command needs build_image too"),
        ("environment: [A]", "expected NAME=VALUE, and entry 1 has no ="),
        ("environment: {A: true}", "A: expected a text or a number; true and false need quotes"),
        ("environment: [1A=x]", "'1A' is no name of a variable"),
        ("environment: [RELEASE=x]", "RELEASE is set by labrig"),
        ("environment: ['A=ENC[%%%]']", "A: ENC[...] is damaged: it is not base64"),
        ("expires: soon", "expected a time such as 90s, 30m or 2h"),
        ("expires: 99999999999d", "expected a time of at most 36500d, found '99999999999d'"),
        ("sleeps: 9999999d", "expected a time of at most 36500d"),
        ("limits: {memory: 1M}", "limits.memory: Input should be greater"),
        ("limits: {memory: 9999999PiB}", "limits.memory: Input should be less"),
        ("limits: {cpus: 0}", "limits.cpus: Input should be greater than or equal to 0.01"),
        ("limits: {cpus: 1.0e-9}", "limits.cpus: Input should be greater than or equal to 0.01"),
        ("limits: {cpus: .inf}", "limits.cpus: Input should be a finite number"),
        ("limits: {cpus: .nan}", "limits.cpus: Input should be a finite number"),
        ("limits: {processes: 99999999999}", "limits.processes: Input should be less than or equal to"),
        ('build_command: "a\\0"', "build_command: a NUL byte cannot stand in an option"),
        ('health: {command: "a\\0"}', "health.command: a NUL byte"),
        ('services: {q: {service: redis, command: ["a", "b\\0"]}}', "services.q.command: a NUL byte"),
        ('services: {q: {service: redis, on_delete: "a\\0"}}', "services.q.on_delete: a NUL byte"),
        ('environment: {A: "a\\0"}', "environment: a NUL byte"),
        ("health: {path: x}", "health.path: String should match pattern"),
        ("services: {db: {service: postgres}}", "there is no service 'postgres': did you mean postgresql?"),
        ("services: {db: {}}", "services.db: service is missing"),
        ("services: {D B: {service: redis}}", "services.D B: the name 'D B'"),
        ("services: {db: {service: redis, initial_data: dumps}}", "expected a path on the lab host"),
        ("services: {db: {service: redis, app: x}}", "whose communal service it is, and this one is independent"),
        ("services: {db: {service: redis, provision: shared, image: x}}", "are not for a shared service"),
        ("services: {db: {service: postgresql, provision: communal}}", "`provision: shared` gives this one its own"),
        ("tls: {certificate: /a.pem}", "tls: key is missing"),
        ("tls: {certificate: /a$b, key: /a}", "expected a path on the lab host of letters, digits"),
        ("users: {anna: secret}", "expected the hash of a password, as `openssl passwd -6` prints it"),
        ("secrets: [ssh-dss AAAA]", "expected a public SSH key, ssh-ed25519 or ssh-rsa"),
        ("secrets: [ssh-ed25519 AAAA anna@desk]", "the ssh-ed25519 key 'anna@desk' cannot be read"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, line: str, said: str) -> None:
    key = line.split(":", maxsplit=1)[0]
    lines = [one for one in LEAST.splitlines() if not one.startswith(f"  {key}:")]
    message = refused(tmp_path, "\n".join([*lines, f"  {line}"]) + "\n")
    assert said in message
    assert f"labrig.yml:{len(lines) + 1}:" in message or "needs build_" in message


def test_what_was_given_for_a_secret_is_in_no_message(tmp_path: Path) -> None:
    for line in ("environment: ['hunter2']", "users: {anna: hunter2}", "environment: {A: [hunter2]}"):
        assert "hunter2" not in refused(tmp_path, f"{LEAST}  {line}\n")


def test_secrets_are_in_no_representation(tmp_path: Path) -> None:
    found = read(tmp_path, LEAST + "  environment: {A: hunter2}\n  users: {anna: $6$hunter2}\n")
    assert "hunter2" not in repr(found)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("labtest: {hots: a}", ".labtest.yml:1: hots: unknown option: did you mean host?"),
        ("labtest:\n  build_provider: aws", ".labtest.yml:2: build_provider: only default or local is known"),
        ("labtest:\n  container_provider: aws", ".labtest.yml:2: container_provider: only local is known"),
        (
            "labtest:\n  services:\n    db:\n      provider: aws\n      service: mysql",
            ".labtest.yml:4: services.db.provider: only docker is known",
        ),
        (
            "labtest:\n  services:\n    db:\n      service: mysql\n      options:\n        imag: x",
            ".labtest.yml:6: services.db.options.imag: unknown option: did you mean image?",
        ),
        ("labtest:\n  host_name_pattern: '%(X)s'", ".labtest.yml:2: host_name_pattern: there is no variable $X"),
        ("labtest:\n  domain: a\n  test_domain: b", ".labtest.yml:3: test_domain: it is domain by another name"),
        ("labtest: [a]", ".labtest.yml: labtest: expected a mapping, found list"),
    ],
)
def test_what_is_wrong_in_labtests_file_is_said_by_its_own_names(tmp_path: Path, text: str, said: str) -> None:
    assert said in refused(tmp_path, text + "\n", ".labtest.yml")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("setup.cfg", "[labtest]\nhost=a\ntest_domain = a b\n", "setup.cfg:3: test_domain: expected a domain"),
        ("package.json", '{\n\t"labtest": {\n\t\t"test_domain": "a b"}}', "package.json:3: test_domain: expected a"),
        ("package.json", "{", "package.json:1:2: not JSON"),
        ("setup.cfg", "x", "setup.cfg: not INI"),
    ],
)
def test_lines_are_told_of_files_that_are_not_yaml(tmp_path: Path, name: str, text: str, said: str) -> None:
    assert said in refused(tmp_path, text, name)


@pytest.mark.parametrize(
    "url",
    [
        "https://anna:hunter2@git.example/shop.git",
        "https://anna:p@hunter2@git.example/shop.git",
        "https://hunter2@git.example/shop.git",
        "https://u:p::hunter2@git.example/shop.git",
        "ssh://git:hunter2@git.example/shop.git",
        "HTTPS://:hunter2@git.example/shop.git",
    ],
)
def test_a_repository_with_a_password_in_its_url_is_refused_and_the_password_is_not_shown(
    tmp_path: Path, url: str
) -> None:
    said = refused(tmp_path, LEAST.replace("git@git.example:shop.git", url))
    assert "labrig.yml:5: repository: " in said
    assert "deploy key" in said
    assert "hunter2" not in said


@pytest.mark.parametrize(
    "url",
    [
        "git@git.example:shop.git",
        "ssh://git@git.example:2222/shop.git",
        "https://git.example:8443/shop@2.git",
        "file:///srv/git/shop.git",
        "/srv/git/shop.git",
    ],
)
def test_a_repository_may_be_whatever_git_reaches_without_a_password(tmp_path: Path, url: str) -> None:
    assert read(tmp_path, LEAST.replace("git@git.example:shop.git", url)).repository == url


def test_defaults_hold_where_the_file_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "labrig.yml").write_text(LEAST.replace("  app: shop\n", "") + "  limits: {cpus: 2}\n")
    source = configuration.find(tmp_path)
    host = {"port": 8080, "limits": {"cpus": 4, "processes": 64}, "domain": "other.example"}
    below = configuration.Source(Path("state of lab:/experiment/default"), json.dumps(host), "", host)
    found = configuration.settings(source, below, app="My Shop")
    assert (found.port, found.limits.cpus, found.limits.processes) == (8080, 2.0, 64)
    assert (found.domain, found.app) == ("lab.example", "my-shop")
