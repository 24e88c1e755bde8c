"""A compose file as a group of services, with hooks from Python, on a real engine."""

import shutil
from pathlib import Path
from urllib.request import urlopen

import pytest

from labrig.engine.client import connect
from labrig.errors import UsageError
from labrig.groups import operations
from labrig.groups.collection import load
from labrig.groups.context import Context
from labrig.groups.standing import standing

SAMPLE = Path(__file__).parent / "samples" / "group"


@pytest.fixture(scope="module")
def client():
    return connect()


@pytest.fixture
def folder(tmp_path):
    return Path(shutil.copytree(SAMPLE, tmp_path / "sample"))


@pytest.fixture
def group(folder, client):
    """The sample as a group of its own; nothing of it stays."""
    collection = load(folder / "compose.yaml")
    yield collection
    operations.stop(client, load(folder / "compose.yaml"), remove=True, timeout=2)
    Context.clear()


def test_compose_file_starts_in_the_order_of_its_conditions_with_hooks_and_is_kept_as_it_is(group, folder, client):
    outcome = operations.start(client, group, timeout=60)

    assert outcome.failed == [], outcome
    assert {name: one.phase for name, one in outcome.services.items()} == {"db": "up", "migrate": "done", "web": "up"}
    stands = standing(client, group)
    # What post_start of one service has made is the other's variable; braces of the file are its own.
    with urlopen(f"http://127.0.0.1:{stands['web'].ports['80/tcp']}/", timeout=5) as answer:
        assert answer.read() == b'made in post_start {"a": 1}\n'
    web = client.api.inspect_container(stands["web"].id)
    assert web["HostConfig"]["Memory"] == 256 * 1024 * 1024
    assert sorted(name.rpartition("-")[2] for name in web["NetworkSettings"]["Networks"]) == ["back", "front"]
    assert all(net["IPAM"]["Config"] for net in client.api.networks(names=["labrig-sample-group"]))

    again = operations.start(client, load(folder / "compose.yaml"), timeout=60)

    assert {name: one.plan for name, one in again.services.items()} == {"db": "keep", "migrate": "keep", "web": "keep"}


def test_what_the_file_changes_is_said_and_recreated_alone(group, folder, client):
    operations.start(client, group, timeout=60)
    file = folder / "compose.yaml"
    file.write_text(file.read_text().replace("mem_limit: 256m", "mem_limit: 128m"))

    outcome = operations.start(client, load(file), timeout=60)

    assert {name: one.plan for name, one in outcome.services.items()} == {
        "db": "keep",
        "migrate": "keep",
        "web": "create",
    }
    assert outcome.services["web"].differs == ("limits memory: 268435456 -> 134217728",)


def test_hooks_of_a_service_that_is_not_there_are_told(folder):
    hooks = folder / "hooks.py"
    hooks.write_text(hooks.read_text().replace('name = "web"', 'name = "wep"'))

    with pytest.raises(UsageError, match=r"there is no service 'wep' in .*compose.yaml for these hooks") as caught:
        load(folder / "compose.yaml")
    assert caught.value.hint == "did you mean web?"


def test_field_that_the_file_says_is_told(folder):
    hooks = folder / "hooks.py"
    hooks.write_text(hooks.read_text().replace('name = "web"', 'name = "web"\n    ports = {80: 8080}'))

    with pytest.raises(UsageError, match=r"service 'web': field 'ports' is said by .*compose.yaml"):
        load(folder / "compose.yaml")


def test_script_takes_a_compose_file_in(folder):
    (folder / "compose.yaml").write_text((folder / "compose.yaml").read_text().replace("  hooks: hooks.py", ""))
    script = folder / "group.py"
    script.write_text((folder / "hooks.py").read_text() + '\n\nlabrig.compose_file("compose.yaml")\n')

    found = load(script)

    assert found.group == "labrig-sample-group"
    assert found.dependencies == {"db": (), "migrate": ("db",), "web": ("migrate",)}
    assert found.services["web"].placeholders() == {"token"}


def test_file_with_a_key_that_cannot_be_carried_over_is_told(folder):
    file = folder / "compose.yaml"
    file.write_text(file.read_text().replace("    mem_limit: 256m\n", "    container_name: web\n"))

    with pytest.raises(UsageError, match=r"compose.yaml:26: service web: container_name cannot be carried over"):
        load(file)


def test_hooks_file_that_is_not_there_is_told(folder):
    (folder / "hooks.py").unlink()

    with pytest.raises(UsageError, match=r"compose.yaml:4: x-labrig: there is no file .*hooks.py"):
        load(folder / "compose.yaml")
