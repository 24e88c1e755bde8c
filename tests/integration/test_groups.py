"""Groups of services on a real engine: what runs afterwards, and what is said where something fails."""

import json
import os
import socket
import textwrap
import time

import pytest
from docker.errors import APIError

from labrig.engine.client import connect
from labrig.errors import UsageError
from labrig.groups import collection, one_off, operations, standing
from labrig.groups.choice import Choice
from labrig.groups.context import FILE, Context
from labrig.groups.images import NoImage

PREAMBLE = """
import labrig

class Sleeper(labrig.Service):
    image = "labrig/debian-12:latest"
    cmd = ["sleep", "infinity"]
    stop_signal = "SIGKILL"
"""


class Group:
    """A group in a folder of its own, whose file is written anew as often as a test wants."""

    def __init__(self, client, folder):
        self.client = client
        self.file = folder / "group.py"
        self.write("")

    def write(self, text):
        self.file.write_text(PREAMBLE + textwrap.dedent(text))
        return self

    def load(self):
        Context.clear()
        return collection.load(self.file)

    def start(self, *names, timeout=20.0, **choice):
        self.heard = []
        return operations.start(
            self.client, self.load(), Choice(names, **choice), timeout=timeout, listener=self.heard.append
        ).services

    def stop(self, **options):
        return operations.stop(self.client, self.load(), timeout=5, **options).services

    def inspect(self, service):
        return self.client.api.inspect_container(self.standing()[service].id)

    def standing(self):
        return standing.standing(self.client, self.load())

    def run(self, service, *command):
        code, said = self.client.containers.get(self.standing()[service].id).exec_run(list(command))
        return code, said.decode()

    def everything(self):
        """Return the names of all that the engine has of the group."""
        mine = {"label": standing.identity(self.load()).filter}
        return [
            *(one.name for one in self.client.containers.list(all=True, filters=mine)),
            *(one.name for one in self.client.networks.list(filters=mine)),
            *(tag for one in self.client.images.list(filters=mine) for tag in one.tags),
        ]


@pytest.fixture(scope="module")
def client():
    return connect()


@pytest.fixture
def group(client, tmp_path):
    made = Group(client, tmp_path)
    yield made
    if "class " in made.file.read_text().replace(PREAMBLE, ""):
        operations.stop(client, made.load(), timeout=1, remove=True)
        assert made.everything() == []


PAIR = """
class Database(Sleeper):
    name = "db"
    ports = {5432: None}

    def post_start(self):
        labrig.Context["user_id"] = 42
        labrig.Context["seen"] = self.host_port(5432)

class Application(Sleeper):
    name = "app"
    dependencies = ["db"]
    env = {"USER_ID": "{user_id}", "DB_PORT": "{db_port_5432}"}
"""


def test_services_start_in_order_and_hand_on_values_and_free_ports(group):
    group.write(PAIR)
    outcome = group.start()
    assert {name: one.phase for name, one in outcome.items()} == {"db": "up", "app": "up"}
    seen = Context["seen"]
    port = group.standing()["db"].ports["5432/tcp"]
    assert seen == port
    environment = group.run("app", "env")[1].splitlines()
    assert "USER_ID=42" in environment
    assert f"DB_PORT={port}" in environment
    assert group.run("app", "getent", "hosts", "db")[0] == 0, "it is reached by its name"
    assert json.loads((group.file.parent / FILE).read_text())["user_id"] == 42
    assert (group.file.parent / FILE).stat().st_mode & 0o077 == 0, "values are often passwords"


def test_a_one_off_container_that_was_never_started_has_no_exit_code(client):
    never, unknown, ended = (
        client.containers.create("labrig/debian-12:latest", command) for command in ("true", "no-such-command", "false")
    )
    try:
        with pytest.raises(APIError):
            unknown.start()
        ended.start()
        ended.wait()
        found = [one_off.exit_code(client, one.id) for one in (never, unknown, ended)]
    finally:
        for one in (never, unknown, ended):
            one.remove(force=True)
    assert found == [None, 127, 1]


def test_named_volumes_are_the_groups_and_stay_until_they_are_to_go(group):
    name = f"volume-{group.file.parent.name}"
    group.write(f"""
        class Store(Sleeper):
            name = "store"
            volumes = ["{name}:/srv"]
    """)
    group.start()
    group.run("store", "touch", "/srv/kept")
    group.stop(remove=True)
    mine = {"label": standing.identity(group.load()).filter}
    assert [one.name for one in group.client.volumes.list(filters=mine)] == [name]
    group.start()
    assert group.run("store", "ls", "/srv") == (0, "kept\n")
    with pytest.raises(UsageError, match="volumes go with the whole group only"):
        group.stop(volumes=True)
    group.stop(remove=True, volumes=True)
    assert not group.client.volumes.list(filters=mine)


def test_what_runs_is_kept_what_was_stopped_is_started_again_and_remove_leaves_nothing(group):
    group.write(PAIR)
    group.start()
    before = {name: one.id for name, one in group.standing().items()}
    assert {one.plan for one in group.start().values()} == {"keep"}
    assert {one.phase for one in group.stop().values()} == {"stopped"}
    # The port is another one now, perhaps, and then what was given it is made anew.
    assert group.start()["db"].plan == "wake"
    assert group.standing()["db"].id == before["db"]
    assert {one.phase for one in group.stop(remove=True).values()} == {"removed"}
    assert group.everything() == []
    assert not (group.file.parent / FILE).exists()


def test_only_what_differs_from_its_definition_is_recreated_and_each_key_is_said(group):
    group.write(
        """
        class Other(Sleeper):
            name = "other"

        class One(Sleeper):
            name = "one"
            env = {"A": "1", "B": "secret", "C": "3"}
            ports = {80: None}
            volumes = ["/usr:/data"]
        """
    )
    group.start()
    group.write(
        """
        class Other(Sleeper):
            name = "other"

        class One(Sleeper):
            name = "one"
            env = {"A": "1", "B": "changed", "D": "4"}
            ports = {81: None}
            volumes = ["/usr:/data:ro"]
            cmd = ["sleep", "1000"]
            user = "nobody"
            init = True
            networks = ["default", "back"]
            limits = {"memory": "64m", "pids": 50}
            healthcheck = {"test": ["true"], "interval": 0.5}
        """
    )
    outcome = group.start()
    assert outcome["other"].plan == "keep"
    assert outcome["one"].plan == "create"
    name = standing.identity(group.load()).id
    assert sorted(outcome["one"].differs) == [
        "command: sleep infinity -> sleep 1000",
        "env B has another value",
        "env C: set -> not set",
        "env D: not set -> set",
        "healthcheck interval: none -> 500000000",
        "healthcheck test: none -> ['true']".replace("['true']", "['CMD', 'true']"),
        "init: none -> True",
        "limits memory: none -> 67108864",
        "limits pids: none -> 50",
        f"networks labrig-{group.load().group}-{name}-back: not connected -> connected",
        "ports 80/tcp: free -> not published",
        "ports 81/tcp: not published -> free",
        "user: none -> nobody",
        "volumes /data: /usr (rw) -> /usr (ro)",
    ]
    assert {one.plan for one in group.start().values()} == {"keep"}


def test_what_somebody_changed_on_the_engine_is_seen(group):
    group.write("class One(Sleeper):\n    name = 'one'\n    limits = {'memory': '64m'}\n")
    group.start()
    group.client.api.update_container(group.standing()["one"].id, mem_limit="128m", memswap_limit="256m")
    assert group.start()["one"].differs == ("limits memory: 134217728 -> 67108864",)
    assert group.inspect("one")["HostConfig"]["Memory"] == 64 * 1024**2


def test_hooks_run_in_their_order_also_async_ones(group):
    group.write(
        """
        import asyncio
        said = labrig.Context.setdefault("said", [])

        class One(Sleeper):
            name = "one"

            async def pre_start(self):
                await asyncio.sleep(0.01)
                said.append("pre_start")

            async def ping(self):
                said.append("ping")
                return said.count("ping") == 3

            def post_start(self):
                said.append("post_start")

            def pre_stop(self):
                said.append("pre_stop")

            async def post_stop(self):
                said.append("post_stop")
        """
    )
    Context.clear()
    loaded = collection.load(group.file)
    operations.start(group.client, loaded)
    operations.stop(group.client, loaded)
    said = vars(__import__("labrig_group_file"))["said"]
    assert said == ["pre_start", "ping", "ping", "ping", "post_start", "pre_stop", "post_stop"]


def test_a_hook_that_raises_fails_its_service_and_says_where(group):
    group.write(
        """
        class Database(Sleeper):
            name = "db"

            def post_start(self):
                raise RuntimeError("no such table")

            def on_failure(self, error):
                labrig.Context["told"] = str(error)

        class Application(Sleeper):
            name = "app"
            dependencies = ["db"]

        class Mail(Sleeper):
            name = "mail"
        """
    )
    outcome = group.start()
    assert {name: one.phase for name, one in outcome.items()} == {"db": "failed", "mail": "up", "app": "skipped"}
    line = group.file.read_text().splitlines().index('        raise RuntimeError("no such table")') + 1
    assert outcome["db"].reason.endswith(
        f"group.py:{line}: service 'db': post_start raised RuntimeError: no such table"
    )
    assert Context["told"] == outcome["db"].reason
    assert outcome["app"].reason == "db failed"
    assert list(group.standing()) == ["mail"], "what failed is removed"


@pytest.mark.parametrize("hook", ["pre_start", "ping", "post_start"])
def test_a_hook_that_does_not_end_holds_a_start_up_no_longer_than_its_limit(group, hook):
    group.write(
        f"""
        import time

        class One(Sleeper):
            name = "one"

            def {hook}(self):
                time.sleep(60)
        """
    )
    began = time.monotonic()
    outcome = group.start(timeout=0.3)
    late = {"ping": "ping has not succeeded within 0.3 s"}
    assert late.get(hook, f"service 'one': {hook} has not ended within 0.3 s") in outcome["one"].reason
    assert time.monotonic() - began < 30
    assert group.standing() == {}


def test_a_ping_that_never_succeeds_fails_with_its_last_answer_and_the_last_log_lines(group):
    group.write(
        """
        class One(Sleeper):
            name = "one"
            cmd = ["sh", "-c", "echo still starting; exec sleep infinity"]

            def ping(self):
                return False
        """
    )
    outcome = group.start(timeout=0.5)["one"]
    assert outcome.reason == "ping has not succeeded within 0.5 s"
    assert outcome.readiness.startswith("ping was asked ")
    assert outcome.readiness.endswith("and said False")
    assert outcome.logs == "still starting\n"


def test_a_container_that_ends_fails_its_service_at_once_with_its_last_words(group):
    group.write(
        """
        class One(Sleeper):
            name = "one"
            cmd = ["sh", "-c", "echo cannot read the configuration >&2; exit 7"]

            def ping(self):
                return False
        """
    )
    outcome = group.start(timeout=60)["one"]
    assert outcome.reason == "its container exited with 7"
    assert outcome.logs == "cannot read the configuration\n"
    assert outcome.seconds < 30


def test_a_container_that_ends_after_it_was_taken_for_ready_fails_its_service(group):
    group.write(
        """
        class One(Sleeper):
            name = "one"
            cmd = ["sh", "-c", "exit 3"]
        """
    )
    assert group.start()["one"].reason == "its container exited with 3"


def test_a_health_check_is_readiness(group):
    group.write(
        """
        class Good(Sleeper):
            name = "good"
            cmd = ["sh", "-c", "sleep 0.5; touch /tmp/ready; exec sleep infinity"]
            healthcheck = {"test": "test -e /tmp/ready", "interval": 0.2, "retries": 50}

        class After(Sleeper):
            name = "after"
            dependencies = ["good"]

        class Bad(Sleeper):
            name = "bad"
            healthcheck = {"test": "echo no table; exit 1", "interval": 0.1, "retries": 1}
        """
    )
    outcome = group.start()
    assert {name: one.phase for name, one in outcome.items()} == {"good": "up", "bad": "failed", "after": "up"}
    assert outcome["bad"].reason == "its health check fails"
    assert outcome["bad"].readiness == "health check: unhealthy; its last run exited with 1: no table"
    assert group.standing()["good"].health == "healthy"


def test_a_one_shot_is_done_when_it_exits_with_0(group):
    group.write(
        """
        class Migration(Sleeper):
            name = "migration"
            cmd = ["sh", "-c", "sleep 0.3"]
            one_shot = True

        class Application(Sleeper):
            name = "app"
            dependencies = ["migration"]

        class Broken(Sleeper):
            name = "broken"
            cmd = ["sh", "-c", "echo column exists; exit 2"]
            one_shot = True
        """
    )
    outcome = group.start()
    assert {name: one.phase for name, one in outcome.items()} == {"migration": "done", "broken": "failed", "app": "up"}
    assert outcome["broken"].reason == "it exited with 2, and is done when it exits with 0"
    assert outcome["broken"].logs == "column exists\n"
    assert group.start("migration")["migration"].plan == "keep", "what is done is not done again"


def test_secrets_are_files_and_nothing_but_files(group):
    text = """
        class One(Sleeper):
            name = "one"
            secrets = {{"password": {{"content": "{content}", "mode": 0o400}}, "key": "key.pem"}}
        """
    (group.file.parent / "key.pem").write_text("a key")
    group.write(text.format(content="s3cret"))
    group.start()
    assert group.run("one", "cat", "/run/secrets/password", "/run/secrets/key") == (0, "s3creta key")
    assert group.run("one", "stat", "-c", "%a", "/run/secrets/password") == (0, "400\n")
    assert "s3cret" not in json.dumps(group.inspect("one"))
    assert group.start()["one"].plan == "keep"
    group.write(text.format(content="an0ther"))
    assert group.start()["one"].differs == ("secret password",)
    assert group.run("one", "cat", "/run/secrets/password") == (0, "an0ther")


def test_a_service_is_in_several_networks_and_an_internal_one_has_no_way_out(group):
    group.write(
        """
        back = labrig.Network("back", internal=True)

        class Proxy(Sleeper):
            name = "proxy"
            networks = {"default": [], "back": ["gate"]}

        class Application(Sleeper):
            name = "app"
            networks = [back]
        """
    )
    group.start()
    assert group.run("app", "getent", "hosts", "gate")[0] == 0
    proxy, application = (set(group.inspect(name)["NetworkSettings"]["Networks"]) for name in ("proxy", "app"))
    assert len(proxy) == 2
    assert len(application) == 1
    assert group.client.api.inspect_network(application.pop())["Internal"] is True


def test_a_port_in_use_is_told_with_whose_it_is(group, tmp_path):
    with socket.socket() as listening:
        listening.bind(("0.0.0.0", 0))
        listening.listen()
        port = listening.getsockname()[1]
        group.write(f"class One(Sleeper):\n    name = 'one'\n    ports = {{80: {port}}}\n")
        reason = group.start()["one"].reason
    assert reason.startswith(f"field 'ports': port {port} of the host is in use by process {os.getpid()} (")
    assert group.start()["one"].phase == "up", "it is free now"
    (tmp_path / "other").mkdir()
    other = Group(group.client, tmp_path / "other")
    other.write(f"class Two(Sleeper):\n    name = 'two'\n    ports = {{80: {port}}}\n")
    name = group.standing()["one"].name
    assert other.start()["two"].reason == (
        f"field 'ports': port {port} of the host is in use by container {name}, "
        f"service 'one' of group '{group.load().group}'"
    )
    other.stop(remove=True)


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        ("volumes = ['./data:/data']", "field 'volumes': there is no {folder}/data, which is to be mounted at /data"),
        (
            "image = 'labrig/no-such-image:1'",
            "image 'labrig/no-such-image:1' is not on the engine and cannot be pulled",
        ),
        ("image = 'Not An Image'", "field 'image': 'Not An Image' is no name of an image"),
        (
            "env = {'A': '{nobody}'}",
            "service 'one': field 'env': '{{nobody}}' names 'nobody', which is not in the context",
        ),
        (
            "build_from = 'missing'\n    image = 'labrig/x:latest'",
            "field 'build_from': there is no folder {folder}/missing",
        ),
        ("cmd = ['no-such-program']", "field 'cmd': "),
        ("user = 'nosuchuser'", "field 'user': "),
        ("networks = [labrig.Network('nowhere', external=True)]", "there is no network 'nowhere', which is said to be"),
    ],
)
def test_what_the_engine_cannot_do_is_told_by_field(group, field, reason):
    group.write(f"class One(Sleeper):\n    name = 'one'\n    {field}\n")
    try:
        said = group.start()["one"].reason
    except UsageError as error:
        said = str(error)
        group.write("")
    assert reason.format(folder=group.file.parent) in said


def test_what_runs_stays_when_it_cannot_be_told_what_it_should_be(group):
    group.write("class One(Sleeper):\n    name = 'one'\n")
    group.start()
    before = group.standing()["one"].id
    group.write("class One(Sleeper):\n    name = 'one'\n    env = {'A': '{nobody}'}\n")
    assert group.start()["one"].phase == "failed"
    assert group.standing()["one"].id == before
    assert group.standing()["one"].status == "running"


def a_build(group, program):
    folder = group.file.parent / "service"
    folder.mkdir(exist_ok=True)
    (folder / "Dockerfile").write_text(f"FROM labrig/debian-12:latest\n{program}\nCMD sleep infinity\n")
    group.write(
        """
        class Built(Sleeper):
            name = "built"
            image = "labrig/debian-12"
            build_from = "service"

        class After(Sleeper):
            name = "after"
            dependencies = ["built"]
        """
    )


def test_a_reload_builds_anew_and_what_it_built_stays_in_use(group):
    a_build(group, "RUN echo one > /version")
    group.start()
    assert group.run("built", "cat", "/version")[0] != 0, "the image that the definition names is there"
    outcome = operations.reload(group.client, group.load(), "built", timeout=20)
    assert outcome.failed == []
    assert group.run("built", "cat", "/version") == (0, "one\n")
    assert group.standing()["after"].status == "running"
    assert {one.plan for one in group.start().values()} == {"keep"}
    group.stop()
    group.start()
    assert group.run("built", "cat", "/version") == (0, "one\n")


def test_a_build_that_fails_leaves_all_running_and_says_its_last_lines(group):
    a_build(group, "RUN echo one > /version")
    group.start()
    before = {name: one.id for name, one in group.standing().items()}
    a_build(group, "RUN echo no such header; exit 44")
    with pytest.raises(NoImage, match="no such header"):
        operations.reload(group.client, group.load(), "built", timeout=20)
    assert {name: one.id for name, one in group.standing().items() if one.status == "running"} == before
    assert group.client.containers.list(all=True, filters={"exited": "44"}) == []
