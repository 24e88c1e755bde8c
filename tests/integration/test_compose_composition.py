"""A user's compose file, unmodified, run by the real Compose as a test needs it."""

import subprocess
from pathlib import Path
from urllib.request import urlopen

import pytest

from labrig.containers import Composition, Session, Tailoring, waiting
from labrig.containers.errors import NotReady
from labrig.engine import compose
from labrig.engine.compose import ComposeFile
from labrig.errors import EnvironmentFailed, UsageError

IMAGE = "labrig/debian-12:latest"
SAMPLE = Path(__file__).parent / "samples" / "shop"
WRITTEN = (SAMPLE / "compose.yaml").read_text()
IMAGES = {"shop/database:16": IMAGE, "shop/base:1": IMAGE}


@pytest.fixture(scope="module")
def session():
    with Session() as made:
        yield made


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    (folder / "page.txt").write_text("The test's page")
    return folder


def tailored(owner, pages):
    how = Tailoring(images=IMAGES, host_paths={"./pages": pages}, files={"app": {"added.txt": "added"}})
    return Composition(owner, SAMPLE / "compose.yaml", tailoring=how, environment={"PASSWORD": "pa$$word"})


@pytest.fixture(scope="module")
def shop(session, pages):
    with session.within("shop") as owner:
        yield tailored(owner, pages).up()


def get(composition, path):
    composition.container("web").wait_for(waiting.http(80))
    with urlopen(f"http://127.0.0.1:{composition.port('web', 80)}{path}", timeout=5) as answer:
        return answer.read().decode()


def test_what_was_substituted_is_there(shop):
    assert get(shop, "/") == "The shop\n"
    assert get(shop, "/added.txt") == "added"
    assert get(shop, "/pages/page.txt") == "The test's page"


def test_services_see_their_variables_volumes_and_each_other(shop):
    assert shop.container("db").execute("sh", "-c", "echo $PASSWORD $PRICE").stdout == "pa$$word 5$\n"
    assert shop.container("db").execute("ls", "/var/lib/data").stdout == "migrated\n"
    # Also by the name that the container has no more.
    assert shop.container("web").execute("getent", "hosts", "db", "shop-db").stdout.split()[1::2] == ["db", "shop-db"]


def test_diff_shows_what_is_not_as_in_the_file_and_the_file_stays(shop):
    for line in ("-    container_name: shop-db", "-      published: '8080'", "-    image: shop/database:16"):
        assert f"\n{line}\n" in shop.diff
    assert "org.labrig" not in shop.diff
    assert (SAMPLE / "compose.yaml").read_text() == WRITTEN


def test_looks_name_what_is_there(shop):
    assert [one.name for one in shop.containers()] == [f"{shop.project}-{name}-1" for name in ("db", "migrate", "web")]
    assert shop.ports() == {"web": {"80/tcp": shop.port("web", 80)}}
    assert shop.volumes()["data"].driver == "local"
    assert shop.networks().keys() == {"front", "back"}
    back = shop.owner.client.api.inspect_network(shop.networks()["back"].id)
    assert back["Internal"]
    assert back["IPAM"]["Config"][0]["Subnet"].endswith("/26")
    assert "ready for connections" in shop.logs("db")


def test_scaled_service_has_so_many_containers_and_ports_of_their_own(shop):
    shop.scale("web", 2)

    assert len({shop.port("web", 80, number) for number in (1, 2)}) == 2

    shop.scale("web", 1)
    assert len(shop.containers("web")) == 1


def test_the_same_sample_runs_twice_at_once_and_again_after_down(shop, session, pages):
    with session.within("second") as owner:
        second = tailored(owner, pages).up()
        assert get(second, "/") == get(shop, "/")

        second.down()
        assert (second.containers(), second.volumes(), second.networks()) == ([], {}, {})

        assert get(second.up(), "/added.txt") == "added"
        assert second.owner.remove() == []
        assert second.owner.found() == []
    assert get(shop, "/") == "The shop\n"


def written(folder, text):
    path = folder / "compose.yaml"
    path.write_text(text)
    return path


def test_service_that_ends_or_never_becomes_healthy_is_told_with_its_last_lines(session, tmp_path):
    file = written(
        tmp_path,
        f"""
        services:
          ends: {{image: "{IMAGE}", command: ["sh", "-c", "echo no license; exit 4"]}}
          waits: {{image: "{IMAGE}", depends_on: {{ends: {{condition: service_completed_successfully}}}}}}
          ill:
            image: {IMAGE}
            init: true
            command: sleep infinity
            healthcheck: {{test: "echo no disk; false", interval: 100ms, retries: 1}}
        """,
    )
    with session.within() as owner, pytest.raises(NotReady) as caught:
        Composition(owner, file).up("waits")
    assert "-ends-1 has exited with code 4\nno license" in caught.value.message

    with session.within() as owner, pytest.raises(NotReady, match="ill-1 is unhealthy; its health check said: no disk"):
        Composition(owner, file).up("ill", seconds=30)


def test_image_that_is_nowhere_is_told(session, tmp_path):
    file = written(tmp_path, "services:\n  web: {image: labrig/there-is-no-such-image, pull_policy: never}\n")

    with session.within() as owner, pytest.raises(EnvironmentFailed, match="labrig/there-is-no-such-image"):
        Composition(owner, file).up()


def test_unknown_service_is_told_with_the_nearest(shop):
    with pytest.raises(UsageError, match="has no service wep; there are: db, migrate, web") as caught:
        shop.up("wep")
    assert caught.value.hint == "did you mean web?"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            "services:\n  web:\n    image: x\n    imagee: y\n",
            "compose.yaml:4: service web: the Compose specification has no key imagee here",
            "did you mean image?",
        ),
        (
            "services:\n  web:\n    image: x\n    healthcheck: {testt: y}\n",
            "compose.yaml:4: service web: healthcheck: the Compose specification has no key testt here",
            "",
        ),
        ("services:\n  web:\n    image: [x]\n", "compose.yaml:3: service web: image: must be a string", ""),
        (
            "services:\n  web: {image: x, depends_on: [dbb]}\n",
            'compose.yaml:2: service web: depends on undefined service "dbb"',
            "",
        ),
        (
            "services:\n  web:\n    image: x\n    ports: ['80:http']\n",
            "compose.yaml:4: service web: ports: Invalid containerPort: http",
            "",
        ),
        (
            "services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, depends_on: [a]}\n",
            "compose.yaml: dependency cycle detected: a -> b -> a",
            "",
        ),
        ("services:\n  web:\n   image: x\n     b: 1\n", "compose.yaml:4:7: not YAML: mapping values are not", ""),
        (
            "services:\n  web:\n    image: x:${TAG}\n",
            "compose.yaml: no value is given for TAG, which Compose would leave empty",
            "${TAG:-}",
        ),
    ],
)
def test_wrong_file_is_told_with_file_line_service_and_key(tmp_path, text, message, hint):
    file = written(tmp_path, text)

    with pytest.raises(UsageError) as caught:
        compose.load(ComposeFile([file], "demo"))

    assert caught.value.message.startswith(f"{tmp_path}/{message}")
    assert hint in caught.value.hint


def test_without_compose_it_is_told_how_to_get_it(tmp_path, monkeypatch):
    file = written(tmp_path, "services: {web: {image: x}}\n")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0:
        pytest.skip("Compose is installed for all users of this machine, and cannot be hidden")

    with pytest.raises(EnvironmentFailed, match="there is no Docker Compose v2") as caught:
        compose.load(ComposeFile([file], "demo"))
    assert "docker-compose-v2" in caught.value.hint
