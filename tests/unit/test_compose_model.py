"""Compose's own words turned into errors that name file, line, service and key; what a model is read and written as."""

import json

import pytest

from labrig.engine import compose
from labrig.engine.cli import Done
from labrig.engine.compose import ComposeFile
from labrig.errors import UsageError

FILE = """\
services:
  web:
    image: nginx
    ports: ["80:http"]
    userr: me
  db.main:
    image: postgres
    healthcheck:
      test: "true"
      retriess: 3
"""


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "compose.yaml"
    path.write_text(FILE)
    return ComposeFile([path], "demo")


def refused(source: ComposeFile, said: str) -> UsageError:
    return compose.refusal(source, Done(15, "", f'time="now" level=warning msg="something"\n{said}\n'))


@pytest.mark.parametrize(
    ("said", "line", "words", "hint"),
    [
        (
            "validating {file}: services.web Additional property userr is not allowed",
            5,
            "service web: the Compose specification has no key userr here",
            "did you mean user?",
        ),
        (
            "validating {file}: services.db.main.healthcheck Additional property retriess is not allowed",
            10,
            "service db.main: healthcheck: the Compose specification has no key retriess here",
            "",
        ),
        ("validating {file}: services.web.image must be a string", 3, "service web: image: must be a string", ""),
        (
            'service "web" depends on undefined service "dbb": invalid compose project',
            2,
            'service web: depends on undefined service "dbb"',
            "",
        ),
        (
            "error while interpolating services.web.image: required variable TAG is missing a value: give it",
            3,
            "service web: image: required variable TAG is missing a value: give it",
            "",
        ),
        # Compose names neither file nor service: the one that holds the value is found.
        ("Invalid containerPort: http", 4, "service web: ports: Invalid containerPort: http", ""),
    ],
)
def test_refusal_names_file_line_service_and_key(source, said, line, words, hint):
    file = source.files[0]

    error = refused(source, said.format(file=file))

    assert (error.message, error.hint) == (f"{file}:{line}: {words}", hint)


def test_unknown_key_at_the_top(source):
    source.files[0].write_text("volume: {}\nservices: {}\n")

    error = refused(source, f"validating {source.files[0]}: (root) Additional property volume is not allowed")

    assert error.message == f"{source.files[0]}:1: the Compose specification has no key volume here"
    assert error.hint == "did you mean volumes?"


def test_cycle_is_named_in_full(source):
    error = refused(source, "dependency cycle detected: a -> b -> a")

    assert error.message == f"{source.files[0]}: dependency cycle detected: a -> b -> a"


def test_text_that_is_no_yaml_is_placed_by_line_and_column(source):
    source.files[0].write_text("services:\n  web:\n   image: x\n     b: 1\n")

    with pytest.raises(UsageError, match=r"compose.yaml:4:7: not YAML"):
        refused(source, "yaml: line 4: mapping values are not allowed in this context")


def test_the_last_file_that_has_it_is_named(tmp_path):
    below, above = tmp_path / "compose.yaml", tmp_path / "override.yaml"
    below.write_text("services:\n  web: {image: a}\n")
    above.write_text("# mine\nservices:\n  web:\n    image: b\n")
    source = ComposeFile([below, above], "demo")

    assert source.where("services", "web", "image") == f"{above}:4"
    assert source.where("services", "nowhere") == str(below)


def test_missing_file_is_told_without_docker(tmp_path):
    with pytest.raises(UsageError, match=r"no-such\.yaml: there is no such compose file"):
        compose.load(ComposeFile([tmp_path / "no-such.yaml"], "demo"))


def test_dollars_are_single_in_the_model_and_double_in_the_file():
    model = compose.read('{"services": {"web": {"command": ["echo", "$$HOME"]}}}')

    assert model["services"]["web"]["command"] == ["echo", "$HOME"]
    assert json.loads(compose.dumps(model))["services"]["web"]["command"] == ["echo", "$$HOME"]


def test_parts_that_a_file_does_not_have_are_empty():
    assert compose.read('{"services": {}, "volumes": null}') == {
        "services": {},
        "networks": {},
        "volumes": {},
        "secrets": {},
        "configs": {},
    }
