"""Services, secrets and stacks in a swarm that is started where there is none, and left as it was found."""

import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from urllib.request import urlopen

import pytest

from labrig import clock
from labrig.containers import Image, Secret, Service, Session, Stack, Tailoring, waiting
from labrig.containers.errors import NotReady
from labrig.engine import swarm, sweep
from labrig.engine.client import connect
from labrig.errors import UsageError

IMAGE = "labrig/debian-12:latest"
SAMPLE = Path(__file__).parent / "samples" / "shop"


@pytest.fixture(scope="module")
def client():
    return connect()


@pytest.fixture(scope="module")
def before(client):
    """What the engine is like before there is a swarm: to be left as it was found."""
    return standing(client)


def standing(client):
    return client.info()["Swarm"]["LocalNodeState"], bool(client.api.networks(names=["docker_gwbridge"]))


@pytest.fixture(scope="module")
def session(before):
    with Session() as made:
        yield made


@pytest.fixture(scope="module")
def image(session):
    return Image.existing(session, IMAGE)


@pytest.fixture(scope="module")
def stack(session, tmp_path_factory):
    password = tmp_path_factory.mktemp("secret") / "password"
    password.write_text("the test's password")
    how = Tailoring(
        images={"shop/database:16": IMAGE, "shop/base:1": IMAGE},
        host_paths={"password": password},
        files={"app": {"added.txt": "added"}},
    )
    with session.within("stack") as owner:
        yield Stack(owner, SAMPLE / "stack.yaml", tailoring=how, environment={"MODE": "care"}).deploy()


def test_stack_serves_what_was_substituted(stack):
    stack.container("web").wait_for(waiting.http(80))

    with urlopen(f"http://127.0.0.1:{stack.port('web', 80)}/added.txt", timeout=5) as answer:
        assert answer.read() == b"added"
    assert stack.container("web").execute("cat", "/run/secrets/password").stdout == "the test's password"
    assert stack.container("web").execute("getent", "hosts", "worker").stdout.split()[1] == "worker"


def test_looks_name_what_is_deployed(stack):
    assert len(stack.containers("web")) == 2
    assert len({stack.port("web", 80, number) for number in (1, 2)}) == 2
    assert stack.ports().keys() == {"web"}
    assert stack.networks()["front"].driver == "overlay"
    assert stack.volumes()["data"].driver == "local"
    assert "at work with care for 5$" in stack.logs("worker")
    assert "\n-  - published: 8080\n" in stack.diff or "\n-      published: 8080\n" in stack.diff
    assert "org.labrig" not in stack.diff


def test_stack_is_scaled_removed_and_deployed_again(stack):
    assert len(stack.scale("web", 1).containers("web")) == 1

    stack.remove()
    assert (stack.containers(), stack.networks(), stack.volumes()) == ([], {}, {})

    assert len(stack.deploy().containers("web")) == 2


def test_unknown_service_of_a_stack_is_told_with_the_nearest(stack):
    with pytest.raises(UsageError, match="has no service wep that is deployed; there are: web, worker") as caught:
        stack.port("wep", 80)
    assert caught.value.hint == "did you mean web?"


def test_service_has_its_secret_its_variables_and_a_port(session, image):
    with session.within("service") as owner:
        secret = Secret.from_content(owner, "password", "hush")
        web = (
            Service.from_image(image, "web", owner=owner)
            .env(MODE="test")
            .secret(secret)
            .expose(80)
            .options(init=True)
            .run("python3", "-m", "http.server", "80", "--directory", "/run/secrets", replicas=2)
        )
        for one in web.containers():
            one.wait_for(waiting.http(80))
            assert one.execute("sh", "-c", "cat /run/secrets/password; echo $MODE").stdout == "hushtest\n"
        with urlopen(f"http://127.0.0.1:{web.port(80)}/password", timeout=5) as answer:
            assert answer.read() == b"hush"

        assert len(web.scale(1).containers()) == 1
        with pytest.raises(UsageError, match="secret password is in use"):
            secret.remove()
        web.remove()
        secret.remove()
        assert owner.remove() == []


def test_service_that_fails_is_told_with_its_last_lines(session, image):
    # It does not count as running before it is healthy, so it cannot be taken for one that runs.
    check = {"Test": ["CMD", "true"], "Interval": 1_000_000_000}
    with session.within() as owner:
        service = Service.from_image(image, "web", owner=owner).options(healthcheck=check)
        with pytest.raises(NotReady) as caught:
            service.run("sh", "-c", "echo no license; exit 4", seconds=30)
    assert "is failed with exit code 4" in caught.value.message
    assert "no license" in caught.value.message


def test_secret_of_a_file_that_is_not_there_is_told(session, tmp_path):
    with pytest.raises(UsageError, match=r"secret key: .*/none cannot be read: No such file"):
        Secret.from_file(session, "key", tmp_path / "none")


KILLED = """
from labrig.containers.composition import Composition
from labrig.containers.session import Session
from labrig.containers.stack import Stack
from labrig.containers.tailoring import Tailoring

how = Tailoring(images={{"shop/database:16": "{image}", "shop/base:1": "{image}"}})
session = Session()
Stack(session, "{sample}/stack.yaml", tailoring=how).deploy()
Composition(session, "{sample}/compose.yaml", tailoring=how, environment={{"PASSWORD": "x"}}).up()
print(session.run, flush=True)
input()
"""


def test_nothing_is_left_of_a_process_that_is_killed(client, before):
    program = textwrap.dedent(KILLED).format(image=IMAGE, sample=SAMPLE)
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as one:
        run = one.stdout.readline().strip()
        assert {thing.sort for thing in sweep.find(client, run=run)} == set(sweep.ORDER)
        one.send_signal(signal.SIGKILL)
    until = clock.monotonic() + 30
    while (left := sweep.find(client, run=run)) and clock.monotonic() < until:
        clock.sleep(0.2)
    assert left == []


JOINS = """
import random, time
from labrig.containers.session import Session
from labrig.containers.swarm import Secret

for number in range(3):
    with Session() as session:
        Secret.from_content(session, "token", "x")
        time.sleep(random.random() / 4)
"""


def test_processes_share_one_swarm_which_is_left_as_it_was_found(client, before, session):
    # The other tests of this file have a hold on it.
    session.close()
    processes = [subprocess.Popen([sys.executable, "-c", JOINS], stderr=subprocess.PIPE, text=True) for _ in range(4)]

    said = [one.communicate(timeout=120)[1] for one in processes]

    assert said == [""] * 4
    assert standing(client) == before


def test_swarm_of_somebody_else_is_used_and_stays(client, before):
    if before[0] != "inactive":
        pytest.skip("this engine is in a swarm, which the other tests have used")
    client.swarm.init(advertise_addr="127.0.0.1", listen_addr="127.0.0.1:2377")
    try:
        with Session() as session:
            Secret.from_content(session, "token", "x")
        assert swarm.is_manager(client)
        assert client.api.secrets() == []
        assert client.api.configs() == []
    finally:
        client.swarm.leave(force=True)
        if not before[1]:
            client.api.remove_network("docker_gwbridge")
